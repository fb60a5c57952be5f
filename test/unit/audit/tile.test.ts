import { expect, it } from "vitest";
import { entryBundle, readTileLevel, readTilePath } from "../../../src/audit/tile.ts";

it("reads the index of a tile as C2SP tlog-tiles writes it, and no other way", () => {
  expect(readTilePath("000")).toEqual({ index: 0, width: 256 });
  expect(readTilePath("x001/x234/067")).toEqual({ index: 1_234_067, width: 256 });
  expect(readTilePath("067.p/8")).toEqual({ index: 67, width: 8 });
  expect(readTilePath("x001/000.p/255")).toEqual({ index: 1_000, width: 255 });
  for (const path of [
    "",
    "0",
    "67",
    "x000/067",
    "x001",
    "x001/67",
    "067.p/0",
    "067.p/256",
    "067.p/08",
    "067/",
    "../000",
  ]) {
    expect(readTilePath(path), path).toBeUndefined();
  }
});

it("reads levels from 0 to 63", () => {
  expect([readTileLevel("0"), readTileLevel("7"), readTileLevel("63")]).toEqual([0, 7, 63]);
  for (const text of ["64", "-1", "01", "a", ""]) expect(readTileLevel(text)).toBeUndefined();
});

it("puts each entry behind its length", () => {
  const long = new Uint8Array(258).fill(7);
  expect([...entryBundle([new Uint8Array([1, 2]), long]).slice(0, 8)]).toEqual([0, 2, 1, 2, 1, 2, 7, 7]);
});
