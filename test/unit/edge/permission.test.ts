import { describe, expect, it } from "vitest";
import { permissionFault, resourceOf } from "../../../src/edge/permission.ts";
import type { VerifiedToken } from "../../../src/tokens/verify.ts";

const token = (has: Partial<Pick<VerifiedToken, "scopes" | "roles" | "resources">>) =>
  ({ scopes: [], roles: [], resources: [], ...has }) as unknown as VerifiedToken;
const access = (needs: { scopes?: string[]; roles?: string[]; resource?: string }) => ({
  scopes: [],
  roles: [],
  ...needs,
});

describe("what a token may do", () => {
  it("needs all scopes, each exactly", () => {
    const both = access({ scopes: ["a", "b"] });
    expect(permissionFault(both, {}, token({ scopes: ["b", "c", "a"] }))).toBeUndefined();
    for (const scopes of [[], ["a"], ["A", "b"], ["a b"], ["ab"], ["*"]]) {
      expect(permissionFault(both, {}, token({ scopes }))).toBe("scope_missing");
    }
  });

  it("needs one of the roles where any is listed", () => {
    const roles = access({ roles: ["x", "y"] });
    expect(permissionFault(roles, {}, token({ roles: ["y"] }))).toBeUndefined();
    expect(permissionFault(roles, {}, token({ roles: ["z"] }))).toBe("role_missing");
    expect(permissionFault(access({}), {}, token({}))).toBeUndefined();
  });

  it("needs every kind of permission that is listed", () => {
    const all = access({ scopes: ["a"], roles: ["x"], resource: "projects/:id" });
    const has = { scopes: ["a"], roles: ["x"], resources: ["projects/42"] };
    expect(permissionFault(all, { id: "42" }, token(has))).toBeUndefined();
    expect(permissionFault(all, { id: "42" }, token({ ...has, scopes: [] }))).toBe("scope_missing");
    expect(permissionFault(all, { id: "42" }, token({ ...has, roles: [] }))).toBe("role_missing");
    expect(permissionFault(all, { id: "42" }, token({ ...has, resources: [] }))).toBe("resource_not_granted");
  });

  const project = access({ resource: "projects/:id" });
  it.each([["projects/42"], ["projects/*"], ["other/1", "projects/42"]])(
    "is granted 42 by %j",
    (...resources) => {
      expect(permissionFault(project, { id: "42" }, token({ resources }))).toBeUndefined();
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
    expect(permissionFault(project, { id: "42" }, token({ resources: [granted] }))).toBe(
      "resource_not_granted",
    );
  });

  it.each(["*", "", ":id", "4 2", "42/..", "4%2", "é", "a*"])(
    "is never granted a parameter like %j",
    (id) => {
      expect(
        permissionFault(project, { id }, token({ resources: ["projects/*", `projects/${id}`, "*/*"] })),
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
    expect(permissionFault("public", {}, token({}))).toBeUndefined();
  });
});
