import { describe, expect, it } from "vitest";
import { type ActClaim, actOf, readAct } from "../../../src/tokens/act.ts";

const chain = (...subs: string[]): ActClaim => {
  const [sub, ...before] = subs;
  return before.length > 0 ? { sub: sub!, act: chain(...before) } : { sub: sub! };
};

describe("readAct", () => {
  it("reads a chain of at most three actors, and names them as the policy does", () => {
    expect(readAct(chain("a", "b", "c"))).toEqual(chain("a", "b", "c"));
    expect(readAct(chain("a", "b"), (sub) => `idp|${sub}`)).toEqual(chain("idp|a", "idp|b"));
    expect(readAct({ sub: "a", iss: "https://idp.example.net" })).toEqual({ sub: "a" });
    expect(readAct(chain("a", "b", "c", "d"))).toBeNull();
  });

  it.each([
    [null],
    ["a"],
    [[]],
    [{}],
    [{ sub: "" }],
    [{ sub: 1 }],
    [{ sub: "a\r\nb" }],
    [{ sub: " a" }],
    [{ sub: "x".repeat(321) }],
    [{ sub: "a", act: null }],
    [{ sub: "a", act: "b" }],
    [{ sub: "a", act: { sub: [] } }],
  ])("refuses %j", (value) => {
    expect(readAct(value)).toBeNull();
  });
});

describe("actOf", () => {
  it("puts the actor of now outermost (RFC 8693 §4.1), as long as it can be read", () => {
    expect(actOf("a", undefined)).toEqual({ sub: "a" });
    expect(actOf("a", chain("b", "c"))).toEqual(chain("a", "b", "c"));
    expect(actOf("a", chain("b", "c", "d"))).toBeUndefined();
  });
});
