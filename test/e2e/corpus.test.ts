import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_TOKEN_CHARS } from "../../src/protocol/bearer.ts";
import { ask, read, review } from "../support/access.ts";
import { type BareStand, bareStand, type Tried } from "../support/bare-stand.ts";
import { FETCH_SITES, goodCookies, refusedCookieSets } from "../support/corpus/cookies.ts";
import { framedRequests } from "../support/corpus/framing.ts";
import {
  connectionSets,
  credentialSets,
  FORGED,
  type HeaderSet,
  repeatedSets,
  smuggledSets,
  spelledSets,
} from "../support/corpus/header-sets.ts";
import { hostileCalls } from "../support/corpus/hostile-calls.ts";
import {
  climbingTargets,
  hostileTargets,
  mixedTargets,
  PIECES,
  PLAIN_TARGETS,
} from "../support/corpus/hostile-targets.ts";
import { CLAIM_GROUPS } from "../support/corpus/token-claims.ts";
import { FORM_GROUPS } from "../support/corpus/token-form.ts";
import { KEY_GROUPS } from "../support/corpus/token-keys.ts";
import { deployedKeys } from "../support/deployed-keys.ts";
import { bodyOf } from "../support/deployment.ts";
import { newKey } from "../support/token-factory.ts";
import { AUDIENCE, IDP_B, type Scene, tokenMaker, trustedIssuer } from "../support/token-scene.ts";
import { requestBytes } from "../support/wire.ts";

const COOKIE = "__Host-token";

let stand: BareStand;
let scene: Scene;

/** Every hostile request goes where nothing but the gate's own checks is between it and the origin. */
beforeAll(async () => {
  const [rsa, idpB] = await Promise.all([newKey("RS256", "idp-1"), newKey("RS256", "idp-b")]);
  const identity_headers = ["subject", "scope", "grant"];
  stand = await bareStand((url) => ({
    issuers: [trustedIssuer(rsa), trustedIssuer(idpB, { id: "b", issuer: IDP_B })],
    origins: { api: { url, audience: AUDIENCE } },
    access_rules: [
      {
        ...{
          id: "orders",
          resource: "orders",
          scopes: ["orders:read"],
          origin: "api",
          max_duration_seconds: 3600,
        },
        ...{ requesters: { roles: ["asker"] }, stages: [{ roles: ["reviewer"] }] },
      },
    ],
    routes: [
      { id: "closed", origin: "api", path: "/closed/**", access: {}, identity_headers },
      {
        ...{ id: "cookie", origin: "api", path: "/cookie/**", access: {} },
        credential: [{ from: "cookie", name: COOKIE }],
      },
      { id: "open", origin: "api", path: "/**", access: "public", identity_headers },
    ],
  }));
  const own = await deployedKeys(stand.stateDir);
  const stranger = await newKey("ES256", own.own.kid);
  const issuer = stand.gate.issuer;
  scene = { keys: { ...own, rsa, idpB, stranger }, issuer, nowSeconds: Math.floor(Date.now() / 1000) };
});

afterAll(() => stand?.stop());

const at = (target: string, lines: readonly string[] = []) => requestBytes(target, stand.host, lines);
const bearer = (token: string) => `Authorization: Bearer ${token}`;

/** Sends them all; what reached the origin meanwhile. No request may fail that the empty Worker answers. */
async function tryAll(
  requests: string[],
): Promise<{ tried: Tried[]; arrived: typeof stand.origin.received }> {
  const before = stand.origin.received.length;
  const tried = await stand.tryAll(requests);
  const worse = tried.filter(
    ({ answer, empty }) => answer.status >= 500 && [200, 400].includes(empty.status),
  );
  expect(worse).toEqual([]);
  return { tried, arrived: stand.origin.received.slice(before) };
}

/** What answered where the runtime does not take the bytes at all: it, alike for every Worker. */
const byRuntime = ({ answer, empty }: Tried) => answer.status === empty.status && answer.status >= 400;

