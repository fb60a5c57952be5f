import { bucketBuild, type FilterPart, partHas } from "./filter-part.ts";
import { BUCKET_BITS, hashToken, tokenHash } from "./token-hash.ts";

/** What makes a filter effective at every edge: which parts it has. Part n holds the hashes that begin with n. */
export type FilterManifest = {
  /** There are 2^bits parts. */
  bits: number;
  parts: FilterPartRef[];
};

/** `build` numbers only rise and name one content for ever; `digest` is its SHA-256, in hex. */
export type FilterPartRef = { partition: number; build: number; count: number; digest: string };

/** The newest build in a manifest: a manifest with a higher one is the later one. */
export function manifestBuild(manifest: FilterManifest): number {
  return manifest.parts.reduce((newest, { build }) => Math.max(newest, build), 0);
}

/** Parts are at most this small on average, so that each is built alone, in small memory. */
const MAX_PART_KEYS = 120_000;
/** Fewer keys a part than this, and there are too many parts. */
const MIN_PART_KEYS = 30_000;

/** How many bits of the hash choose the part. Stays as it is while it can. */
export function partBits(count: number, current: number): number {
  let bits = current;
  while (count > MAX_PART_KEYS * 2 ** bits && bits < BUCKET_BITS) bits++;
  while (bits > 0 && count < MIN_PART_KEYS * 2 ** bits) bits--;
  return bits;
}

/** The number of the part that holds this hash. */
export function partitionOf(hi: number, bits: number): number {
  return bits === 0 ? 0 : hi >>> (32 - bits);
}

/**
 * The denied tokens of a deployment in about nine and a half bits each. It never misses one that was built in;
 * of the others it suspects 1 in 256, and those that share their id with a denied token of another issuer, so that
 * a suspicion has to be confirmed. Immutable.
 */
export class DeniedFilter {
  readonly manifest: FilterManifest;
  readonly #bits: number;
  readonly #parts: readonly FilterPart[];

  /** @param parts in the order of their partitions, all of them */
  constructor(manifest: FilterManifest, parts: readonly FilterPart[]) {
    if (parts.length !== 2 ** manifest.bits) throw new RangeError("the filter has a gap");
    this.manifest = manifest;
    this.#bits = manifest.bits;
    this.#parts = parts;
  }

  /** The newest build in it. */
  get build(): number {
    return manifestBuild(this.manifest);
  }

  /** Whether a token with this id may be denied, whoever issued it. Allocates nothing. */
  mayContain(jti: string): boolean {
    hashToken(jti);
    const { hi, lo } = tokenHash;
    return partHas(this.#partOf(hi), hi, lo);
  }

  /** Changes whenever the part that speaks about the id does: what was learned under another stamp is void. */
  stamp(jti: string): number {
    hashToken(jti);
    return this.#partOf(tokenHash.hi).build;
  }

  /** The build that a list of the id's bucket must at least be of; 0 where the bucket is empty. */
  bucketBuild(jti: string): number {
    hashToken(jti);
    return bucketBuild(this.#partOf(tokenHash.hi), this.#bits, tokenHash.hi);
  }

  /** The part of this build, to be used again by the filter that follows. */
  part(build: number): FilterPart | undefined {
    return this.#parts.find((part) => part.build === build);
  }

  get bytes(): number {
    return this.#parts.reduce((sum, { fuse, bucketBuilds }) => {
      return sum + fuse.fingerprints.length + bucketBuilds.byteLength;
    }, 0);
  }

  #partOf(hi: number): FilterPart {
    return this.#parts[partitionOf(hi, this.#bits)]!;
  }
}
