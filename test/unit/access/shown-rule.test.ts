import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { accessRuleRoutes } from "../../../src/access/rule-routes.ts";
import type { Actor, HttpEnv } from "../../../src/platform/http.ts";
import { accessRuleSchema } from "../../../src/policy/access-rule-schema.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { ok } from "../../../src/protocol/result.ts";

const rule = (id: string, members: object = {}) =>
  accessRuleSchema.parse({
    id,
    resource: id,
    origin: "api",
    scopes: [`${id}:read`],
    requesters: { roles: ["developer"] },
    stages: [{ roles: ["approver"] }],
    max_duration_seconds: 3600,
    ...members,
  });

const RULES = [
  rule("orders", { scopes: ["orders:read", "orders:write"], ticket: { prefixes: ["OPS-"] } }),
  rule("projects", { resource: "projects/:id", requesters: { roles: ["developer"], condition: "true" } }),
  rule("people", { requesters: { subjects: ["corp|hr"] } }),
  rule("root", {
    requesters: { subjects: ["corp|root"] },
    break_glass: { roles: ["developer"], reviewers: { roles: ["lead"] }, max_duration_seconds: 600 },
  }),
];

const DEVELOPER: Actor = {
  subject: "corp|ann",
  clientId: "cli_1",
  scopes: ["requests:read"],
  roles: ["developer"],
};

async function list(query: string, actor: Partial<Actor> = {}, rules = RULES) {
  const policy = { ...policySchema.parse({}), access_rules: rules };
  const app = new Hono<HttpEnv>()
    .use(async (c, next) => {
      c.set("requestId", "dec_1");
      c.set("actor", { ...DEVELOPER, ...actor });
      await next();
    })
    .route("/", accessRuleRoutes({ policy: async () => ok(policy) }));
  const answer = await app.request(`/v1/access-rules${query}`);
  const body = (await answer.json()) as { items: { id: string; may: string[] }[]; next_cursor?: string };
  return { status: answer.status, ...body, ids: body.items?.map(({ id }) => id) };
}

describe("the access rules of a caller", () => {
  it("are those by which they may ask or take in an emergency, in the policy's order", async () => {
    const { items, ids } = await list("?askable=true");
    expect(ids).toEqual(["orders", "projects", "root"]);
    expect(items.map(({ may }) => may)).toEqual([["ask"], ["ask"], ["emergency"]]);
    expect((await list("?askable=true", { subject: "corp|hr", roles: [] })).ids).toEqual(["people"]);
    expect((await list("?askable=true", { roles: [] })).ids).toEqual([]);
  });

  it("are those that they review, also after an emergency", async () => {
    expect((await list("?reviewable=true")).ids).toEqual([]);
    expect((await list("?reviewable=true", { roles: ["approver"] })).ids).toEqual(RULES.map(({ id }) => id));
    expect((await list("?reviewable=true", { roles: ["lead"] })).ids).toEqual(["root"]);
    expect((await list("", { roles: ["lead", "developer"] })).ids).toEqual(["orders", "projects", "root"]);
    expect((await list("?askable=true&reviewable=true", { roles: ["lead", "developer"] })).ids).toEqual([
      "root",
    ]);
  });

  it("have the terms that the form for asking needs, and no one else's names", async () => {
    const { items } = await list("?resource=orders&scope=orders:write");
    expect(items).toEqual([
      {
        ...{ id: "orders", may: ["ask"], resource: "orders", scopes: ["orders:read", "orders:write"] },
        stages: [{ roles: ["approver"], subjects: [], count: 1 }],
        ...{ justification_min_length: 1, ticket: { prefixes: ["OPS-"] } },
        ...{ default_duration_seconds: 3600, max_duration_seconds: 3600, max_total_seconds: 3600 },
        review_deadline_seconds: 86_400,
      },
    ]);
    const [projects] = (await list("?resource=projects/42")).items;
    expect(projects).toMatchObject({ id: "projects", conditional: true });
    const [root] = (await list("?resource=root")).items;
    expect(root).toMatchObject({ break_glass: { max_duration_seconds: 600, review_within_seconds: 86_400 } });
    expect(JSON.stringify(root)).not.toContain("corp|root");
    for (const query of ["?resource=other", "?resource=projects", "?scope=orders:read+other"])
      expect((await list(query)).ids).toEqual([]);
  });

  it("are paged, each of them once", async () => {
    const many = Array.from({ length: 7 }, (_, i) => rule(`rule-${i}`));
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const page = await list(`?limit=3${cursor}`, {}, many);
      seen.push(...page.ids);
      if (page.next_cursor === undefined) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual(many.map(({ id }) => id));
  });

  it("are for who has the scope, and asked for as the contract says", async () => {
    expect((await list("", { scopes: [] })).status).toBe(403);
    for (const query of ["?askable=yes", "?limit=0", "?unknown=1", "?scope=a++b"])
      expect((await list(query)).status).toBe(400);
  });
});