describe("hostile targets, as bytes on a socket", () => {
  it("are refused for their reason, and reach no origin", async () => {
    const exact = [...hostileTargets(), ...climbingTargets()].map(({ target, fault }) => ({
      target,
      faults: [fault],
    }));
    // The runtime cuts a fragment off before anybody decides.
    const targets = [...exact, ...mixedTargets(11, 400)].filter(({ target }) => !target.includes("#"));
    const { tried, arrived } = await tryAll(targets.map(({ target }) => at(utf8Bytes(target))));
    const wrong = targets.filter(({ target, faults }, i) => {
      const { answer, reason } = tried[i]!;
      if (byRuntime(tried[i]!)) return !isRefusedByRuntime(target);
      return answer.status !== 400 || !faults.some((fault) => reason === `target_${fault}`);
    });
    expect(wrong).toEqual([]);
    expect(arrived).toEqual([]);
    expect(targets.length).toBeGreaterThan(2_000);
  });

  it("are decided on without their fragment, which goes nowhere", async () => {
    const closed = ["/closed/1#/open", "/closed/1#", "/closed/1?x=#/open", "/closed#/../open"];
    const refused = await tryAll(closed.map((target) => at(target)));
    expect(refused.tried.map(({ reason }) => reason)).toEqual([
      ...["credential_missing", "credential_missing", "credential_missing", "credential_missing"],
    ]);
    expect(refused.arrived).toEqual([]);
    const { arrived } = await tryAll([at("/open#/../closed/1")]);
    expect(arrived.map(({ url }) => url)).toEqual(["/open"]);
  });

  it("have neighbours that arrive as they were sent", async () => {
    const targets = PLAIN_TARGETS.filter((target) => !target.startsWith("/.well-known"));
    const { tried, arrived } = await tryAll(targets.map((target) => at(`${target}?next=%2F..%2f;`)));
    expect(tried.map(({ answer }) => answer.status)).toEqual(targets.map(() => 200));
    expect(arrived.map(({ url }) => url).sort()).toEqual(targets.map((t) => `${t}?next=%2F..%2f;`).sort());
  });
});

describe("the control plane", () => {
  it("answers no spelling of its paths without a token, and has no endpoint that redirects a browser", async () => {
    const paths = ["/v1/policy", "/v1/clients", "/metrics", "/v1/keys"];
    const spelled = paths.flatMap((path) => [
      ...PIECES.map(([piece]) => path.replace(/(.)$/, () => piece)),
      ...PIECES.map(([piece]) => `${path}${piece}`),
      ...["/", "/.", "/./", "//", "/../", "?", "?access_token=x"].map((end) => `${path}${end}`),
      ...["/", "//", "/./", "/../", "/open/..", "/healthz/..", "/healthz/../"].map((start) => start + path),
      ...[path.toUpperCase(), path.replace("/", "/%"), `${path.slice(0, -1)}%${hexOf(path.at(-1)!)}`],
    ]);
    const { tried } = await tryAll(spelled.map((path) => at(utf8Bytes(path))));
    // What is no path of the control plane is the policy's, and the origin says so.
    const others = tried.filter(({ answer }) => answer.status < 400 && !answer.body.includes("ok"));
    expect(others).toEqual([]);
    for (const path of [
      "/oauth/authorize",
      "/authorize",
      "/oauth/authorize?redirect_uri=https://evil.example",
    ]) {
      const answer = await stand.gate.call(path, { method: "POST", form: {} });
      expect(answer.headers.get("location")).toBeNull();
    }
    const metadata = await stand.gate.call("/.well-known/oauth-authorization-server");
    expect(metadata.body).not.toHaveProperty("authorization_endpoint");
  });

  it("has an answer for any call, and no fault", async () => {
    const calls = hostileCalls();
    const authorized = bearer(stand.gate.operator);
    const { tried } = await tryAll(
      calls.map(({ method, path, body, type = "application/json", headers = [] }) => {
        const lines = [authorized, ...headers];
        if (body !== undefined) lines.push(`Content-Type: ${type}`, `Content-Length: ${body.length}`);
        return requestBytes(path, stand.host, lines, method, body);
      }),
    );
    const wrong = calls
      .map((call, i) => ({ ...call, body: call.body?.slice(0, 100), status: tried[i]!.answer.status }))
      .filter(({ status }, i) => status >= 500 || (status === 0 && tried[i]!.empty.status !== 0));
    expect(wrong).toEqual([]);
    expect(calls.length).toBeGreaterThan(2_000);
  });

  it("decides on the access request of the path, and takes no other one from the body", async () => {
    const { gate } = stand;
    const [asker, reviewer] = await Promise.all([
      gate.newPerson(["asker"], ["requests:create", "requests:read"]),
      gate.newPerson(["reviewer"], ["requests:read", "requests:review"]),
    ]);
    const [a, b] = [await ask(gate, asker.token), await ask(gate, asker.token)];
    const crossed = [{ access_request_id: b.id }, { id: b.id }, { approver: "bob" }, { requester: "bob" }];
    for (const members of crossed) {
      expect((await review(gate, reviewer.token, a.id, members)).status).toBe(400);
    }
    expect(await read(gate, a.id)).toMatchObject({ state: "pending", reviews: [] });
    bodyOf(await review(gate, reviewer.token, a.id), 201);
    expect(await read(gate, b.id)).toMatchObject({ state: "pending", reviews: [] });
  });
});

