import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt, importJWK, type JWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BROWSER_CLIENT_ID, startIdentityProvider } from "../../src/local/identity-provider.ts";
import type { LoopbackServer } from "../../src/local/loopback-server.ts";
import { Browser, send } from "../support/browser.ts";
import { bodyOf } from "../support/deployment.ts";
import { freeIssuer } from "../support/runtime.ts";
import { type Stand, standUp } from "../support/stand.ts";

const CLIENT_SECRET = "c2VjcmV0LW9mLXRoZS1nYXRlLWF0LXRoZS1kZW1v";
const SESSION = "__Host-portcullis-session";
const TTL_SECONDS = 3;
const EVENT = "http://schemas.openid.net/event/backchannel-logout";

let stateDir: string;
let keyFile: string;
let idp: LoopbackServer;
let stand: Stand;
let issuer: string;
let elsewhere: string;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-browser-"));
  keyFile = join(stateDir, "idp.jwk.json");
  issuer = await freeIssuer();
  // The same Worker under another host's name.
  elsewhere = issuer.replace("127.0.0.1", "localhost");
  idp = await startIdentityProvider({ port: 0, keyFile, gate: { issuer, secret: CLIENT_SECRET } });
  const policy = (base: object & { issuers: object[]; routes: object[]; roles: object }) => ({
    ...base,
    issuers: base.issuers.map((provider) => ({
      ...provider,
      sign_in: {
        client_id: BROWSER_CLIENT_ID,
        client_secret_ref: "SIGN_IN_SECRET_DEMO",
        session_scopes: ["app:use", "orders:read"],
      },
    })),
    routes: [
      ...base.routes,
      route("app", { path: "/app/**" }),
      route("admin", { path: "/admin/**", access: { scopes: ["app:admin"] } }),
      route("form", { path: "/form/**", credential: [{ from: "session", csrf: "token" }] }),
      route("either", { path: "/either/**", credential: [{ from: "authorization" }, { from: "session" }] }),
      route("open", { path: "/open/**", access: "public" }),
      route("hosted", { host: "localhost", path: "/hosted/**" }),
    ],
    roles: {
      ...base.roles,
      developer: { scopes: ["app:use", "app:admin", "requests:create", "requests:read"] },
    },
    sessions: { idle_seconds: 600, absolute_seconds: 3600, access_token_ttl_seconds: TTL_SECONDS },
  });
  stand = await standUp(
    policy as never,
    idp.url,
    () => ({ variables: { SIGN_IN_SECRET_DEMO: CLIENT_SECRET } }),
    issuer,
  );
});

afterAll(async () => {
  await stand?.stop();
  await idp?.close();
  await rm(stateDir, { recursive: true });
});

function route(id: string, members: object): object {
  const identity_headers = ["subject", "scope"];
  const access = { scopes: ["app:use"] };
  return {
    id: `browser-${id}`,
    origin: "demo",
    access,
    credential: [{ from: "session" }],
    identity_headers,
    ...members,
  };
}

async function signedIn(person: "alice" | "bob" = "alice", path = "/app/home"): Promise<Browser> {
  const browser = new Browser(person);
  const page = await browser.open(`${issuer}${path}`);
  expect(page).toMatchObject({ status: 200, text: "ok" });
  return browser;
}

const received = () => stand.origin.received;
const headerOf = (name: string) =>
  received()
    .at(-1)!
    .headers.filter(([each]) => each.toLowerCase() === name)
    .map(([, value]) => value);
const use = async (browser: Browser, path = "/app/data") => (await browser.script(`${issuer}${path}`)).status;
const me = async (browser: Browser, at = `${issuer}/session`) => {
  const { status, text } = await browser.script(at);
  return { status, body: JSON.parse(text) as Record<string, string> };
};

