import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import type { PortcullisService } from "../../src/protocol/service.ts";
import { type HeldGrant, hold, read, revokeGrant } from "../support/access.ts";
import { clientToken } from "../support/deployment.ts";
import { InstalledPackage } from "../support/package.ts";
import { type Stand, standUp } from "../support/stand.ts";

const WORKERS = ["gated-worker", "orders-worker"];
/** Calls the binding with what the test wants, and answers what came. */
const PROBE = `export default {
  async fetch(request, env) {
    const { call, ask } = await request.json();
    return Response.json(await env.PORTCULLIS[call](ask));
  },
};`;

let installed: InstalledPackage;
let stand: Stand;
let reader: HeldGrant;
let handle: (request: Request) => Promise<Response>;

/** What a program of the page names is somebody's; here it is the stand's. */
function settled(code: string, issuer: string): string {
  return code
    .replaceAll("https://auth.example.com", issuer)
    .replaceAll("https://orders.internal", ORIGIN_AUDIENCE);
}

beforeAll(async () => {
  installed = new InstalledPackage();
  expect(installed.addPrograms("use-as-a-part.md")).toEqual([
    "gated-worker.ts",
    "orders-worker.ts",
    "api.ts",
  ]);
  const bundles = await Promise.all(WORKERS.map((name) => installed.bundle(`${name}.ts`)));
  stand = await standUp(
    (policy) => policy,
    undefined,
    (issuer) => ({
      beside: [
        ...WORKERS.map((name, at) => ({ name, contents: settled(bundles[at]!, issuer) })),
        { name: "probe", contents: PROBE },
      ],
    }),
  );
  reader = await hold(stand.gate, stand);
  const { issuer } = stand.gate;
  const resourceServer = await stand.gate.newClient({ introspects: [ORIGIN_AUDIENCE] });
  const api = settled(await installed.bundle("api.ts"), issuer)
    .replace("process.env.CLIENT_ID", JSON.stringify(resourceServer.id))
    .replace("process.env.CLIENT_SECRET", JSON.stringify(resourceServer.secret));
  const file = join(installed.folder, "api.mjs");
  writeFileSync(file, api);
  ({ handle } = await import(file));
});

afterAll(async () => {
  await stand?.stop();
  installed?.remove();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function call(worker: string, path: string, token?: string, init: RequestInit = {}) {
  const headers = token === undefined ? {} : bearer(token);
  const answer = await stand.runtime.callBeside(worker, `http://127.0.0.1${path}`, { headers, ...init });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

async function ask<C extends keyof PortcullisService>(
  method: C,
  asked: unknown,
): Promise<Awaited<ReturnType<PortcullisService[C]>>> {
  const body = JSON.stringify({ call: method, ask: asked });
  const answer = await stand.runtime.callBeside("probe", "http://probe/", { method: "POST", body });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Awaited<ReturnType<PortcullisService[C]>>;
}

describe("the package", () => {
  it("has exports that publint finds no fault with", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed.home, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg!))).toEqual([]);
  });

  it("has types under which the documented programs are right, and wrong ones are not", () => {
    const workers = WORKERS.map((name) => `${name}.ts`);
    expect(installed.typeFaults(workers, "@cloudflare/workers-types")).toBe("");
    expect(installed.typeFaults(["api.ts"], "node")).toBe("");
    const wrong = `import { Hono } from "hono";
import { portcullis, type WithAuth } from "portcullis/hono";
const app = new Hono<WithAuth>();
app.get("/", portcullis({ issuer: "", audience: "", revoked: "unchecked" }), (c) => c.text(c.var.auth.nobody));
`;
    writeFileSync(join(installed.folder, "wrong.ts"), wrong);
    expect(installed.typeFaults(["wrong.ts"], "@cloudflare/workers-types")).toMatch(
      /Property 'nobody' does not exist on type 'Auth'/,
    );
  });
});

describe("a Worker behind the gate's decision", () => {
  it("answers what the policy allows, and knows who it is for", async () => {
    const allowed = await call("gated-worker", "/orders/7", reader.token);
    expect(allowed).toMatchObject({ status: 200, body: { order: "7", for: stand.requester.id } });
    expect(await call("gated-worker", "/public/status")).toMatchObject({
      status: 200,
      body: { status: "open" },
    });
  });

  it("refuses as the gate does", async () => {
    const none = await call("gated-worker", "/orders/7");
    expect(none).toMatchObject({ status: 401, body: { code: "invalid_token" } });
    expect(none.headers.get("www-authenticate")).toMatch(/^Bearer /);
    const scope = await call("gated-worker", "/projects/7", reader.token);
    expect(scope).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope" },
    });
    expect((await call("gated-worker", "/nowhere", reader.token)).status).toBe(404);
    expect((await call("gated-worker", "/orders/7?access_token=x", reader.token)).status).toBe(400);
  });

  it("asks for access for whom it speaks, and for nobody else", async () => {
    const opened = await call("gated-worker", "/ask-for-orders", stand.requester.token, {
      method: "POST",
      headers: bearer(stand.requester.token),
    });
    expect(opened).toMatchObject({ status: 201, body: { state: "pending", scope: "orders:read" } });
    const { id } = opened.body as { id: string };
    expect((await read(stand.gate, id)).requester).toBe(stand.requester.id);
    const refused = await call("gated-worker", "/ask-for-orders", undefined, { method: "POST" });
    expect(refused).toMatchObject({ status: 403, body: { code: "invalid_token" } });
  });
});