describe("hostile headers, as bytes on a socket", () => {
  it("tell the origin nothing that is not ours", async () => {
    const token = await tokenMaker(scene).mint();
    const sets = [...spelledSets(), ...repeatedSets(5, 250), ...connectionSets(6, 150)];
    const { tried, arrived } = await tryAll(
      sets.map(({ lines }, i) => at(`/closed/${i}`, [...lines, bearer(token)])),
    );
    expect(tried.filter(({ answer }) => answer.status !== 200)).toEqual([]);
    expect(sets.filter((set, i) => faultOf(set, i, arrived))).toEqual([]);
    expect(sets.length).toBeGreaterThan(900);
  });

  it("open no route to whoever has no token, and none to another method or path", async () => {
    const decoys = [
      ...spelledSets().map(({ lines }) => lines[0]!.replace(FORGED, "/open")),
      ...[1, 5].map((times) => `X-Middleware-Subrequest: ${Array(times).fill("middleware").join(":")}`),
      ...["GET", "OPTIONS"].flatMap((to) => [`X-HTTP-Method-Override: ${to}`, `X-Method-Override: ${to}`]),
      ...["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "curl/8"].map(
        (ua) => `User-Agent: ${ua}`,
      ),
      ...["127.0.0.1", "::1", "::ffff:127.0.0.1", "0x7f.1", "10.0.0.1"].map(
        (ip) => `CF-Connecting-IP: ${ip}`,
      ),
      ...["localhost", "auth.example.com"].map((host) => `X-Forwarded-Host: ${host}`),
    ];
    const closed = ["/closed/1", "/closed/1?x=/open", "/closed/1?/open", "/closed/open"];
    const { tried, arrived } = await tryAll(decoys.flatMap((line) => at(closed[line.length % 4]!, [line])));
    expect(decoys.filter((_, i) => tried[i]!.reason !== "credential_missing")).toEqual([]);
    expect(arrived).toEqual([]);
  });

  it("of an origin are answered with no permission for another site", async () => {
    const token = stand.gate.operator;
    const origins = ["https://evil.example", "null", `http://${stand.host}`, "http://localhost", ""];
    for (const path of ["/open", "/closed/1", "/v1/policy", "/oauth/token", "/.well-known/jwks.json"]) {
      for (const origin of origins) {
        for (const method of ["GET", "OPTIONS"]) {
          const headers = { origin, "access-control-request-method": "PUT" };
          const answer = await stand.gate.call(path, { method, token, headers });
          const allowed = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
          expect(allowed, `${method} ${path} from ${origin}`).toEqual([]);
        }
      }
    }
  });

  it("hide in no other header", async () => {
    const sets = smuggledSets();
    const token = await tokenMaker(scene).mint();
    const { tried, arrived } = await tryAll(
      sets.map(({ lines }, i) => at(`/closed/${i}`, [...lines, bearer(token)])),
    );
    const wrong = sets.filter((set, i) =>
      "kept" in set ? faultOf(set, i, arrived) : !byRuntime(tried[i]!) || arrived.some(isFor(i)),
    );
    expect(wrong).toEqual([]);
  });

  it("are refused as credentials for their reason, where a token is needed and where none is", async () => {
    const token = await tokenMaker(scene).mint();
    const sets = credentialSets(token);
    for (const path of ["/closed/1", "/open"]) {
      const { tried, arrived } = await tryAll(sets.map(({ lines }) => at(path, lines)));
      expect(tried.map(({ reason }, i) => `${sets[i]!.what}: ${reason}`)).toEqual(
        sets.map(({ what, reason }) => `${what}: ${reason}`),
      );
      expect(arrived).toEqual([]);
    }
    // A field that is empty carries nothing: the runtime joins what comes after it to nothing.
    const good = [[`authorization:  bearer   ${token} `], ["Authorization:", bearer(token)]];
    const { tried } = await tryAll(good.map((lines) => at("/closed/1", lines)));
    expect(tried.map(({ answer }) => answer.status)).toEqual([200, 200]);
  });
});

