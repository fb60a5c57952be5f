import type { Clock } from "../platform/clock.ts";
import { type DeniedBucket, deniedBucketKey } from "./denied-token.ts";
import type { DenylistStore } from "./denylist-store.ts";
import { filterPartKey } from "./filter-loader.ts";
import type { FilterStore } from "./filter-store.ts";

export type DenylistProjectionOptions = {
  kv: Pick<KVNamespace, "put" | "delete">;
  tokens: DenylistStore;
  parts: FilterStore;
  clock: Clock;
};

/** KV takes one write a second for a key. */
const WRITE_INTERVAL_MS = 1_000;
/** A local KV answers without ever letting the process do anything else; a thousand writes would hold up all. */
const PAUSE_MS = 5;

/** What KV holds of the denied tokens: the filter's parts, and 1,024 lists. */
export class DenylistProjection {
  readonly #o: DenylistProjectionOptions;
  /** When each list was written last, by its outbox row. */
  readonly #writtenAtMs = new Map<string, number>();

  constructor(options: DenylistProjectionOptions) {
    this.#o = options;
  }

  /** The earliest moment for the write that an outbox row stands for. */
  notBeforeMs(rowId: string): number {
    const last = this.#writtenAtMs.get(rowId);
    return last === undefined ? 0 : last + WRITE_INTERVAL_MS;
  }

  async writePart(build: number): Promise<void> {
    const body = this.#o.parts.partBody(build);
    if (body) await this.#o.kv.put(filterPartKey(build), body);
    else await this.#o.kv.delete(filterPartKey(build));
  }

  /** Writes what is listed now, so that a late or repeated row is never wrong. */
  async writeBucket(rowId: string, bucket: number): Promise<void> {
    const { kv, tokens, parts, clock } = this.#o;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    this.#writtenAtMs.set(rowId, clock());
    const listed = tokens.tokensInBucket(bucket);
    if (listed.length === 0) return kv.delete(deniedBucketKey(bucket));
    const list: DeniedBucket = { build: parts.newestBuildOver(bucket), tokens: listed };
    await kv.put(deniedBucketKey(bucket), JSON.stringify(list));
  }
}
