import type { OutboxRow } from "../platform/outbox.ts";
import { deniedBucketKey } from "./denied-token.ts";
import { type DenylistStore, rangeOfPart } from "./denylist-store.ts";
import { type FilterManifest, partBits } from "./filter.ts";
import { bucketsOfPart, decodePart, encodePart } from "./filter-part.ts";
import type { FilterStore, PartRow } from "./filter-store.ts";
import { buildFuse } from "./fuse.ts";
import { bucketOf } from "./token-hash.ts";

export type FilterJobOptions = {
  tokens: DenylistStore;
  parts: FilterStore;
  put: (row: OutboxRow) => void;
};

const BUCKET_LANES = 8;

/**
 * Brings the filter up to what is listed, in rounds: each part that is behind is built once, alone, in one
 * synchronous piece of work; then the round's manifest holds every change that was made before the round began.
 * All progress is in SQL: after an eviction a round goes on with the parts that are still behind.
 */
export class FilterJob {
  readonly #o: FilterJobOptions;
  #bucketChanges: Uint32Array;
  /** The last change before the round under way began. */
  #covers: number | undefined;

  constructor(options: FilterJobOptions) {
    this.#o = options;
    this.#bucketChanges = options.tokens.bucketChanges();
  }

  /** Notes, in the transaction of the change, which buckets it touched. */
  touch(change: number, buckets: Iterable<number>): void {
    const changes = this.#bucketChanges.slice();
    for (const bucket of buckets) changes[bucket] = change;
    this.#o.tokens.setBucketChanges(changes);
    this.#bucketChanges = changes;
  }

  /**
   * Builds one part that is behind, in the caller's transaction; false where there is none.
   *
   * @param change the last change
   * @param count the number of entries
   */
  buildOne(change: number, count: number): boolean {
    if (this.#covers === undefined) this.#begin(change, count);
    const bits = this.#bits();
    const next = this.#firstBehind(bits, this.#covers!);
    if (!next) return false;
    this.#build(bits, next.partition, next.before, change);
    return true;
  }

  /**
   * Ends the round: its manifest, and the last change that is in it. Undefined where none is under way, or
   * where another one began meanwhile that is not done.
   */
  finish(): { manifest: FilterManifest; covers: number } | undefined {
    const covers = this.#covers;
    if (covers === undefined || this.#firstBehind(this.#bits(), covers)) return undefined;
    this.#covers = undefined;
    return { manifest: this.#manifest(), covers };
  }

  #manifest(): FilterManifest {
    const bits = this.#bits();
    const parts = this.#o.parts
      .parts(bits)
      .map(({ partition, build, count, digest }) => ({ partition, build, count, digest }));
    return { bits, parts };
  }

  /** The parts as they stand: what has entries that are over can be swept. */
  currentParts(): { bits: number; rows: PartRow[] } {
    const bits = this.#bits();
    return { bits, rows: this.#o.parts.parts(bits) };
  }

  #bits(): number {
    return this.#o.tokens.state<number>("bits") ?? 0;
  }

  #begin(change: number, count: number): void {
    this.#covers = change;
    const current = this.#bits();
    const bits = partBits(count, current);
    if (bits !== current) this.#o.tokens.setState("bits", bits);
  }

  #firstBehind(bits: number, covers: number): { partition: number; before?: PartRow } | undefined {
    const built = new Map(this.#o.parts.parts(bits).map((part) => [part.partition, part]));
    for (let partition = 0; partition < 2 ** bits; partition++) {
      const before = built.get(partition);
      if (!before) return { partition };
      if (before.built_change < covers && this.#isBehind(before, bits)) return { partition, before };
    }
    return undefined;
  }

  #isBehind(part: PartRow, bits: number): boolean {
    const size = bucketsOfPart(bits);
    const changes = this.#bucketChanges.subarray(part.partition * size, (part.partition + 1) * size);
    return changes.some((change) => change > part.built_change);
  }

  #build(bits: number, partition: number, before: PartRow | undefined, change: number): void {
    const { parts, tokens, put } = this.#o;
    const keys = tokens.keys(rangeOfPart(bits, partition));
    const { fuse } = buildFuse(keys);
    const row = { bits, partition, built_change: change, count: keys.hi.length };
    const build = parts.insertPart({ ...row, next_expiry_at: keys.nextExpiryAt }, (number) => {
      const bucketBuilds = this.#bucketBuilds(bits, partition, before, number, keys.hi);
      const body = encodePart({ build: number, fuse, bucketBuilds });
      return { body, digest: sha256Hex(body) };
    });
    put({ id: `kv:filter:${build}`, lane: "kv:filter", kind: "kv.filter", payload: build });
  }

  /** For each bucket the build in which it changed last; a bucket that changed now is written to KV. */
  #bucketBuilds(
    bits: number,
    partition: number,
    before: PartRow | undefined,
    build: number,
    hi: Uint32Array,
  ): Uint32Array {
    const first = partition * bucketsOfPart(bits);
    const body = before && this.#o.parts.partBody(before.build);
    const old = body && decodePart(body)?.bucketBuilds;
    const builds = new Uint32Array(bucketsOfPart(bits));
    for (const half of hi) builds[bucketOf(half) - first] = build;
    for (let i = 0; i < builds.length; i++) {
      const changed = this.#bucketChanges[first + i]! > (before?.built_change ?? 0);
      const was = old?.[i] ?? 0;
      if (!changed && builds[i] !== 0 && was !== 0) builds[i] = was;
      else if (changed || builds[i] !== 0 || was !== 0) this.#list(first + i);
    }
    return builds;
  }

  #list(bucket: number): void {
    const lane = `kv:denied:${bucket % BUCKET_LANES}`;
    this.#o.put({ id: `kv:${deniedBucketKey(bucket)}`, lane, kind: "kv.denied", payload: bucket });
  }
}

/** In one step with the write. Node's module is loaded by the first part that is built, not by every isolate. */
function sha256Hex(bytes: Uint8Array): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(bytes).digest("hex");
}
