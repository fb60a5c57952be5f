import { setTimeout as sleep } from "node:timers/promises";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { type HeldGrant, hold, revokeGrant } from "../support/access.ts";
import { isInstalled, type ProxyKind, type RunningProxy, startProxy } from "../support/proxies.ts";
import { answerOf, bodyText, openRaw, type RawRequest, sendRaw } from "../support/raw-request.ts";
import { type Stand, standUp } from "../support/stand.ts";

const SECRET = "cHJveHktc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0wMQ";
const PREVIOUS = "cHJldmlvdXMtcHJveHktc2VjcmV0LWZvci10aGUtdGVzdHM";

let stand: Stand;
let reader: HeldGrant;

beforeAll(async () => {
  const variables = {
    PORTCULLIS_FORWARD_AUTH_SECRET: SECRET,
    PORTCULLIS_FORWARD_AUTH_SECRET_PREVIOUS: PREVIOUS,
  };
  stand = await standUp(
    (policy) => policy,
    undefined,
    () => ({ variables }),
  );
  reader = await hold(stand.gate, stand);
});

afterAll(() => stand?.stop());

type Seen = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

async function send(url: string, raw: RawRequest & { token?: string }): Promise<Seen> {
  const { token, headers = [], ...rest } = raw;
  const bearer: [string, string][] = token === undefined ? [] : [["Authorization", `Bearer ${token}`]];
  const answer = await sendRaw(url, { ...rest, headers: [...bearer, ...headers] });
  return { status: answer.statusCode!, headers: answer.headers, body: await bodyText(answer) };
}

/** The fields that an origin may read our names from, with their names as servers make variables of them. */
function identityOf(headers: [string, string][]): [string, string][] {
  return headers
    .map(([name, value]): [string, string] => [name.toLowerCase().replace(/[^a-z0-9]/g, "-"), value])
    .filter(([name, value]) => name.startsWith("x-portcullis") && value !== "");
}

/** Targets that proxy, gate and origin could read differently. */
const HOSTILE = [
  "/orders/../public/x",
  "/public/../orders",
  "/public/%2e%2e/orders",
  "/public/.%2e/orders",
  "/public/%2e/x",
  "/public//x",
  "//public/x",
  "/public/x%2f..%2f..%2forders",
  "/public/x%5c..",
  "/public\\..\\orders",
  "/public;x=1/x",
  "/public/%3bx",
  "/public/%00",
  "/public/%0d%0aX-Portcullis-Subject:%20admin",
  "/public/%252e%252e/orders",
  "/%70ublic/x",
  "/public/%zz",
  "/public/%ff",
  "/public/x?access_token=abc",
];

