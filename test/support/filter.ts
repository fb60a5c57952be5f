import { problem } from "../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../src/protocol/result.ts";
import { DeniedFilter, type FilterManifest, partitionOf } from "../../src/revocation/filter.ts";
import { bucketsOfPart, type FilterPart } from "../../src/revocation/filter-part.ts";
import { buildFuse } from "../../src/revocation/fuse.ts";
import { bucketOf, hashToken, tokenHash } from "../../src/revocation/token-hash.ts";

type Named = { iss?: string; jti: string };

/** A filter that holds exactly these, as the object would build it. Builds are numbered from `firstBuild`. */
export function filterOf(tokens: readonly Named[], bits = 0, firstBuild = 1): DeniedFilter {
  const keys = new Map<number, Map<string, [number, number]>>();
  for (let partition = 0; partition < 2 ** bits; partition++) keys.set(partition, new Map());
  for (const { jti } of tokens) {
    hashToken(jti);
    const { hi, lo } = tokenHash;
    keys.get(partitionOf(hi, bits))!.set(`${hi}.${lo}`, [hi, lo]);
  }
  const parts: FilterPart[] = [...keys].map(([partition, distinct]) => {
    const build = firstBuild + partition;
    const pairs = [...distinct.values()];
    const { fuse } = buildFuse({
      hi: Uint32Array.from(pairs, ([hi]) => hi),
      lo: Uint32Array.from(pairs, ([, lo]) => lo),
    });
    const bucketBuilds = new Uint32Array(bucketsOfPart(bits));
    for (const [hi] of pairs) bucketBuilds[bucketOf(hi) - partition * bucketsOfPart(bits)] = build;
    return { build, fuse, bucketBuilds };
  });
  return new DeniedFilter(manifestOf(parts, bits), parts);
}

function manifestOf(parts: readonly FilterPart[], bits: number): FilterManifest {
  return {
    bits,
    parts: parts.map(({ build }, partition) => ({ partition, build, count: 0, digest: `digest-${build}` })),
  };
}

/** Filters by the newest build of their manifest; what it does not know, or while it is down, cannot be loaded. */
export class FilterShelf {
  readonly #filters = new Map<number, DeniedFilter>();
  down = false;
  loads = 0;
  whileLoading: (() => Promise<void>) | undefined;

  put(filter: DeniedFilter): FilterManifest {
    this.#filters.set(filter.build, filter);
    return filter.manifest;
  }

  async load(manifest: FilterManifest): Promise<Result<DeniedFilter>> {
    this.loads++;
    const found = this.#filters.get(Math.max(...manifest.parts.map(({ build }) => build)));
    await this.whileLoading?.();
    return found && !this.down ? ok(found) : err(problem("unavailable", "The filter cannot be loaded."));
  }
}
