import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Outbox, OutboxRow } from "../platform/outbox.ts";
import { denylistKey, denylistLane, denylistTtlSeconds } from "../revocation/denylist.ts";
import { fileKey, type RevocationMatch } from "../revocation/rule.ts";
import { SNAPSHOT_KEY } from "./entry.ts";
import type { LogStore } from "./log-store.ts";

/** KV takes one write a second for a key. */
const KV_WRITE_INTERVAL_MS = 1_000;
const MAX_REMEMBERED_WRITES = 10_000;

export type KvProjectionOptions = {
  clock: Clock;
  kv: KVNamespace;
  store: LogStore;
  outbox(): Outbox;
};

/** What KV tells of the log: the snapshot, and what is denied under each key. It leaves as outbox rows only. */
export class KvProjection {
  readonly #o: KvProjectionOptions;
  readonly #lastWriteMs = new Map<string, number>();

  constructor(options: KvProjectionOptions) {
    this.#o = options;
  }

  readonly deliver = {
    "kv.snapshot": () => this.#writeSnapshot(),
    "kv.deny": (row: OutboxRow) => this.#writeDenylist(row),
  };

  snapshot(): void {
    this.#put(SNAPSHOT_KEY, { id: "kv:snapshot", lane: "kv:snapshot", kind: "kv.snapshot", payload: null });
  }

  denylist(match: RevocationMatch | undefined): void {
    if (match) this.key(fileKey(match));
  }

  keys(keys: readonly string[]): void {
    for (const key of keys) this.key(key);
  }

  key(key: string): void {
    this.#put(key, { id: `kv:deny:${key}`, lane: denylistLane(key), kind: "kv.deny", payload: key });
  }

  #put(key: string, row: OutboxRow): void {
    const last = this.#lastWriteMs.get(key);
    this.#o.outbox().put(row, last === undefined ? 0 : last + KV_WRITE_INTERVAL_MS);
  }

  async #writeSnapshot(): Promise<void> {
    const snapshot = this.#o.store.snapshot(this.#o.clock());
    this.#lastWriteMs.set(SNAPSHOT_KEY, this.#o.clock());
    await this.#o.kv.put(SNAPSHOT_KEY, JSON.stringify(snapshot), { metadata: { seq: snapshot.seq } });
  }

  /** Writes what is in force under the key now, so that a late or repeated row is never wrong. */
  async #writeDenylist(row: OutboxRow): Promise<void> {
    const key = String(row.payload);
    const nowMs = this.#o.clock();
    this.#rememberWrite(key, nowMs);
    const rules = this.#o.store.rulesUnder(key, epochSeconds(nowMs));
    const kvKey = await denylistKey(key);
    if (rules.length === 0) return this.#o.kv.delete(kvKey);
    const expirationTtl = denylistTtlSeconds(rules, epochSeconds(nowMs));
    await this.#o.kv.put(kvKey, JSON.stringify(rules), expirationTtl === undefined ? {} : { expirationTtl });
  }

  #rememberWrite(key: string, nowMs: number): void {
    if (this.#lastWriteMs.size > MAX_REMEMBERED_WRITES) {
      for (const [old, at] of this.#lastWriteMs)
        if (at + KV_WRITE_INTERVAL_MS < nowMs) this.#lastWriteMs.delete(old);
    }
    this.#lastWriteMs.set(key, nowMs);
  }
}