describe.each<ProxyKind>(["nginx", "caddy"])("behind %s", (kind) => {
  const installed = isInstalled(kind);
  const missing = `skipped: ${kind} is not installed (apt-get install ${kind})`;

  describe.skipIf(!installed)(installed ? "with the documented configuration" : missing, () => {
    let proxy: RunningProxy;

    beforeAll(async () => {
      proxy = await startProxy(kind, { issuer: stand.gate.issuer, origin: stand.origin.url, secret: SECRET });
    });
    afterAll(() => proxy?.stop());

    async function letThrough(raw: RawRequest & { token?: string }) {
      const before = stand.origin.received.length;
      const answer = await send(proxy.url, raw);
      expect(answer, raw.path).toMatchObject({ status: 200, body: "ok" });
      expect(stand.origin.received.length).toBe(before + 1);
      return stand.origin.received.at(-1)!;
    }

    async function refused(raw: RawRequest & { token?: string }): Promise<Seen> {
      const before = stand.origin.received.length;
      const answer = await send(proxy.url, raw);
      expect(stand.origin.received.length, `${raw.path} must not reach the origin`).toBe(before);
      return answer;
    }

    it("lets a good token through, and tells the origin who it is from", async () => {
      const { token, grant } = reader;
      const got = await letThrough({ path: "/orders/caf%C3%A9?next=%2Fa&x=1,2", token });
      expect(got).toMatchObject({ method: "GET", url: "/orders/caf%C3%A9?next=%2Fa&x=1,2" });
      const identity = identityOf(got.headers);
      expect(identity.map(([name]) => name).sort()).toEqual([
        "x-portcullis-assertion",
        "x-portcullis-grant",
        "x-portcullis-scope",
        "x-portcullis-subject",
      ]);
      expect(Object.fromEntries(identity)).toMatchObject({
        "x-portcullis-subject": stand.requester.id,
        "x-portcullis-scope": "orders:read",
        "x-portcullis-grant": grant,
      });
      const keys = (await stand.gate.call("/.well-known/jwks.json")).body as JSONWebKeySet;
      const assertion = Object.fromEntries(identity)["x-portcullis-assertion"]!;
      const { payload } = await jwtVerify(assertion, createLocalJWKSet(keys), {
        issuer: stand.gate.issuer,
        audience: ORIGIN_AUDIENCE,
        typ: "portcullis-assertion+jwt",
      });
      expect(payload).toMatchObject({ sub: stand.requester.id, grant });
      expect(JSON.stringify(got.headers)).not.toContain(token);
      expect(JSON.stringify(got.headers)).not.toContain(SECRET);
    });

    it("keeps method and body of the request, and the answer", async () => {
      const { token } = await hold(stand.gate, stand, { scope: "orders:read orders:write" });
      stand.origin.answerWith(({ message }, response) => message.pipe(response.writeHead(207)));
      const sent = { method: "POST", path: "/orders", headers: [["Authorization", `Bearer ${token}`]] };
      const request = openRaw(proxy.url, sent as RawRequest);
      const answer = await answerOf(request.end("x".repeat(100_000)));
      stand.origin.answerWith();
      expect(answer.statusCode).toBe(207);
      expect(await bodyText(answer)).toBe("x".repeat(100_000));
      expect(stand.origin.received.at(-1)).toMatchObject({ method: "POST", url: "/orders" });
    });

    it("answers refusals as the gate does", async () => {
      const none = await refused({ path: "/orders" });
      expect(none.status).toBe(401);
      expect(none.headers["www-authenticate"]).toContain("Bearer realm=");
      const scope = await refused({ method: "POST", path: "/orders", token: reader.token });
      expect(scope.status).toBe(403);
      expect(scope.headers["www-authenticate"]).toContain('error="insufficient_scope"');
      expect((await refused({ path: "/orders", token: `${reader.token}x` })).status).toBe(401);
      expect((await refused({ path: "/nowhere", token: reader.token })).status).toBe(404);
      const method = await refused({ method: "DELETE", path: "/orders", token: reader.token });
      expect(method.status).toBe(405);
      expect(method.headers.allow).toBe("GET, HEAD, POST");
      const twice: [string, string][] = [["Authorization", `Bearer ${reader.token}`]];
      // nginx takes no second Authorization at all; Caddy asks, and the gate refuses.
      expect((await refused({ path: "/orders", token: reader.token, headers: twice })).status).toBe(400);
    });

    it("takes back a token within the route's bound, and at once where the route is strict", async () => {
      const held = await hold(stand.gate, stand);
      const request = { path: "/orders/1", token: held.token };
      const strict = { path: "/orders/1001", token: held.token };
      await letThrough(request);
      await letThrough(strict);
      const revoked = await revokeGrant(stand.gate, held.grant);
      expect((await refused(strict)).status).toBe(401);
      await sleep(Math.max(0, revoked.effective_by.bounded * 1000 - Date.now()));
      expect((await refused(request)).status).toBe(401);
      await letThrough({ path: "/orders/1", token: reader.token });
    });

    it("keeps every header from the origin that a client sends in our name", async () => {
      const names = ["X-Portcullis-Subject", "x-portcullis-scope", "X-PORTCULLIS-GRANT"];
      const spellings = ["X_Portcullis_Subject", "X-Portcullis_Subject", "X.Portcullis.Subject"];
      const spoofed = [...names, ...spellings, "X-Portcullis-Assertion", "X-Portcullis-Proxy-Secret"];
      const headers = spoofed.map((name): [string, string] => [name, "admin"]);
      for (const path of ["/public/status", "/orders"]) {
        const token = path === "/orders" ? reader.token : undefined;
        const got = await letThrough({ path, headers, ...(token ? { token } : {}) });
        const identity = identityOf(got.headers);
        expect(identity.filter(([, value]) => value.includes("admin"))).toEqual([]);
        expect(identity.length).toBe(token ? 4 : 0);
      }
      const hop: [string, string][] = [["Connection", "close, X-Portcullis-Subject"]];
      const got = await letThrough({ path: "/orders", token: reader.token, headers: [...headers, ...hop] });
      expect(JSON.stringify(identityOf(got.headers))).not.toContain("admin");
    });

    it("decides on the request that came, whatever the client says that it is", async () => {
      const { token } = reader;
      const claims: [string, string][][] = [
        [["X-Forwarded-Uri", "/public/status"]],
        [["X-Forwarded-Method", "GET"]],
        [["X-Forwarded-Host", "public.example.com"]],
        [
          ["X-Original-URL", "http://127.0.0.1/public/status"],
          ["X-Original-Method", "GET"],
        ],
        [["Connection", "X-Forwarded-Uri, X-Forwarded-Method, X-Original-URL, X-Portcullis-Proxy-Secret"]],
      ];
      for (const headers of claims) {
        expect((await refused({ path: "/orders", headers })).status, headers[0]![0]).toBe(401);
        expect((await refused({ method: "POST", path: "/orders", token, headers })).status).toBe(403);
        await letThrough({ path: "/orders", token, headers });
      }
      const path = "/forward-auth?x=/public/status";
      expect((await refused({ path })).status).toBe(404);
    });

    it.each(HOSTILE)("refuses %s", async (path) => {
      for (const token of [undefined, reader.token]) {
        const answer = await refused({ path, ...(token ? { token } : {}) });
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
      await letThrough({ path: "/public/status?next=/../x%2f%00;y" });
    });

    it("refuses everything where its secret is wrong, and takes the one before", async () => {
      const { issuer } = stand.gate;
      const wrong = await startProxy(kind, { issuer, origin: stand.origin.url, secret: `${SECRET}x` });
      try {
        const before = stand.origin.received.length;
        expect((await send(wrong.url, { path: "/orders", token: reader.token })).status).toBe(403);
        expect((await send(wrong.url, { path: "/public/status" })).status).toBe(403);
        expect(stand.origin.received.length).toBe(before);
      } finally {
        await wrong.stop();
      }
      const late = await startProxy(kind, { issuer, origin: stand.origin.url, secret: PREVIOUS });
      try {
        expect((await send(late.url, { path: "/orders", token: reader.token })).status).toBe(200);
      } finally {
        await late.stop();
      }
    });
  });
});

describe("the endpoints themselves", () => {
  const original: [string, string][] = [
    ["X-Forwarded-Proto", "http"],
    ["X-Forwarded-Host", "api.example.com"],
  ];
  const secret: [string, string] = ["X-Portcullis-Proxy-Secret", SECRET];
  const of = (method: string, uri: string, more: [string, string][] = [secret]): [string, string][] => [
    ...original,
    ["X-Forwarded-Method", method],
    ["X-Forwarded-Uri", uri],
    ...more,
  ];

  it("answer nobody without the secret, whatever the method, and proxies with any", async () => {
    const { issuer } = stand.gate;
    for (const method of ["GET", "HEAD", "POST", "PUT", "OPTIONS"]) {
      const open = { method, path: "/forward-auth", headers: of("GET", "/public/x", []) };
      expect((await send(issuer, open)).status, method).toBe(403);
      const known = { method, path: "/forward-auth", headers: of("GET", "/public/x") };
      expect((await send(issuer, known)).status, method).toBe(200);
    }
  });

  it("let through what the gate would let through, for Envoy's filter too", async () => {
    const { issuer } = stand.gate;
    const read = { path: "/ext-authz/orders/1", headers: of("DELETE", "/orders/1"), token: reader.token };
    expect((await send(issuer, read)).headers["x-portcullis-subject"]).toBe(stand.requester.id);
    const write = { ...read, method: "POST" };
    expect((await send(issuer, write)).status).toBe(403);
    expect(
      (await send(issuer, { path: "/ext-authz/orders/1", headers: of("GET", "/orders/1") })).status,
    ).toBe(401);
  });

  it("answer no call that Envoy's prefix does not hold together", async () => {
    const { issuer } = stand.gate;
    const before = stand.origin.received.length;
    // Each leads to something that answers 200 by itself, which Envoy would take for a yes.
    for (const uri of ["/../healthz", "/../public/status", "/x/../../public/status", "/%2e%2e/healthz"]) {
      const answer = await send(issuer, { path: `/ext-authz${uri}`, headers: of("GET", uri) });
      expect(answer.status, uri).toBe(400);
    }
    expect((await send(issuer, { path: "/healthz" })).status).toBe(200);
    expect(stand.origin.received.length).toBe(before);
    const elsewhere = { path: "/ext-authz/public/status", host: "api.example.com", headers: of("GET", "/x") };
    expect((await send(issuer, elsewhere)).status).toBe(400);
  });
});
