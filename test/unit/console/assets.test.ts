import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { assetPath, serveAsset } from "../../../src/console/assets.ts";
import { ASSETS, type AssetName } from "../../../src/console/built-assets.ts";
import { BUILT_ASSETS, builtAssets } from "../../../src/local/build-assets.ts";

const MAX_SCRIPT_BYTES = 15 * 1024;
const names = Object.keys(ASSETS) as AssetName[];
const fileOf = (name: AssetName) => assetPath(name).split("/").at(-1)!;

it("is what its sources are: `npm run assets` after a change", () => {
  expect(readFileSync(BUILT_ASSETS, "utf8")).toBe(builtAssets());
});

it.each(names)("serves %s for good, at an address of its own content", async (name) => {
  const response = serveAsset(fileOf(name))!;
  expect(response.headers.get("content-type")).toBe(ASSETS[name].type);
  expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(await response.text()).toBe(ASSETS[name].text);
  expect(assetPath(name)).toMatch(/^\/console\/assets\/\w+\.[0-9a-f]{16}\.\w+$/);
  expect(serveAsset(name)).toBeUndefined();
  expect(serveAsset(fileOf(name).replace(/\.[0-9a-f]/, ".x"))).toBeUndefined();
});

it("keeps the script small", () => {
  expect(gzipSync(ASSETS["console.js"].text).length).toBeLessThan(MAX_SCRIPT_BYTES);
  expect(ASSETS["console.js"].text.length).toBeLessThan(MAX_SCRIPT_BYTES);
});