describe("hostile cookies, as bytes on a socket", () => {
  it("that say two things, or nothing that can be read, are refused for that, and reach no origin", async () => {
    const [token, other] = await Promise.all([
      tokenMaker(scene).mint(),
      tokenMaker(scene).mint(undefined, tokenMaker(scene).claims({ sub: "demo|mallory" })),
    ]);
    const sets = refusedCookieSets(COOKIE, token, other);
    const { tried, arrived } = await tryAll(sets.map(({ lines }) => at("/cookie/1", lines)));
    expect(sets.filter(({ reason }, i) => tried[i]!.reason !== reason)).toEqual([]);
    expect(arrived).toEqual([]);
    expect(sets.length).toBeGreaterThan(300);
  });

  it("have neighbours that are let through, without the token and with all the rest", async () => {
    const cookies = goodCookies(COOKIE, await tokenMaker(scene).mint());
    const requests = cookies.map(({ cookie }, i) => at(`/cookie/${i}`, [`Cookie: ${cookie}`]));
    const { arrived } = await tryAll(requests);
    const rest = (i: number) =>
      arrived
        .find(({ url }) => url === `/cookie/${i}`)
        ?.headers.find(([name]) => name.toLowerCase() === "cookie")?.[1];
    expect(arrived).toHaveLength(cookies.length);
    expect(cookies.map((_, i) => rest(i))).toEqual(cookies.map((each) => each.rest));
  });

  it("open nothing that may change something to a request that another site had a browser make", async () => {
    const cookie = `Cookie: ${COOKIE}=${await tokenMaker(scene).mint()}`;
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const requests = FETCH_SITES.map(({ lines }) =>
        requestBytes("/cookie/1", stand.host, [cookie, "Content-Length: 0", ...lines], method),
      );
      const { tried, arrived } = await tryAll(requests);
      expect(tried.map(({ reason }) => reason)).toEqual(
        FETCH_SITES.map(({ crossSite }) => (crossSite ? "credential_cross_site" : undefined)),
      );
      expect(arrived).toHaveLength(FETCH_SITES.filter(({ crossSite }) => !crossSite).length);
    }
  });
});

describe("hostile framing, as bytes on a socket", () => {
  it("hides no second request in the body of the first", async () => {
    const { tried, arrived } = await tryAll(framedRequests(stand.host, "/open", "/open/hidden"));
    expect(arrived.filter(({ url }) => url !== "/open")).toEqual([]);
    // A body that breaks off ends both sides' connections, and the runtime does not say which was first.
    expect(tried.filter(({ answer }) => ![200, 400, 501, 502].includes(answer.status))).toEqual([]);
    expect(tried.filter(({ answer }) => answer.status === 200).length).toBeGreaterThan(3);
  });
});

