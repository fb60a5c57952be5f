import { beforeEach, describe, expect, it } from "vitest";
import { EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";

const PAGE = { accept: "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
const RULE = {
  ...{ id: "read", resource: "projects/:id", origin: "orders", scopes: ["projects:read"] },
  ...{ stages: [{ roles: ["lead"] }], max_duration_seconds: 600, requesters: { roles: ["developer"] } },
};

let world: EdgeWorld;

beforeEach(async () => {
  const routes = [
    { path: "/projects/:id", access: { scopes: ["projects:read"], resource: "projects/:id" } },
    { path: "/open", access: "public" },
  ];
  world = await EdgeWorld.create(policyOf(routes, { access_rules: [RULE] }));
});

const open = (path: string, headers: Record<string, string> = PAGE, more: object = {}) =>
  world.call(path, { headers, ...more });

describe("a browser that is refused a page", () => {
  it("gets one that says what happened, with the decision's id and the status of the problem", async () => {
    const answer = await open("/projects/42");
    expect(answer.status).toBe(401);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-request-id")).toBe("request-1");
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer /);
    const policy = answer.headers.get("content-security-policy")!;
    expect(policy).toMatch(/^default-src 'none'; style-src 'nonce-[\w-]+'; /);
    expect(policy).not.toMatch(/unsafe|script/);
    const text = await answer.text();
    expect(text).toContain("<h1>You have to sign in for this</h1>");
    expect(text).toContain("<code>request-1</code>");
    expect(text).not.toMatch(/<script| on[a-z]+=|Ask for/);
    expect(text.length).toBeLessThan(2_000);
    expect(world.originCalls).toEqual([]);
  });

  it("is led to where access can be asked for, where a rule would give it, and sees nothing of the token", async () => {
    const token = await world.token({ scope: "none", roles: ["developer"], sub: "demo|ann" });
    const text = await (await open("/projects/42", PAGE, { token })).text();
    const link = `${ISSUER}/console/ask/new?resource=projects%2F42&amp;scope=projects%3Aread`;
    expect(text).toContain(`<a href="${link}">Ask for access to projects/42</a>`);
    for (const secret of [token, "demo|ann", "developer"]) expect(text).not.toContain(secret);
    const guest = await world.token({ scope: "none", roles: ["guest"] });
    expect(await (await open("/projects/42", PAGE, { token: guest })).text()).not.toContain("Ask for");
  });

  it("runs nothing of what is in its address", async () => {
    const token = await world.token({ scope: "none", roles: ["developer"] });
    const text = await (await open("/projects/%22%3E%3Cimg%20src=x%3E", PAGE, { token })).text();
    expect(text).not.toContain("<img");
  });

  it("gets a page for what there is no route for", async () => {
    const answer = await open("/nowhere");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "text/html; charset=utf-8"]);
  });
});

describe("a page whose origin fails", () => {
  const failing: [string, () => Response | Promise<Response>, number, string][] = [
    ["cannot be reached", () => Promise.reject(new Error("connect ECONNREFUSED 10.0.0.7")), 502, "reached"],
    ["does not answer in time", () => new Promise<Response>(() => {}), 504, "in time"],
  ];

  it.each(failing)(
    "as it %s is a page, and the problem for programs",
    async (_what, origin, status, says) => {
      world.origin = origin;
      const page = await open("/open");
      expect([page.status, page.headers.get("content-type")]).toEqual([status, "text/html; charset=utf-8"]);
      const text = await page.text();
      expect(text).toContain("<h1>Not available right now</h1>");
      expect(text).toContain(says);
      expect(text).toContain("<code>request-1</code>");
      expect(text).not.toMatch(/10\.0\.0\.7|ECONNREFUSED|Ask for/);
      const told = await open("/open", { accept: "*/*" });
      expect([told.status, told.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
    },
  );

  it("with an answer of its own, whatever it says, is passed on", async () => {
    world.origin = () => Response.json({ fault: "mine" }, { status: 502 });
    const answer = await open("/open");
    expect([answer.status, await answer.json()]).toEqual([502, { fault: "mine" }]);
  });
});

describe("who gets the problem as it is", () => {
  it.each([
    ["a program", {}, "GET"],
    ["one that takes anything", { accept: "*/*" }, "GET"],
    ["one that takes JSON, too", { ...PAGE, accept: "application/json, text/html" }, "GET"],
    ["a script of a page", { ...PAGE, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }, "GET"],
    ["a frame", { ...PAGE, "sec-fetch-dest": "iframe" }, "GET"],
    ["an image", { ...PAGE, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }, "GET"],
    ["a form", PAGE, "POST"],
  ])("%s", async (_who, headers, method) => {
    const answer = await open("/projects/42", headers as Record<string, string>, { method });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await answer.json()).toMatchObject({ code: "invalid_token", decision_id: "request-1" });
  });

  it("is not asked of what is let through", async () => {
    expect((await open("/open")).status).toBe(200);
    expect(world.originCalls).toHaveLength(1);
  });
});