describe("signing in", () => {
  it("sends a browser to the provider and back to the page that it opened, with a cookie for this host alone", async () => {
    const browser = new Browser("alice");
    const page = await browser.open(`${issuer}/app/page?tab=2`);
    expect(page).toMatchObject({ status: 200, text: "ok" });
    expect(page.url.href).toBe(`${issuer}/app/page?tab=2`);
    const [first, start, ...rest] = page.hops.map(({ origin, pathname }) => origin + pathname);
    expect([first, start]).toEqual([`${issuer}/app/page`, `${issuer}/session/sign-in`]);
    expect(rest).toContain(`${issuer}/session/callback/demo`);
    const authorization = page.hops.find(({ pathname }) => pathname === "/auth")!.searchParams;
    expect(authorization.get("code_challenge_method")).toBe("S256");
    for (const name of ["state", "nonce", "code_challenge"])
      expect(authorization.get(name)).toMatch(/^[\w-]{43}$/);
    expect(Array.from(browser.jars.get(new URL(issuer).host)!.keys())).toEqual([SESSION]);
    expect(headerOf("x-portcullis-subject")).toEqual(["demo|alice"]);
    expect(headerOf("x-portcullis-scope")).toEqual(["app:use"]);
    expect(headerOf("cookie")).toEqual([]);
  });

  it("sets a cookie that no script reads, that is secure, and for no other host", async () => {
    const browser = new Browser("alice");
    const start = await browser.step(`${issuer}/session/sign-in?return_to=/app/x`);
    const [cookie = ""] = start.headers.getSetCookie();
    expect(cookie).toMatch(
      /^__Host-portcullis-sign-in-[\w-]{12}=v1\.[\w.-]+; Path=\/; Max-Age=600; Secure; HttpOnly; SameSite=Lax$/,
    );
    expect(start).toMatchObject({ status: 303 });
    expect(start.headers.get("cache-control")).toBe("no-store");
  });

  it("tells a script 401, and a page's script who is signed in", async () => {
    const nobody = new Browser("alice");
    expect(await use(nobody)).toBe(401);
    expect(await me(nobody)).toMatchObject({ status: 401, body: { code: "invalid_token" } });
    const browser = await signedIn();
    expect(await me(browser)).toMatchObject({
      status: 200,
      body: { subject: "demo|alice", issuer_id: "demo", csrf_token: expect.stringMatching(/^[\w-]{43}$/) },
    });
  });

  it.each([
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "http://evil.example@localhost/hosted/1",
    "javascript:alert(1)",
    "https://localhost.evil.example/hosted/1",
  ])("sends nobody on to %s", async (returnTo) => {
    const browser = new Browser("alice");
    const query = new URLSearchParams({ return_to: returnTo });
    const answer = await browser.step(`${issuer}/session/sign-in?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it("ends in no session where the answer is not one to a sign-in that this browser began", async () => {
    const [mallory, alice] = [new Browser("bob"), new Browser("alice")];
    const stolen = await callbackOf(mallory);
    const page = await alice.open(stolen.href);
    expect(page.status).toBe(400);
    expect(alice.cookie(issuer, SESSION)).toBeUndefined();
    const own = await callbackOf(alice);
    for (const [name, value] of [
      ["iss", "https://other.example"],
      ["state", "x".repeat(43)],
      ["code", "made-up"],
    ] as const) {
      const changed = new URL(own);
      changed.searchParams.set(name, value);
      const other = new Browser("alice");
      other.jars.set(new URL(issuer).host, new Map(alice.jars.get(new URL(issuer).host)));
      expect((await other.open(changed.href)).status).toBe(400);
      expect(other.cookie(issuer, SESSION)).toBeUndefined();
    }
    const kept = alice.cookies(issuer);
    const elsewhereAt = own.href.replace("/callback/demo", "/callback/other");
    expect((await alice.open(elsewhereAt)).status).toBe(400);
    expect(alice.cookies(issuer)).toBe(kept);
    expect((await mallory.open(stolen.href)).status).toBe(200);
    // The code was used: the same answer again signs nobody in.
    expect((await mallory.open(stolen.href)).status).toBe(400);
  });

  it("makes a new session each time, and ends the one before: nothing that was set earlier is continued", async () => {
    const browser = await signedIn();
    const before = browser.cookie(issuer, SESSION)!;
    await browser.open(`${issuer}/session/sign-in?return_to=/app/again`);
    const after = browser.cookie(issuer, SESSION)!;
    expect(after).not.toBe(before);
    expect(await use(browser)).toBe(200);
    const old = new Browser("alice");
    old.setCookie(issuer, SESSION, before);
    await expect.poll(() => use(old), { timeout: 10_000 }).toBe(401);
  });
});

/** Signs in up to the address that brings the provider's answer, which is not opened. */
async function callbackOf(browser: Browser): Promise<URL> {
  let url = `${issuer}/session/sign-in?return_to=/app/x`;
  for (let hop = 0; hop < 8; hop++) {
    let answer = await browser.step(url);
    if (answer.status === 200)
      answer = await browser.step(url, { method: "POST", form: { person: "alice" } });
    url = new URL(answer.headers.get("location")!, url).href;
    if (url.includes("/session/callback/")) return new URL(url);
  }
  throw new Error("the provider did not answer");
}

describe("a session at the gate", () => {
  it("is for the audience and scopes that its person has, through what the policy lets browsers have", async () => {
    const browser = await signedIn();
    expect(await use(browser, "/admin/1")).toBe(403);
    const [assertion = ""] = headerOf("x-portcullis-assertion");
    expect(decodeJwt(assertion)).toMatchObject({ sub: "demo|alice" });
    const bob = new Browser("bob");
    expect((await bob.open(`${issuer}/app/home`)).status).toBe(403);
  });

  it("is one access token however many ask at the moment of its end, and one after it", async () => {
    const browser = await signedIn();
    const { id: session = "" } = (await me(browser)).body;
    for (const until = Date.now() + 1.5 * TTL_SECONDS * 1000; Date.now() < until; await sleep(100)) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => use(browser)));
      expect(answers.filter((status) => status !== 200)).toEqual([]);
    }
    expect((await me(browser)).status).toBe(200);
    // At most the one that is about to end and the one after it.
    const counted = await stand.gate.asOperator("/v1/revocations?dry_run=true", {
      json: { match: { session }, reason: "counting" },
    });
    const { would_cut } = bodyOf<{ would_cut: { tokens: number } }>(counted, 200);
    expect([1, 2]).toContain(would_cut.tokens);
  });

  it("is there after kill -9 at the moment of its sign-in, and so is its end", async () => {
    const [kept, ended] = [await signedIn(), await signedIn()];
    const { csrf_token = "" } = (await me(ended)).body;
    const headers = { "x-csrf-token": csrf_token };
    const cookie = ended.cookies(issuer);
    const out = await ended.script(`${issuer}/session/sign-out`, { method: "POST", headers });
    expect(out.status).toBe(303);
    await stand.runtime.kill();
    expect(await use(kept)).toBe(200);
    expect((await send(`${issuer}/app/1`, "GET", { cookie })).status).toBe(401);
  });

  it("is refused beside an Authorization header, equal or not, and changes nothing", async () => {
    const browser = await signedIn();
    const { requester } = stand;
    const before = received().length;
    const both = await browser.script(`${issuer}/either/1`, {
      headers: { authorization: `Bearer ${requester.token}` },
    });
    expect(both.status).toBe(400);
    expect(received()).toHaveLength(before);
    expect(await use(browser, "/either/1")).toBe(200);
    expect((await stand.gate.call("/app/1", { token: requester.token })).status).toBe(400);
  });

  it("never reaches an origin, and no origin sets one", async () => {
    const browser = await signedIn();
    browser.setCookie(issuer, "theme", "dark");
    stand.origin.answerWith((_request, response) =>
      response
        .writeHead(200, { "set-cookie": [`${SESSION}=psc_other; Path=/; Secure`, "theme=light; Path=/"] })
        .end("ok"),
    );
    const cookie = browser.cookie(issuer, SESSION);
    expect(await use(browser, "/open/1")).toBe(200);
    expect(headerOf("cookie")).toEqual(["theme=dark"]);
    expect(browser.cookie(issuer, SESSION)).toBe(cookie);
    expect(browser.cookie(issuer, "theme")).toBe("light");
    stand.origin.answerWith();
  });

  it("that is over opens a public route as nobody's", async () => {
    const browser = new Browser("alice");
    browser.setCookie(issuer, SESSION, "psc_v1.made.up");
    expect(await use(browser, "/open/1")).toBe(200);
    expect(await use(browser, "/app/1")).toBe(401);
  });
});

/** What a browser or somebody else sends of where a request comes from; `own` is filled in as the page's origin. */
const SITES: [string, Record<string, string>, boolean][] = [
  ["same-origin and Origin", { "sec-fetch-site": "same-origin", origin: "own" }, true],
  ["same-origin alone", { "sec-fetch-site": "same-origin" }, true],
  ["Origin alone", { origin: "own" }, true],
  ["Origin, as a form", { origin: "own", "content-type": "application/x-www-form-urlencoded" }, true],
  ["Origin, as plain text", { origin: "own", "content-type": "text/plain" }, true],
  ["Origin, as JSON", { origin: "own", "content-type": "application/json" }, true],
  ["same-origin and Origin null", { "sec-fetch-site": "same-origin", origin: "null" }, true],
  ["cross-site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }, false],
  ["cross-site with our Origin", { "sec-fetch-site": "cross-site", origin: "own" }, false],
  ["same-site", { "sec-fetch-site": "same-site", origin: "http://other.localhost" }, false],
  ["none", { "sec-fetch-site": "none" }, false],
  [
    "same-origin with another Origin",
    { "sec-fetch-site": "same-origin", origin: "https://evil.example" },
    false,
  ],
  ["another Origin", { origin: "https://evil.example" }, false],
  ["another Origin, as JSON", { origin: "https://evil.example", "content-type": "application/json" }, false],
  ["Origin null", { origin: "null" }, false],
  ["Origin null, as plain text", { origin: "null", "content-type": "text/plain" }, false],
  ["neither", {}, false],
];

describe("a request that may change something", () => {
  it.each(SITES)("with %s", async (_what, sent, taken) => {
    const browser = await known();
    const headers = Object.fromEntries(
      Object.entries(sent).map(([name, value]) => [name, value === "own" ? issuer : value]),
    );
    const before = received().length;
    const cookie = browser.cookies(issuer);
    const answer = await send(`${issuer}/app/change`, "POST", { ...headers, cookie }, "x=1");
    expect(answer.status).toBe(taken ? 200 : 403);
    expect(received()).toHaveLength(before + (taken ? 1 : 0));
    expect(await use(browser)).toBe(200);
  });

  it("needs the session's own token where the route asks for it", async () => {
    const browser = await known();
    const { csrf_token = "" } = (await me(browser)).body;
    const other = (await me(await signedIn())).body.csrf_token!;
    const post = (headers: Record<string, string>) =>
      browser.script(`${issuer}/form/1`, { method: "POST", headers }).then(({ status }) => status);
    expect(await post({ "x-csrf-token": csrf_token })).toBe(200);
    const before = received().length;
    expect(await post({})).toBe(403);
    expect(await post({ "x-csrf-token": other })).toBe(403);
    expect(await post({ "x-csrf-token": csrf_token, origin: "https://evil.example" })).toBe(403);
    expect(received()).toHaveLength(before);
    expect(await use(browser, "/form/1")).toBe(200);
  });
});

let shared: Promise<Browser> | undefined;
/** Signed in once for all tests that leave it so. */
function known(): Promise<Browser> {
  shared ??= signedIn();
  return shared;
}

describe("another host", () => {
  it("gets a cookie of its own by a code that is good once, in the browser that asked there", async () => {
    const browser = await signedIn();
    const page = await browser.open(`${elsewhere}/hosted/page`);
    expect(page).toMatchObject({ status: 200, text: "ok" });
    expect(page.hops.map(({ origin, pathname }) => origin + pathname)).toEqual([
      `${elsewhere}/hosted/page`,
      `${issuer}/session/sign-in`,
      `${elsewhere}/.portcullis/session`,
      `${elsewhere}/hosted/page`,
    ]);
    const there = browser.cookie(elsewhere, SESSION)!;
    expect(there).not.toBe(browser.cookie(issuer, SESSION));
    expect(await me(browser, `${elsewhere}/.portcullis/session`)).toMatchObject({
      status: 200,
      body: { id: (await me(browser)).body.id },
    });
    // Neither host's cookie is good at the other one.
    const thief = new Browser("bob");
    thief.setCookie(issuer, SESSION, there);
    thief.setCookie(elsewhere, SESSION, browser.cookie(issuer, SESSION)!);
    expect(await use(thief)).toBe(401);
    expect((await thief.script(`${elsewhere}/hosted/1`)).status).toBe(401);
    const [code] = page.hops.filter(({ searchParams }) => searchParams.has("code"));
    const again = await new Browser("bob").open(code!.href);
    expect(again.status).toBe(400);
    expect(again.headers.getSetCookie().join()).not.toContain(SESSION);
  });

  it("signs in at the provider where the issuer's host has no session, and takes no code of another browser", async () => {
    const alice = new Browser("alice");
    expect((await alice.open(`${elsewhere}/hosted/page`)).text).toBe("ok");
    const mallory = await signedIn("alice");
    let url = `${elsewhere}/hosted/x`;
    for (let hop = 0; !url.includes("code="); hop++) {
      if (hop > 3) throw new Error("no code came");
      url = (await mallory.step(url)).headers.get("location")!;
    }
    const victim = new Browser("bob");
    await victim.step(`${elsewhere}/hosted/x`);
    expect((await victim.open(url)).status).toBe(400);
    expect(victim.cookie(elsewhere, SESSION)).toBeUndefined();
    expect((await mallory.open(url)).status).toBe(200);
    expect(await victim.step(`${issuer}/session/sign-in?return_to=${elsewhere}/hosted/x`)).toMatchObject({
      status: 400,
    });
  });
});

describe("signing out", () => {
  it("takes a page of this host and its token, and ends the session at every host", async () => {
    const browser = await signedIn();
    await browser.open(`${elsewhere}/hosted/page`);
    const stolen = browser.cookie(issuer, SESSION)!;
    const form = await browser.open(`${issuer}/session/sign-out`);
    expect(form.status).toBe(200);
    const csrf_token = /name="csrf_token" value="([^"]+)"/.exec(form.text)![1]!;
    const post = (sent: Record<string, string>, headers: Record<string, string>) =>
      browser.step(`${issuer}/session/sign-out`, { method: "POST", form: sent, headers });
    expect((await post({ csrf_token }, { origin: "https://evil.example" })).status).toBe(403);
    expect((await post({ csrf_token }, {})).status).toBe(403);
    expect((await post({ csrf_token: "x" }, { origin: issuer })).status).toBe(403);
    expect(await use(browser)).toBe(200);
    const out = await post({ csrf_token }, { origin: issuer });
    expect(out.status).toBe(303);
    const provider = new URL(out.headers.get("location")!);
    expect(provider.origin).toBe(idp.url);
    expect(provider.searchParams.get("post_logout_redirect_uri")).toBe(`${issuer}/session/signed-out`);
    expect(browser.cookie(issuer, SESSION)).toBeUndefined();
    const thief = new Browser("bob");
    thief.setCookie(issuer, SESSION, stolen);
    await expect.poll(() => use(thief), { timeout: 10_000 }).toBe(401);
    await expect
      .poll(async () => (await browser.script(`${elsewhere}/hosted/1`)).status, { timeout: 10_000 })
      .toBe(401);
    expect((await me(thief)).status).toBe(401);
  });

  it("works at every host that has a cookie, by that host's own token, and sends a link nowhere", async () => {
    const browser = await signedIn();
    await browser.open(`${elsewhere}/hosted/page`);
    const here = `${elsewhere}/.portcullis/session`;
    const tokens = [await me(browser, here), await me(browser)].map(({ body }) => body.csrf_token!);
    const post = (token: string) =>
      browser.script(`${here}/sign-out`, { method: "POST", headers: { "x-csrf-token": token } });
    expect((await browser.step(`${here}/sign-out`)).status).toBe(404);
    expect((await post(tokens[1]!)).status).toBe(403);
    expect((await me(browser)).status).toBe(200);
    expect((await post(tokens[0]!)).status).toBe(303);
    expect([(await me(browser, here)).status, (await me(browser)).status]).toEqual([401, 401]);
    await expect.poll(() => use(browser), { timeout: 10_000 }).toBe(401);
  });

  it("at the provider ends it here at once, by the logout token", async () => {
    const browser = await signedIn();
    const bystander = await signedIn();
    const form = await browser.open(`${idp.url}/session/end?client_id=${BROWSER_CLIENT_ID}`);
    const action = /action="([^"]+)"/.exec(form.text)![1]!;
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(form.text)![1]!;
    await browser.open(action, { method: "POST", form: { xsrf, logout: "yes" } });
    await expect.poll(() => use(browser), { timeout: 10_000 }).toBe(401);
    expect((await me(browser)).status).toBe(401);
    expect(await use(bystander)).toBe(200);
  });
});

describe("a logout token", () => {
  const now = () => Math.floor(Date.now() / 1000);
  let made = 0;
  const claims = (more: Record<string, unknown> = {}) => ({
    iss: idp.url,
    aud: BROWSER_CLIENT_ID,
    sub: "alice",
    iat: now(),
    exp: now() + 120,
    jti: `logout-${++made}`,
    events: { [EVENT]: {} },
    ...more,
  });
  const sign = async (body: Record<string, unknown>, typ = "logout+jwt") => {
    const jwk = JSON.parse(await readFile(keyFile, "utf8")) as JWK;
    const present = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    return new SignJWT(present)
      .setProtectedHeader({ alg: "ES256", kid: jwk.kid!, typ })
      .sign(await importJWK(jwk, "ES256"));
  };
  const send = async (logout_token: string) =>
    (await stand.gate.call("/v1/signals/backchannel-logout", { form: { logout_token } })).status;

  it.each([
    ["of another type", {}, "JWT"],
    ["of another issuer", { iss: "https://other.example" }],
    ["for another client", { aud: "somebody-else" }],
    ["with a nonce", { nonce: "n" }],
    ["without the event", { events: {} }],
    ["with another event", { events: { "https://schemas.example/other": {} } }],
    ["without a jti", { jti: undefined }],
    ["without whom", { sub: undefined }],
    ["without when", { iat: undefined }],
    ["from long ago", { iat: Math.floor(Date.now() / 1000) - 1_000 }],
    ["from the future", { iat: Math.floor(Date.now() / 1000) + 1_000 }],
    ["that is over", { exp: Math.floor(Date.now() / 1000) - 100 }],
  ])("%s changes nothing", async (_what, more: Record<string, unknown>, typ?: string) => {
    const browser = await known();
    expect(await send(await sign(claims(more), typ))).toBe(400);
    expect(await use(browser)).toBe(200);
    expect((await me(browser)).status).toBe(200);
  });

  it("that was changed, or is no token, changes nothing", async () => {
    const browser = await known();
    const [head, body, signature] = (await sign(claims())).split(".");
    const forged = [head, body, (signature!.startsWith("A") ? "B" : "A") + signature!.slice(1)].join(".");
    for (const text of [forged, `${head}.${body}.`, "junk"]) expect(await send(text)).toBe(400);
    expect(await use(browser)).toBe(200);
  });

  it("ends the sessions of its person that began before it, once", async () => {
    const [first, second] = [await signedIn(), await signedIn()];
    // The provider's clock counts whole seconds.
    await sleep(1_100);
    const token = await sign(claims({ iat: now() - 1 }));
    expect(await send(token)).toBe(200);
    for (const browser of [first, second]) {
      await expect.poll(() => use(browser), { timeout: 10_000 }).toBe(401);
    }
    const later = await signedIn();
    expect(await send(token)).toBe(400);
    expect(await use(later)).toBe(200);
    expect((await me(later)).status).toBe(200);
  });
});

describe("a device without a browser", () => {
  const CLI = { client_id: "portcullis-cli" };
  const post = (path: string, form: Record<string, string>) =>
    stand.gate.call(path, { form: { ...CLI, ...form } });
  const poll = (device_code: string) =>
    post("/oauth/token", { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code });
  type Begun = {
    device_code: string;
    user_code: string;
    verification_uri: string;
    verification_uri_complete: string;
  };
  const begin = async (form: Record<string, string> = {}) =>
    bodyOf<Begun>(await post("/oauth/device_authorization", form), 200);
  const formOf = (text: string) =>
    Object.fromEntries(
      [...text.matchAll(/name="(csrf_token|user_code)" value="([^"]+)"/g)].map(([, name, value]) => [
        name!,
        value!,
      ]),
    );
  const decide = (browser: Browser, form: Record<string, string>, origin = issuer) =>
    browser.step(`${issuer}/session/device`, { method: "POST", form, headers: { origin } });

  it("is signed in by a person who confirms its code, and renews and ends like a session of theirs", async () => {
    const begun = await begin({ scope: "requests:create requests:read grants:read" });
    expect(begun.verification_uri_complete).toBe(`${issuer}/session/device?user_code=${begun.user_code}`);
    expect(await poll(begun.device_code)).toMatchObject({
      status: 400,
      body: { error: "authorization_pending" },
    });
    expect(await poll(begun.device_code)).toMatchObject({ status: 400, body: { error: "slow_down" } });
    const alice = new Browser("alice");
    const page = await alice.open(begun.verification_uri_complete);
    expect(page.text).toContain(begun.user_code);
    expect(page.text).toContain("demo|alice");
    const form = formOf(page.text);
    expect((await decide(alice, { ...form, decision: "allow" }, "https://evil.example")).status).toBe(403);
    expect((await decide(alice, { ...form, csrf_token: "x", decision: "allow" })).status).toBe(403);
    expect(await decide(alice, { ...form, decision: "allow" })).toMatchObject({ status: 200 });
    expect((await decide(alice, { ...form, decision: "deny" })).text).toContain("decided on already");
    const other = await stand.gate.newClient({ grant_types: ["client_credentials"] });
    const stolen = {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: begun.device_code,
    };
    expect(await stand.gate.call("/oauth/token", { client: other, form: stolen })).toMatchObject({
      status: 400,
      body: { error: "unauthorized_client" },
    });
    type Tokens = { access_token: string; refresh_token: string; scope: string };
    const tokens = bodyOf<Tokens>(await poll(begun.device_code), 200);
    expect(tokens.scope.split(" ").toSorted()).toEqual(["requests:create", "requests:read"]);
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      sub: "demo|alice",
      client_id: "portcullis-cli",
      aud: issuer,
    });
    expect((await stand.gate.call("/v1/access-requests", { token: tokens.access_token })).status).toBe(200);
    expect(await post("/oauth/introspect", { token: tokens.access_token })).toMatchObject({ status: 401 });
    const renewed = bodyOf<Tokens>(
      await post("/oauth/token", { grant_type: "refresh_token", refresh_token: tokens.refresh_token }),
      200,
    );
    expect(await post("/oauth/revoke", { token: renewed.refresh_token })).toMatchObject({ status: 200 });
    await expect
      .poll(
        async () => (await stand.gate.call("/v1/access-requests", { token: renewed.access_token })).status,
        { timeout: 5_000 },
      )
      .toBe(401);
    expect(await poll(begun.device_code)).toMatchObject({ status: 400 });
  });

  it("gets nothing where the person says no, for a wrong code, another client or a scope that nobody gives", async () => {
    const begun = await begin();
    const bob = new Browser("bob");
    const page = await bob.open(begun.verification_uri);
    expect(page.text).toContain("The code that your device shows");
    expect(await bob.open(`${begun.verification_uri}?user_code=ZZZZ-ZZZZ`)).toMatchObject({ status: 400 });
    const asked = await bob.open(
      `${begun.verification_uri}?user_code=${begun.user_code.toLowerCase().replace("-", "")}`,
    );
    expect((await decide(bob, { ...formOf(asked.text), decision: "deny" })).status).toBe(200);
    expect(await poll(begun.device_code)).toMatchObject({ status: 400, body: { error: "access_denied" } });
    expect(await poll("another")).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    expect(await post("/oauth/device_authorization", { scope: "orders:read" })).toMatchObject({
      status: 400,
      body: { error: "invalid_scope" },
    });
    const other = await stand.gate.newClient({ grant_types: ["client_credentials"] });
    expect(await stand.gate.call("/oauth/device_authorization", { client: other, form: {} })).toMatchObject({
      status: 400,
      body: { error: "unauthorized_client" },
    });
    expect(await post("/oauth/token", { grant_type: "client_credentials" })).toMatchObject({
      status: 400,
      body: { error: "unauthorized_client" },
    });
    expect(await post("/oauth/device_authorization", { client_secret: "x" })).toMatchObject({ status: 401 });
  });
});