describe("requests that cannot be sent on", () => {
  it("are refused as such, not told as faults of the origin", async () => {
    const request = (method: string, lines: string[], body = "") =>
      requestBytes("/open", stand.host, lines, method, body);
    const chunked = "Transfer-Encoding: chunked";
    const { tried, arrived } = await tryAll([
      ...["GET", "HEAD"].map((method) => request(method, ["Content-Length: 3"], "abc")),
      request("GET", [chunked], "3\r\nabc\r\n0\r\n\r\n"),
      request("TRACE", []),
    ]);
    expect(tried.map(({ reason }) => reason)).toEqual([
      ...Array(3).fill("request_body"),
      "method_not_allowed",
    ]);
    expect(arrived).toEqual([]);
    const neighbours = await tryAll([
      ...["GET", "HEAD"].map((method) => request(method, ["Content-Length: 0"])),
      request("DELETE", ["Content-Length: 3"], "abc"),
      request("POST", [chunked], "3\r\nabc\r\n0\r\n\r\n"),
      request("GET", ["X-Odd: a\tb \u00ff"]),
      ...["OPTIONS", "PROPFIND", "QUERY", "REPORT"].map((method) => request(method, [])),
    ]);
    expect(neighbours.tried.map(({ answer }) => answer.status)).toEqual(Array(9).fill(200));
  });
});

describe("hostile tokens, as bytes on a socket", () => {
  it("are refused for their reason, and their neighbours are let through", async () => {
    const groups = [...Object.values({ ...FORM_GROUPS, ...KEY_GROUPS, ...CLAIM_GROUPS })];
    const made = await Promise.all(groups.map((make) => make(scene)));
    // White space around it, or a line end in it, would be the header's and not the token's.
    const hostile = made.flatMap((group) => group.hostile).filter(({ token }) => /^[!-~]+$/.test(token));
    const refused = await tryAll(hostile.map(({ token }) => at("/closed/1", [bearer(token)])));
    const wrong = hostile.filter(({ token, reason }, i) => {
      const { answer, reason: found } = refused.tried[i]!;
      const expected =
        B64TOKEN.test(token) && token.length <= MAX_TOKEN_CHARS ? `token_${reason}` : /^credential_/;
      return ![400, 401].includes(answer.status) || !found?.match(expected);
    });
    expect(wrong).toEqual([]);
    expect(refused.arrived).toEqual([]);
    expect(hostile.length).toBeGreaterThan(800);

    const neighbours = made.flatMap((group) => group.neighbours);
    const passed = await tryAll(neighbours.map(({ token }) => at("/closed/1", [bearer(token)])));
    expect(neighbours.filter((_, i) => passed.tried[i]!.answer.status !== 200)).toEqual([]);
    expect(passed.arrived).toHaveLength(neighbours.length);
  });
});

describe("an origin at a name that resolves to a private address", () => {
  it("is not connected to where the gate runs as the platform runs it", async () => {
    const { gate, origin } = stand;
    const { body } = await gate.asOperator("/v1/policy");
    const { document } = body as { document: { origins: { api: { url: string } } } };
    const url = `http://localhost:${new URL(origin.url).port}`;
    const named = { ...document, origins: { api: { ...document.origins.api, url } } };
    await gate.putPolicy(named);
    expect((await gate.call("/open")).status).toBe(200);
    await stand.reachPublicOnly();
    const before = origin.received.length;
    expect(await gate.call("/open")).toMatchObject({ status: 502, body: { code: "bad_origin" } });
    expect(origin.received.length).toBe(before);
  });
});

/** What a bearer token may be (RFC 6750 §2.1). */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/** What ends a request line, or what the runtime takes for no part of a target. */
function isRefusedByRuntime(target: string): boolean {
  return [...target].some((character) => character <= " " || "<>`\u007f".includes(character));
}

const hexOf = (character: string) => character.charCodeAt(0).toString(16);

function utf8Bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

const isFor = (i: number) => (request: { url: string }) => request.url === `/closed/${i}`;

/** What the origin got that it must not, or did not get that it must. */
function faultOf(set: HeaderSet, i: number, arrived: typeof stand.origin.received): string | undefined {
  const request = arrived.find(isFor(i));
  if (!request) return "did not arrive";
  const { headers } = request;
  if (headers.some(([name, value]) => `${name}${value}`.includes(FORGED))) return "forged";
  const named = (name: string) => headers.filter(([each]) => each.toLowerCase() === name);
  for (const name of ["x-portcullis-assertion", "x-portcullis-subject", "x-portcullis-scope"]) {
    if (named(name).length !== 1) return name;
  }
  if (named("x-portcullis-subject")[0]![1] !== "demo|alice") return "another subject";
  if (named("x-forwarded-host")[0]?.[1] !== stand.host) return "another host";
  return set.kept.find((name) => named(name).length !== 1);
}
