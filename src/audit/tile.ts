/** Where a tile stands in the layout of C2SP tlog-tiles: 256 hashes, of which a partial one has fewer. */
export type TileAddress = { index: number; width: number };

export const TILE_WIDTH = 256;
/** Levels of the tree that one level of tiles spans. */
export const TILE_HEIGHT = 8;
const MAX_LEVEL = 63;

const PATH = /^((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** `x001/x234/067` is 1234067; `067.p/8` the first 8 hashes of tile 67. Undefined where the path is not canonical. */
export function readTilePath(path: string): TileAddress | undefined {
  const [, number, width] = PATH.exec(path) ?? [];
  if (number === undefined) return undefined;
  if (number.length > 3 && number.startsWith("x000/")) return undefined;
  const index = Number(number.replaceAll(/[x/]/g, ""));
  const wide = width === undefined ? TILE_WIDTH : Number(width);
  if (!Number.isSafeInteger(index * TILE_WIDTH) || (width !== undefined && wide >= TILE_WIDTH))
    return undefined;
  return { index, width: wide };
}

export function readTileLevel(text: string): number | undefined {
  const level = /^(?:0|[1-9]\d?)$/.test(text) ? Number(text) : undefined;
  return level !== undefined && level <= MAX_LEVEL ? level : undefined;
}

/** Entries one after the other, each behind its length in two bytes, big-endian. */
export function entryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((bytes, entry) => bytes + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    bundle.set([entry.length >> 8, entry.length & 0xff], at);
    bundle.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bundle;
}

export function joined(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.reduce((length, hash) => length + hash.length, 0));
  let at = 0;
  for (const hash of hashes) {
    bytes.set(hash, at);
    at += hash.length;
  }
  return bytes;
}
