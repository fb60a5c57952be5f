import { ASSETS, type AssetName } from "./built-assets.ts";

/** Where an asset is: its address holds the hash of what it is, so that it never changes there. */
export function assetPath(name: AssetName): string {
  return `/console/assets/${ASSETS[name].file}`;
}

const BY_FILE = new Map<string, (typeof ASSETS)[AssetName]>(
  Object.values(ASSETS).map((asset) => [asset.file, asset]),
);

/** Undefined for a file that this version does not have. */
export function serveAsset(file: string): Response | undefined {
  const asset = BY_FILE.get(file);
  if (!asset) return undefined;
  return new Response(asset.text, {
    headers: {
      "content-type": asset.type,
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
    },
  });
}
