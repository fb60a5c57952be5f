import { withTimeout } from "../platform/rpc.ts";
import { bytesSha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { DeniedFilter, type FilterManifest, type FilterPartRef } from "./filter.ts";
import { decodePart, type FilterPart } from "./filter-part.ts";

/** Where a part is when KV does not have it. */
export type PartSource = { part(build: number): Promise<Result<Uint8Array>> };

export type FilterLoaderOptions = { kv: Pick<KVNamespace, "get">; denylist: PartSource };

/** The KV key of a part's bytes; its content never changes. */
export function filterPartKey(build: number): string {
  return `filter:${build}`;
}

const KV_TIMEOUT_MS = 2_000;
/** The platform opens six connections at once. */
const PARALLEL = 6;

/** Gets the parts that a manifest names: those at hand, then from KV, then from the object that built them. */
export class FilterLoader {
  readonly #o: FilterLoaderOptions;
  /** Parts that came while others did not: the next attempt goes on from there. */
  readonly #arrived = new Map<number, FilterPart>();

  constructor(options: FilterLoaderOptions) {
    this.#o = options;
  }

  /** The whole filter, each part checked by its digest; a part that cannot be had is the problem `unavailable`. */
  async load(manifest: FilterManifest, known?: DeniedFilter): Promise<Result<DeniedFilter>> {
    const parts = new Map<number, FilterPart>();
    for (const { build } of manifest.parts) {
      const part = known?.part(build) ?? this.#arrived.get(build);
      if (part) parts.set(build, part);
    }
    const missing = manifest.parts.filter(({ build }) => !parts.has(build)).values();
    const work = async () => {
      for (const ref of missing) {
        const part = (await this.#fromKv(ref)) ?? (await this.#fromObject(ref));
        if (part) parts.set(ref.build, part);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    if (parts.size < manifest.parts.length) {
      for (const [build, part] of parts) this.#arrived.set(build, part);
      return err(problem("unavailable", "A part of the filter of denied tokens could not be loaded."));
    }
    this.#arrived.clear();
    const ordered = manifest.parts.toSorted((a, b) => a.partition - b.partition);
    return ok(
      new DeniedFilter(
        manifest,
        ordered.map(({ build }) => parts.get(build)!),
      ),
    );
  }

  async #fromKv(ref: FilterPartRef): Promise<FilterPart | undefined> {
    try {
      const bytes = await withTimeout(this.#o.kv.get(filterPartKey(ref.build), "arrayBuffer"), KV_TIMEOUT_MS);
      return bytes ? await checked(new Uint8Array(bytes), ref) : undefined;
    } catch {
      return undefined;
    }
  }

  async #fromObject(ref: FilterPartRef): Promise<FilterPart | undefined> {
    const bytes = await this.#o.denylist.part(ref.build);
    return bytes.ok ? checked(bytes.value, ref) : undefined;
  }
}

async function checked(bytes: Uint8Array, ref: FilterPartRef): Promise<FilterPart | undefined> {
  if ((await bytesSha256Hex(bytes)) !== ref.digest) return undefined;
  const part = decodePart(bytes);
  return part?.build === ref.build ? part : undefined;
}