describe("a Worker that checks tokens itself", () => {
  it("takes a good token, and refuses as the gate does", async () => {
    const allowed = await call("orders-worker", "/orders", reader.token);
    expect(allowed).toMatchObject({
      status: 200,
      body: { for: stand.requester.id, scopes: ["orders:read"] },
    });
    expect((await call("orders-worker", "/orders")).status).toBe(401);
    expect((await call("orders-worker", "/orders", `${reader.token}x`)).status).toBe(401);
    expect((await call("orders-worker", "/orders", stand.requester.token)).status).toBe(401);
    const project = await hold(stand.gate, stand, { resource: "projects/42", scope: "projects:read" });
    const read42 = await call("orders-worker", "/projects/42", project.token);
    expect(read42).toMatchObject({ status: 200, body: { project: "42", grant: project.grant } });
    expect(await call("orders-worker", "/projects/43", project.token)).toMatchObject({
      status: 403,
      body: { code: "insufficient_scope", scope: "projects:read" },
    });
    expect((await call("orders-worker", "/orders", project.token)).status).toBe(403);
  });
});

describe("anything with fetch", () => {
  it("checks tokens with the package and introspection", async () => {
    const request = (token?: string) =>
      new Request("http://127.0.0.1/orders", token === undefined ? {} : { headers: bearer(token) });
    const allowed = await handle(request(reader.token));
    expect([allowed.status, await allowed.json()]).toEqual([200, { for: stand.requester.id }]);
    expect((await handle(request())).status).toBe(401);
    const other = await clientToken(stand.gate.issuer, stand.requester, ORIGIN_AUDIENCE);
    expect((await handle(request(other))).status).toBe(403);
  });
});

describe("a revocation", () => {
  it("holds everywhere within its bound", async () => {
    const held = await hold(stand.gate, stand);
    const uses = {
      gated: async () => (await call("gated-worker", "/orders/7", held.token)).status,
      strict: async () => (await call("gated-worker", "/orders/1001", held.token)).status,
      own: async () => (await call("orders-worker", "/orders", held.token)).status,
      api: async () => (await handle(new Request("http://x/", { headers: bearer(held.token) }))).status,
    };
    for (const use of Object.values(uses)) expect(await use()).toBe(200);
    const { effective_by } = await revokeGrant(stand.gate, held.grant);
    expect(await uses.strict()).toBe(401);
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(0, effective_by.bounded * 1000 - Date.now())),
    );
    for (const [name, use] of Object.entries(uses)) expect(await use(), name).toBe(401);
    expect(await call("orders-worker", "/orders", reader.token)).toMatchObject({ status: 200 });
  });
});

describe("the binding itself", () => {
  it("tells of each token whether it was taken back", async () => {
    const held = await hold(stand.gate, stand);
    const [header, claims] = held.token
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString())) as [
      { kid: string },
      Record<string, unknown>,
    ];
    const asked = { claims, kid: header.kid, consistency: "strict" };
    expect(await ask("isRevoked", asked)).toEqual({ ok: true, value: false });
    await revokeGrant(stand.gate, held.grant);
    expect(await ask("isRevoked", asked)).toEqual({ ok: true, value: true });
    expect(await ask("isRevoked", { ...asked, claims: { ...claims, grant: "grt_other" } })).toEqual({
      ok: true,
      value: false,
    });
    for (const bad of [{}, { claims: {}, kid: "x" }, { ...asked, kid: "" }, { ...asked, consistency: "x" }]) {
      expect(await ask("isRevoked", bad)).toMatchObject({ ok: false, error: { code: "invalid_request" } });
    }
  });

  it("asks for access once for each key, and says what was wrong", async () => {
    const { token } = stand.requester;
    const request = { resource: "orders", scope: "orders:read", justification: "a test" };
    const once = { token, request, idempotencyKey: "part-1" };
    const first = await ask("requestAccess", once);
    expect(first).toMatchObject({ ok: true, value: { state: "pending" } });
    expect(await ask("requestAccess", once)).toEqual(first);
    const wrong: [object, string][] = [
      [{ ...once, request: { ...request, scope: "orders:write" } }, "idempotency_mismatch"],
      [{ token, request: { ...request, resource: 1 } }, "invalid_body"],
      [{ token: "x", request }, "invalid_token"],
      [{ token: "x\r\ny: z", request }, "invalid_request"],
      [{ token: stand.approver.token, request }, "insufficient_scope"],
    ];
    for (const [asked, code] of wrong) {
      expect(await ask("requestAccess", asked), code).toMatchObject({ ok: false, error: { code } });
    }
  });

  it("gives an allowed request the headers for an origin", async () => {
    const url = "https://api.example.com/orders/1";
    const allowed = await ask("authorize", { method: "GET", url, headers: bearer(reader.token) });
    expect(allowed).toMatchObject({
      allowed: true,
      route: "orders-read",
      auth: { subject: stand.requester.id, grant: reader.grant, resources: ["orders"] },
      headers: { "x-portcullis-subject": stand.requester.id },
    });
    const hostile = { method: "GET", url: "https://api.example.com/public/%2e%2e/orders", headers: {} };
    expect(await ask("authorize", hostile)).toMatchObject({ allowed: false, status: 400 });
    expect(await ask("authorize", { method: "GET", url: "x", headers: {} })).toMatchObject({
      allowed: false,
      status: 400,
    });
  });
});
