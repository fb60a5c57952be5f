import { describe, expect, it } from "vitest";
import { permissionFault, resourceOf } from "../../../src/edge/permission.ts";
import type { Route } from "../../../src/policy/document.ts";
import type { VerifiedToken } from "../../../src/tokens/verify.ts";

const NOW = 1_800_000_000;
type Has = Partial<Pick<VerifiedToken, "scopes" | "roles" | "resources" | "signIn">>;
const token = (has: Has, iat = NOW) =>
  ({ scopes: [], roles: [], resources: [], facts: { iat }, ...has }) as unknown as VerifiedToken;
const access = (needs: Partial<Exclude<Route["access"], "public">>) => ({
  scopes: [],
  roles: [],
  ...needs,
});

describe("what a token may do", () => {
  it("needs all scopes, each exactly", () => {
    const both = access({ scopes: ["a", "b"] });
    expect(permissionFault(both, {}, token({ scopes: ["b", "c", "a"] }), NOW)).toBeUndefined();
    for (const scopes of [[], ["a"], ["A", "b"], ["a b"], ["ab"], ["*"]]) {
      expect(permissionFault(both, {}, token({ scopes }), NOW)).toBe("scope_missing");
    }
  });

  it("needs one of the scopes of which any is enough, beside all of the others", () => {
    const any = access({ scopes: ["a"], any_scopes: ["x", "y"] });
    expect(permissionFault(any, {}, token({ scopes: ["a", "y"] }), NOW)).toBeUndefined();
    for (const scopes of [["a"], ["x", "y"], ["a", "z"], ["a", "x y"]]) {
      expect(permissionFault(any, {}, token({ scopes }), NOW)).toBe("scope_missing");
    }
  });

  it("needs a token that is young enough, to the second", () => {
    const young = access({ max_token_age_seconds: 60 });
    expect(permissionFault(young, {}, token({}, NOW - 60), NOW)).toBeUndefined();
    expect(permissionFault(young, {}, token({}, NOW - 60), NOW + 0.5)).toBe("issued_too_long_ago");
    expect(permissionFault(young, {}, token({}, NOW - 61), NOW)).toBe("issued_too_long_ago");
    expect(permissionFault(access({}), {}, token({}, 0), NOW)).toBeUndefined();
  });

  it("needs one of the ways to sign in that are listed, exactly", () => {
    const strong = access({ step_up: { acr_values: ["phr", "mfa"] } });
    expect(permissionFault(strong, {}, token({ signIn: { acr: "mfa" } }), NOW)).toBeUndefined();
    for (const acr of ["pwd", "MFA", "phr mfa", ""]) {
      expect(permissionFault(strong, {}, token({ signIn: { acr } }), NOW)).toBe("step_up_needed");
    }
    expect(permissionFault(strong, {}, token({ signIn: { auth_time: NOW } }), NOW)).toBe("step_up_needed");
  });

  it("needs a sign-in that is recent, and known", () => {
    const recent = access({ step_up: { max_age_seconds: 300 } });
    const signedIn = (authTime: number) =>
      permissionFault(recent, {}, token({ signIn: { auth_time: authTime } }), NOW);
    expect([NOW, NOW - 300, NOW + 60].map(signedIn)).toEqual([undefined, undefined, undefined]);
    expect([NOW - 301, NOW + 61, 0].map(signedIn)).toEqual(Array(3).fill("step_up_needed"));
    // That the token is new says nothing of the sign-in.
    expect(permissionFault(recent, {}, token({ signIn: { acr: "mfa" } }), NOW)).toBe("step_up_needed");
    const both = access({ step_up: { acr_values: ["mfa"], max_age_seconds: 300 } });
    expect(permissionFault(both, {}, token({ signIn: { acr: "mfa", auth_time: NOW } }), NOW)).toBeUndefined();
    expect(permissionFault(both, {}, token({ signIn: { acr: "pwd", auth_time: NOW } }), NOW)).toBe(
      "step_up_needed",
    );
    expect(permissionFault(both, {}, token({ signIn: { acr: "mfa", auth_time: 1 } }), NOW)).toBe(
      "step_up_needed",
    );
  });

  it("needs the condition to hold, and asks it last", () => {
    const conditional = access({ scopes: ["a"], condition: "true" });
    let asked = 0;
    const that = (holds: boolean) => ({
      holds: () => {
        asked++;
        return holds;
      },
    });
    const has = token({ scopes: ["a"] });
    expect(permissionFault(conditional, {}, has, NOW, that(true))).toBeUndefined();
    expect(permissionFault(conditional, {}, has, NOW, that(false))).toBe("condition_not_met");
    expect(permissionFault(conditional, {}, has, NOW)).toBe("condition_not_met");
    expect(permissionFault(conditional, {}, token({}), NOW, that(true))).toBe("scope_missing");
    expect(asked).toBe(2);
    expect(permissionFault(access({}), {}, has, NOW, that(false))).toBeUndefined();
  });

  it("needs one of the roles where any is listed", () => {
    const roles = access({ roles: ["x", "y"] });
    expect(permissionFault(roles, {}, token({ roles: ["y"] }), NOW)).toBeUndefined();
    expect(permissionFault(roles, {}, token({ roles: ["z"] }), NOW)).toBe("role_missing");
    expect(permissionFault(access({}), {}, token({}), NOW)).toBeUndefined();
  });

  it("needs every kind of permission that is listed", () => {
    const all = access({ scopes: ["a"], roles: ["x"], resource: "projects/:id" });
    const has = { scopes: ["a"], roles: ["x"], resources: ["projects/42"] };
    expect(permissionFault(all, { id: "42" }, token(has), NOW)).toBeUndefined();
    expect(permissionFault(all, { id: "42" }, token({ ...has, scopes: [] }), NOW)).toBe("scope_missing");
    expect(permissionFault(all, { id: "42" }, token({ ...has, roles: [] }), NOW)).toBe("role_missing");
    expect(permissionFault(all, { id: "42" }, token({ ...has, resources: [] }), NOW)).toBe(
      "resource_not_granted",
    );
  });

  const project = access({ resource: "projects/:id" });
  it.each([["projects/42"], ["projects/*"], ["other/1", "projects/42"]])(
    "is granted 42 by %j",
    (...resources) => {
      expect(permissionFault(project, { id: "42" }, token({ resources }), NOW)).toBeUndefined();
    },
  );

  it.each([
    "projects/43",
    "projects",
    "projects/42/x",
    "projects/4*",
    "Projects/42",
    "*",
    "*/*/*",
    ":id",
    "projects/",
  ])("is not granted 42 by %s", (granted) => {
    expect(permissionFault(project, { id: "42" }, token({ resources: [granted] }), NOW)).toBe(
      "resource_not_granted",
    );
  });

  it.each(["*", "", ":id", "4 2", "42/..", "4%2", "é", "a*"])(
    "is never granted a parameter like %j",
    (id) => {
      expect(
        permissionFault(project, { id }, token({ resources: ["projects/*", `projects/${id}`, "*/*"] }), NOW),
      ).toBe("resource_not_granted");
    },
  );

  it("is not granted what the path does not name", () => {
    expect(resourceOf("projects/:id", {})).toBeUndefined();
    expect(resourceOf("projects/:constructor", {})).toBeUndefined();
    expect(resourceOf("projects/:id/files/:file", { id: "a", file: "b" })).toBe("projects/a/files/b");
    expect(resourceOf("orders", {})).toBe("orders");
  });

  it("is not asked on a public route", () => {
    expect(permissionFault("public", {}, token({}), NOW)).toBeUndefined();
  });
});
