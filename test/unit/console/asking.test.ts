import { describe, expect, it } from "vitest";
import { isPattern, readAsk, ticketText } from "../../../src/console/asking.ts";

describe("the form for asking", () => {
  const read = (members: Record<string, string>, scopes = ["a"]) => {
    const form = new URLSearchParams({ resource: "orders", justification: "why\r\nnot", ...members });
    for (const scope of scopes) form.append("scope", scope);
    return readAsk(form);
  };

  it("leaves out what is left empty", () => {
    const empty = { duration: "", starts_at: "", max_uses: "", ticket: " " };
    const value = { resource: "orders", scope: "a b", justification: "why\nnot" };
    expect(read(empty, ["a", "b"])).toEqual({ ok: true, value });
  });

  it("reads times as seconds and dates as UTC", () => {
    const members = {
      duration: "1 h",
      starts_at: "2026-11-22T14:30",
      max_uses: "3",
      ticket: "OPS-1",
      emergency: "true",
    };
    expect(read(members)).toMatchObject({
      value: {
        duration_seconds: 3600,
        starts_at: 1_795_357_800,
        max_uses: 3,
        ticket: "OPS-1",
        emergency: true,
      },
    });
  });

  it.each([
    [{ resource: " " }],
    [{ justification: "" }],
    [{ duration: "soon" }],
    [{ starts_at: "tomorrow" }],
    [{ starts_at: "2026-13-45T99:99" }],
    [{ max_uses: "-1" }],
  ])("is refused with %j", (members) => expect(read(members).ok).toBe(false));

  it("is refused without a scope", () => expect(read({}, []).ok).toBe(false));
});

it("knows rules for many resources from rules for one", () => {
  for (const resource of ["projects/*", "projects/:id", "*", "a/:b/c"])
    expect(isPattern({ resource })).toBe(true);
  for (const resource of ["orders", "db/main", "a:b", "x/y:z"]) expect(isPattern({ resource })).toBe(false);
});

it("says what a ticket must look like", () => {
  expect(ticketText({})).toBeUndefined();
  expect(ticketText({ ticket: {} })).toBe("Any ticket.");
  const ticket = { prefixes: ["A-", "B-"], suffix: "letters_and_digits" as const };
  expect(ticketText({ ticket })).toBe("A- or B- followed by letters and digits.");
});
