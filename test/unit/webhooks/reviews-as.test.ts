import { describe, expect, it } from "vitest";
import { checkHandOut, mayName, reviewsAsSchema } from "../../../src/webhooks/reviews-as.ts";

const actor = { subject: "demo|bob", scopes: ["webhooks:write"], roles: ["approver", "viewer"] };
const own = ["demo|bob"];

describe("checkHandOut without policy:write", () => {
  it.each([
    { roles: ["approver"], subjects: own },
    { roles: ["approver", "viewer"], subjects: own },
    { roles: [], subjects: own },
  ])("passes on what is one's own: %j", (reviewsAs) => {
    expect(checkHandOut(actor, reviewsAs).ok).toBe(true);
  });

  it.each([
    ["a role that one lacks", { roles: ["admin"], subjects: own }],
    ["one's role and another", { roles: ["approver", "admin"], subjects: own }],
    ["any approver's name", { roles: ["approver"] }],
    ["another's name", { roles: ["approver"], subjects: ["demo|carol"] }],
    ["one's name and another", { roles: ["approver"], subjects: ["demo|bob", "demo|carol"] }],
    ["another's name without a role", { roles: [], subjects: ["demo|carol"] }],
  ])("refuses %s", (_name, reviewsAs) => {
    expect(checkHandOut(actor, reviewsAs)).toMatchObject({ ok: false, error: { code: "forbidden" } });
    expect(checkHandOut({ ...actor, scopes: ["policy:write"] }, reviewsAs).ok).toBe(true);
  });
});

it("nobody passes on the reviews of one for whom they act, without policy:write", () => {
  const reviewsAs = { roles: [], subjects: own };
  const acting = { ...actor, actors: ["cli_agent"] };
  expect(checkHandOut(acting, reviewsAs)).toMatchObject({ ok: false, error: { code: "forbidden" } });
  expect(checkHandOut({ ...acting, actors: [] }, reviewsAs).ok).toBe(true);
  expect(checkHandOut({ ...acting, scopes: ["policy:write"] }, reviewsAs).ok).toBe(true);
});

it("an endpoint names the subjects that are listed, or any where none is", () => {
  expect(mayName({ roles: ["approver"], subjects: own }, "demo|bob")).toBe(true);
  expect(mayName({ roles: ["approver"], subjects: own }, "demo|carol")).toBe(false);
  expect(mayName({ roles: ["approver"] }, "demo|carol")).toBe(true);
});

it("the schema wants a role or a subject, and nothing unknown", () => {
  expect(reviewsAsSchema.parse({ subjects: own })).toEqual({ roles: [], subjects: own });
  expect(reviewsAsSchema.parse({ roles: ["approver"] })).toEqual({ roles: ["approver"] });
  for (const bad of [
    {},
    { roles: [] },
    { subjects: [] },
    { roles: ["a b"] },
    { roles: ["a"], scopes: ["x"] },
  ]) {
    expect(reviewsAsSchema.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  }
});
