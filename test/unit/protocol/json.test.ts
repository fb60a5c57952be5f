import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseUniqueObject } from "../../../src/protocol/json.ts";

describe("parseUniqueObject", () => {
  it("reads every object that JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = JSON.stringify(value);
        expect(parseUniqueObject(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['{"a":1,"a":2}'],
    ['{"a":1,"\\u0061":2}'],
    ['{"x":{"b":1, "b" :2}}'],
    ['{"x":[{"b":1},{"c":1,"c":1}]}'],
    ["[1]"],
    ["null"],
    ['"text"'],
    ["{"],
    ['{"a":1} x'],
    [""],
  ])("refuses %s", (text) => expect(parseUniqueObject(text)).toBeUndefined());

  it.each([
    ['{"a":1,"b":2}'],
    ['{"x":{"a":1},"a":{"a":1}}'],
    ['{"x":[{"b":1},{"b":1}]}'],
    ['{"a":"a","b":"a\\":","c":["c","c"]}'],
  ])("accepts the neighbour %s", (text) => expect(parseUniqueObject(text)).toEqual(JSON.parse(text)));
});
