import { beforeEach, describe, expect, it } from "vitest";
import { EdgeWorld, policyOf } from "../../support/edge-world.ts";

const RULE = {
  resource: "projects/:id",
  origin: "orders",
  stages: [{ roles: ["lead"] }],
  max_duration_seconds: 600,
};
const DEVELOPERS = { requesters: { roles: ["developer"] } };

let world: EdgeWorld;

beforeEach(async () => {
  const routes = [
    { path: "/projects/:id", access: { scopes: ["projects:read"], resource: "projects/:id" } },
    { path: "/admin/:id", access: { scopes: ["projects:read"], roles: ["admin"], resource: "projects/:id" } },
    { path: "/elsewhere/:id", origin: "other", access: { scopes: ["other:read"], resource: "projects/:id" } },
    { path: "/scoped", access: { scopes: ["projects:read"] } },
  ];
  const access_rules = [
    { ...RULE, id: "read", scopes: ["projects:read"], ...DEVELOPERS },
    { ...RULE, id: "elsewhere", scopes: ["other:read"], ...DEVELOPERS },
    {
      ...RULE,
      id: "agents",
      scopes: ["projects:read"],
      requesters: { subjects: ["demo|bot"], condition: "resource.params.id == '42'" },
    },
  ];
  const origins = {
    orders: { url: "http://origin.internal:9000", audience: "https://orders.internal" },
    other: { url: "http://origin.internal:9000", audience: "https://orders.internal" },
  };
  world = await EdgeWorld.create(policyOf(routes, { access_rules, origins }));
});

async function asks(path: string, claims: Record<string, unknown>) {
  const answer = await world.call(path, { token: await world.token({ scope: "none", ...claims }) });
  const { ask } = (await answer.json()) as { ask?: { resource: string; scope: string } };
  expect([answer.status, answer.headers.has("link")]).toEqual([403, ask !== undefined]);
  return ask && [ask.resource, ask.scope];
}

describe("what a 403 offers to ask for", () => {
  it("is what the route needs, to whom a rule lets ask for it", async () => {
    const developer = { roles: ["developer"] };
    expect(await asks("/projects/42", developer)).toEqual(["projects/42", "projects:read"]);
    expect(await asks("/projects/42", { ...developer, scope: "projects:read" })).toEqual([
      "projects/42",
      "projects:read",
    ]);
    expect(await asks("/projects/42", { roles: ["guest"] })).toBeUndefined();
    expect(await asks("/projects/42", {})).toBeUndefined();
  });

  it("goes by the rule's condition, too", async () => {
    expect(await asks("/projects/42", { sub: "demo|bot" })).toEqual(["projects/42", "projects:read"]);
    expect(await asks("/projects/43", { sub: "demo|bot" })).toBeUndefined();
  });

  it("is nothing where what was granted would not help", async () => {
    const developer = { roles: ["developer"] };
    // A rule's tokens are for its own origin.
    expect(await asks("/elsewhere/42", developer)).toBeUndefined();
    expect(await asks("/scoped", developer)).toBeUndefined();
    expect(await asks("/admin/42", { ...developer, scope: "projects:read" })).toBeUndefined();
  });

  it("is what the route needs for the token of a grant, whatever the rules say", async () => {
    expect(await asks("/elsewhere/42", { grant: "grt_1" })).toEqual(["projects/42", "other:read"]);
  });
});
