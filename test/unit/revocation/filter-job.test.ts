import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OutboxRow } from "../../../src/platform/outbox.ts";
import { bucketOfToken, type DeniedToken, deniedBucketKey } from "../../../src/revocation/denied-token.ts";
import { DENYLIST_MIGRATIONS, DenylistStore, rangeOfPart } from "../../../src/revocation/denylist-store.ts";
import { DeniedFilter, type FilterManifest } from "../../../src/revocation/filter.ts";
import { FilterJob } from "../../../src/revocation/filter-job.ts";
import { decodePart } from "../../../src/revocation/filter-part.ts";
import { FILTER_MIGRATIONS, FilterStore } from "../../../src/revocation/filter-store.ts";
import { memorySql } from "../../support/memory-sql.ts";

const SEED = 20_261_118;
const ISS = "https://idp.example.com";
const END = 10_000;
/** Fake counts that make a filter of one, two and eight parts. */
const COUNTS = [0, 150_000, 900_000];

/** The object's SQL and job without the object: changes and pieces of work in any order. */
class Bench {
  readonly sql = memorySql([...DENYLIST_MIGRATIONS, ...FILTER_MIGRATIONS]);
  readonly tokens = new DenylistStore(this.sql);
  readonly parts = new FilterStore(this.sql);
  readonly rows: OutboxRow[] = [];
  job = this.newJob();
  change = 0;
  count = 0;

  newJob(): FilterJob {
    return new FilterJob({ tokens: this.tokens, parts: this.parts, put: (row) => this.rows.push(row) });
  }

  /** Memory is gone. */
  evict(): void {
    this.job = this.newJob();
  }

  add(tokens: DeniedToken[]): void {
    const denials = tokens.map((token) => ({ token, extend: true }));
    const { changed, buckets } = this.tokens.add(denials, this.change + 1, 0);
    if (changed) this.job.touch(++this.change, buckets);
  }

  remove(tokens: DeniedToken[]): void {
    const { removed, buckets } = this.tokens.remove(tokens);
    if (removed) this.job.touch(++this.change, buckets);
  }

  build(): boolean {
    return this.job.buildOne(this.change, this.count);
  }

  round(): { manifest: FilterManifest; covers: number } {
    while (this.build());
    return this.job.finish()!;
  }

  filter(manifest: FilterManifest): DeniedFilter {
    return new DeniedFilter(
      manifest,
      manifest.parts.map(({ build }) => decodePart(this.parts.partBody(build)!)!),
    );
  }
}

const tokenOf = (n: number): DeniedToken => ({ jti: `tok_${n}`, iss: ISS, expires_at: END });
const tokensOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => tokenOf(from + i));

describe("the filter's job", () => {
  it("never publishes a filter that misses a change that it says it covers, in any order of events", () => {
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ add: fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 12 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ remove: fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 12 }) }),
      },
      { weight: 8, arbitrary: fc.constant("build" as const) },
      { weight: 4, arbitrary: fc.constant("finish" as const) },
      { weight: 1, arbitrary: fc.constant("evict" as const) },
      { weight: 1, arbitrary: fc.record({ count: fc.constantFrom(...COUNTS) }) },
    );
    let finished = 0;
    fc.assert(
      fc.property(fc.array(command, { minLength: 10, maxLength: 80 }), (commands) => {
        const bench = new Bench();
        // For each token, since which change it is listed.
        const listed = new Map<number, number>();
        for (const each of commands) {
          if (each === "build") bench.build();
          else if (each === "evict") bench.evict();
          else if (each === "finish") {
            const round = bench.job.finish();
            if (!round) continue;
            finished++;
            const filter = bench.filter(round.manifest);
            for (const [n, since] of listed) {
              if (since <= round.covers && !filter.mayContain(`tok_${n}`)) throw new Error(`missed ${n}`);
            }
          } else if ("add" in each) {
            bench.add(each.add.map(tokenOf));
            for (const n of each.add) if (!listed.has(n)) listed.set(n, bench.change);
          } else if ("remove" in each) {
            bench.remove(each.remove.map(tokenOf));
            for (const n of each.remove) listed.delete(n);
          } else bench.count = each.count;
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    expect(finished).toBeGreaterThan(100);
  });

  it("builds only the parts that are behind, and numbers them upwards", () => {
    const bench = new Bench();
    bench.count = 900_000;
    bench.add(tokensOf(0, 400));
    const first = bench.round();
    expect(first.manifest.parts).toHaveLength(8);
    bench.add([tokenOf(1_000)]);
    const second = bench.round();
    const rebuilt = second.manifest.parts.filter(({ build }, i) => build !== first.manifest.parts[i]!.build);
    expect(rebuilt).toHaveLength(1);
    expect(rebuilt[0]!.build).toBeGreaterThan(Math.max(...first.manifest.parts.map(({ build }) => build)));
    expect(bench.round().manifest).toEqual(second.manifest);
  });

  it("does not end a round that another one began meanwhile", () => {
    const bench = new Bench();
    bench.count = 900_000;
    bench.add(tokensOf(0, 400));
    while (bench.build());
    expect(bench.job.finish()).toMatchObject({ covers: 1 });
    bench.add(tokensOf(400, 800));
    expect(bench.build()).toBe(true);
    expect(bench.job.finish()).toBeUndefined();
    expect(bench.round()).toMatchObject({ covers: 2 });
  });

  it("writes to KV the parts and the lists that changed, and tells since when a list stands", () => {
    const bench = new Bench();
    const [a, b] = [tokenOf(1), tokenOf(2)];
    const idOf = ({ jti }: DeniedToken) => `kv:${deniedBucketKey(bucketOfToken(jti))}`;
    bench.add([a, b]);
    const first = bench.round();
    expect(bench.rows.map(({ id }) => id).toSorted()).toEqual([idOf(a), idOf(b), "kv:filter:1"].toSorted());
    bench.rows.length = 0;
    bench.remove([b]);
    const second = bench.round();
    expect(bench.rows.map(({ id }) => id).toSorted()).toEqual([idOf(b), "kv:filter:2"].toSorted());
    expect(bench.filter(first.manifest).bucketBuild(b.jti)).toBe(1);
    expect(bench.filter(second.manifest).bucketBuild(a.jti)).toBe(1);
    expect(bench.filter(second.manifest).bucketBuild(b.jti)).toBe(0);
  });

  it("names one list less where an entry's time was over", () => {
    const bench = new Bench();
    bench.add([{ ...tokenOf(1), expires_at: 5 }, tokenOf(2)]);
    expect(bench.round().manifest.parts[0]).toMatchObject({ count: 2 });
    const { removed, buckets } = bench.tokens.removeExpired(rangeOfPart(0, 0), 5);
    expect([removed, [...buckets]]).toEqual([1, [bucketOfToken("tok_1")]]);
    bench.job.touch(++bench.change, buckets);
    expect(bench.round().manifest.parts[0]).toMatchObject({ count: 1 });
    expect(bench.tokens.nextExpiry(rangeOfPart(0, 0))).toBe(END);
  });
});
