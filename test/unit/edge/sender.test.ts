import { beforeEach, describe, expect, it } from "vitest";
import {
  authenticateAnyOwn,
  authenticateOwn,
  authenticateSubjectToken,
} from "../../../src/edge/authenticate.ts";
import { authorize } from "../../../src/edge/authorize.ts";
import { base64url } from "../../../src/protocol/encoding.ts";
import { NONCE_WINDOW_SECONDS } from "../../../src/tokens/dpop-nonces.ts";
import { EdgeWorld, HOST, ISSUER, policyOf } from "../../support/edge-world.ts";
import { type ProofOf, proofOf, thumbprintOf } from "../../support/proof-factory.ts";
import { newKey, type TestKey } from "../../support/token-factory.ts";

const access = { scopes: ["orders:read"] };
const POLICY = policyOf([
  { path: "/optional/**", access },
  { path: "/off/**", access, dpop: { mode: "off" }, mtls: "off" },
  { path: "/required/**", access, dpop: { mode: "required" } },
  { path: "/exact/**", access, dpop: { single_use: "exact" } },
  { path: "/nonce/**", access, dpop: { nonce: true } },
  { path: "/strict/**", access, consistency: { tier: "strict" } },
  { path: "/certified/**", access, mtls: "required" },
  { path: "/public/**", access: "public" },
  { path: "/pass/**", access, authorization: "pass" },
  {
    path: "/places/**",
    access,
    credential: [{ from: "authorization" }, { from: "cookie", name: "__Host-token" }],
  },
]);
const FINGERPRINT = "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714";
const X5T = base64url(Uint8Array.from(FINGERPRINT.match(/../g)!, (byte) => Number.parseInt(byte, 16)));
const CERTIFICATE = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certFingerprintSHA256: FINGERPRINT,
};

let world: EdgeWorld;
let key: TestKey;
let jkt: string;
let bound: string;

beforeEach(async () => {
  [world, key] = await Promise.all([EdgeWorld.create(POLICY), newKey("ES256", "client")]);
  jkt = await thumbprintOf(key);
  bound = await world.token({ cnf: { jkt } });
});

const proof = (path: string, over: Partial<ProofOf> & { with?: TestKey } = {}) =>
  proofOf(over.with ?? key, {
    url: HOST + path,
    nowSeconds: world.nowMs / 1000,
    accessToken: bound,
    ...over,
  });

/** One request through the gate: the reason why it is refused, or `200`. */
async function send(
  path: string,
  headers: Record<string, string>,
  more: { method?: string; cf?: unknown } = {},
) {
  const { cf, ...init } = more;
  const request = new Request(HOST + path, { ...init, headers });
  if (cf !== undefined) Object.defineProperty(request, "cf", { value: cf });
  const answer = await world.gate(request, "request-1");
  return { answer, verdict: answer.status === 200 ? 200 : world.lastReason };
}

const sendBound = async (path: string, over: Parameters<typeof proof>[1] = {}) =>
  send(path, { authorization: `DPoP ${bound}`, dpop: await proof(path, over) });
const sendBearer = async (path: string, token?: string) =>
  send(path, { authorization: `Bearer ${token ?? (await world.token())}` });

describe("a token that is bound to a DPoP key", () => {
  it("is good with a proof for the request, as often as there is a new proof", async () => {
    for (let n = 0; n < 3; n++) expect((await sendBound("/optional/1")).verdict).toBe(200);
    expect(world.tokens.size).toBe(1);
    expect(world.originCalls).toHaveLength(3);
  });

  it.each(["/optional/1", "/required/1", "/public/1", "/places/1"])(
    "is refused without its proof, and as a bearer token: %s",
    async (path) => {
      const bearer = await sendBearer(path, bound);
      expect(bearer).toMatchObject({ verdict: "sender_scheme", answer: { status: 401 } });
      expect(bearer.answer.headers.get("www-authenticate")).toMatch(
        /^DPoP .*error="invalid_token".*algs="ES256 /,
      );
      expect((await send(path, { authorization: `DPoP ${bound}` })).verdict).toBe("proof_missing");
      const proven = { authorization: `Bearer ${bound}`, dpop: await proof(path) };
      expect((await send(path, proven)).verdict).toBe("sender_scheme");
      expect(world.originCalls).toEqual([]);
      expect((await sendBound(path)).verdict).toBe(200);
    },
  );

  it("is refused in a cookie, where no proof goes with it", async () => {
    const cookie = `__Host-token=${bound}`;
    expect((await send("/places/1", { cookie, dpop: await proof("/places/1") })).verdict).toBe(
      "sender_scheme",
    );
    expect((await send("/places/1", { cookie: `__Host-token=${await world.token()}` })).verdict).toBe(200);
  });

  it("is refused with a proof of another key, token, method, address or time, or one that was used", async () => {
    const thief = await newKey("ES256", "thief");
    const path = "/optional/1";
    const reasonFor = async (over: Parameters<typeof proof>[1]) => (await sendBound(path, over)).verdict;
    expect(await reasonFor({ with: thief })).toBe("proof_binding");
    expect(await reasonFor({ accessToken: await world.token({ cnf: { jkt } }) })).toBe("proof_token");
    expect(await reasonFor({ method: "POST" })).toBe("proof_method");
    expect(await reasonFor({ url: `${HOST}/optional/2` })).toBe("proof_target");
    expect(await reasonFor({ url: `http://origin.internal:9000${path}` })).toBe("proof_target");
    expect(await reasonFor({ nowSeconds: world.nowMs / 1000 - 61 })).toBe("proof_time");
    expect(world.originCalls).toEqual([]);
    const once = { authorization: `DPoP ${bound}`, dpop: await proof(path) };
    expect((await send(path, once)).verdict).toBe(200);
    const again = await send(path, once);
    expect(again.verdict).toBe("proof_replayed");
    expect(again.answer.headers.get("www-authenticate")).toMatch(/^DPoP .*error="invalid_dpop_proof"/);
  });

  it("is taken or not as the route says", async () => {
    expect((await sendBound("/off/1")).verdict).toBe("sender_not_taken");
    expect((await sendBearer("/off/1")).verdict).toBe(200);
    expect((await sendBound("/required/1")).verdict).toBe(200);
    const unbound = await sendBearer("/required/1");
    expect(unbound).toMatchObject({ verdict: "sender_unbound", answer: { status: 401 } });
    const missing = await send("/required/1", {});
    expect(missing.verdict).toBe("credential_missing");
    expect(missing.answer.headers.get("www-authenticate")).toBe(
      `DPoP realm="${ISSUER}", resource_metadata="${ISSUER}/.well-known/oauth-protected-resource?resource=https%3A%2F%2Fapi.example.com%2Frequired%2F1", algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"`,
    );
  });

  it("is taken as soon as the route takes such tokens, also where the isolate was idle", async () => {
    expect((await sendBound("/off/1")).verdict).toBe("sender_not_taken");
    world.append({ policy: policyOf([{ path: "/off/**", access }]) });
    world.nowMs += 2000;
    expect((await sendBound("/off/1")).verdict).toBe("sender_not_taken");
    world.nowMs += 1;
    expect((await sendBound("/off/1")).verdict).toBe(200);
  });

  it("is what the scheme DPoP is for: no other token goes with it", async () => {
    const token = await world.token();
    const dpop = await proof("/optional/1", { accessToken: token });
    expect((await send("/optional/1", { authorization: `DPoP ${token}`, dpop })).verdict).toBe(
      "sender_scheme",
    );
    expect((await send("/optional/1", { authorization: `Bearer ${token}`, dpop })).verdict).toBe(200);
  });

  it("falls with a revocation of its key, and so do all tokens of that key, within the bound", async () => {
    const second = await world.token({ cnf: { jkt }, sub: "demo|bob", jti: "tok_2" });
    expect((await sendBound("/optional/1")).verdict).toBe(200);
    world.revoke({ jkt });
    expect((await sendBound("/strict/1")).verdict).toBe("token_revoked");
    world.nowMs += 2001;
    expect((await sendBound("/optional/1")).verdict).toBe("token_revoked");
    const headers = {
      authorization: `DPoP ${second}`,
      dpop: await proof("/optional/1", { accessToken: second }),
    };
    expect((await send("/optional/1", headers)).verdict).toBe("token_revoked");
    expect((await sendBearer("/optional/1")).verdict).toBe(200);
    const stranger = await newKey("ES256", "stranger");
    bound = await world.token({ cnf: { jkt: await thumbprintOf(stranger) } });
    expect((await sendBound("/optional/1", { with: stranger })).verdict).toBe(200);
  });

  it("reaches the origin without token and proof, or with both where the route passes them on", async () => {
    await sendBound("/optional/1");
    expect(world.originCalls[0]?.headers.has("dpop")).toBe(false);
    expect(world.originCalls[0]?.headers.has("authorization")).toBe(false);
    await sendBound("/pass/1");
    expect(world.originCalls[1]?.headers.has("dpop")).toBe(true);
    expect(world.originCalls[1]?.headers.get("authorization")).toBe(`DPoP ${bound}`);
  });

  it("is told no nonce by the origin, whose proofs are not ours, but where its route passes them on", async () => {
    world.origin = () => new Response("hello", { headers: { "dpop-nonce": "the origin's" } });
    expect((await sendBound("/optional/1")).answer.headers.get("dpop-nonce")).toBeNull();
    expect((await sendBound("/pass/1")).answer.headers.get("dpop-nonce")).toBe("the origin's");
  });

  it("does not need a second proof where the policy changes while its request waits", async () => {
    expect((await sendBound("/optional/1")).verdict).toBe(200);
    world.nowMs += 5000;
    world.append({ policy: policyOf([{ path: "/optional/**", access, id: "renamed" }]) });
    expect((await sendBound("/optional/1")).verdict).toBe(200);
    expect(world.log.policyVersion).toBe(2);
  });

  it("keeps a connection open on the proof that opened it, for as long as its route takes bound tokens", async () => {
    const headers = new Headers({ authorization: `DPoP ${bound}`, dpop: await proof("/optional/1") });
    const ask = { method: "GET", url: `${HOST}/optional/1`, headers };
    const opened = await authorize(ask, { ...world.deps, waitUntil: world.waitUntil });
    if (opened.outcome !== "allow") throw new Error(opened.reason);
    const lookAgain = async (route: object = {}) => {
      world.nowMs += 61_000;
      world.append({ policy: policyOf([{ path: "/optional/**", access, ...route }]) });
      return (await opened.recheck!())?.reason;
    };
    expect(await lookAgain()).toBeUndefined();
    expect(await lookAgain({ dpop: { nonce: true, single_use: "exact" } })).toBeUndefined();
    expect(await lookAgain({ dpop: { mode: "off" } })).toBe("sender_not_taken");
    world.revoke({ jkt });
    expect(await lookAgain()).toBe("token_revoked");
  });

  it.each<[unknown]>([
    [{}],
    [{ jkt: "short" }],
    [{ jkt: 7 }],
    [{ jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J" }],
    [{ jwk: { kty: "EC" } }],
    [{ jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", kid: "x" }],
    ["text"],
    [null],
    [[]],
  ])("is refused as a whole where its cnf is %j", async (cnf) => {
    const token = await world.token({ cnf });
    expect((await sendBearer("/optional/1", token)).verdict).toBe("token_claims");
    const dpop = await proof("/optional/1", { accessToken: token });
    expect((await send("/optional/1", { authorization: `DPoP ${token}`, dpop })).verdict).toBe(
      "token_claims",
    );
  });
});

describe("a route that asks for exactly one use", () => {
  it("asks the object of the key, and refuses where the proof was used in another isolate", async () => {
    expect((await sendBound("/exact/1")).verdict).toBe(200);
    expect(world.exactUses).toEqual([expect.stringMatching(new RegExp(`^${jkt}\\.proof-\\d+$`))]);
    const dpop = await proof("/exact/1", { claims: { jti: "used-elsewhere" } });
    world.exactUses.push(`${jkt}.used-elsewhere`);
    expect((await send("/exact/1", { authorization: `DPoP ${bound}`, dpop })).verdict).toBe("proof_replayed");
    await sendBound("/optional/1");
    expect(world.exactUses).toHaveLength(3);
  });

  it("answers 503, not a refusal of the proof, where the object cannot be reached", async () => {
    world.exactDown = true;
    const down = await sendBound("/exact/1");
    expect(down).toMatchObject({ verdict: "proof_unavailable", answer: { status: 503 } });
    world.exactDown = false;
    expect((await sendBound("/exact/1")).verdict).toBe(200);
  });

  it("is not asked for a proof that is not good", async () => {
    await sendBound("/exact/1", { method: "POST" });
    await sendBound("/exact/1", { with: await newKey("ES256", "thief") });
    expect(world.exactUses).toEqual([]);
  });
});

describe("a route that asks for a nonce", () => {
  it("says which one in a challenge, takes it, and tells of the next one in time", async () => {
    const first = await sendBound("/nonce/1");
    expect(first).toMatchObject({ verdict: "proof_nonce", answer: { status: 401 } });
    expect(first.answer.headers.get("www-authenticate")).toMatch(/^DPoP .*error="use_dpop_nonce".*algs="/);
    const nonce = first.answer.headers.get("dpop-nonce")!;
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const good = await sendBound("/nonce/1", { nonce });
    expect([good.verdict, good.answer.headers.get("dpop-nonce")]).toEqual([200, null]);
    world.nowMs += NONCE_WINDOW_SECONDS * 1000;
    bound = await world.token({ cnf: { jkt } });
    const late = await sendBound("/nonce/1", { nonce });
    expect(late.verdict).toBe(200);
    const next = late.answer.headers.get("dpop-nonce")!;
    expect(next).not.toBe(nonce);
    world.nowMs += NONCE_WINDOW_SECONDS * 1000;
    bound = await world.token({ cnf: { jkt } });
    expect((await sendBound("/nonce/1", { nonce })).verdict).toBe("proof_nonce");
    expect((await sendBound("/nonce/1", { nonce: next })).verdict).toBe(200);
  });

  it("takes no nonce of anybody else", async () => {
    expect((await sendBound("/nonce/1", { nonce: "a".repeat(43) })).verdict).toBe("proof_nonce");
    expect((await sendBound("/nonce/1", { nonce: "" })).verdict).toBe("proof_nonce");
    expect((await sendBound("/optional/1", { nonce: "whatever" })).verdict).toBe(200);
  });
});

describe("a token that is bound to a client certificate", () => {
  const ofCertificate = () => world.token({ cnf: { "x5t#S256": X5T } });
  const over = async (path: string, tlsClientAuth: unknown, token?: string) =>
    send(path, { authorization: `Bearer ${token ?? (await ofCertificate())}` }, { cf: { tlsClientAuth } });

  it("is good over the TLS connection of that certificate only", async () => {
    expect((await over("/certified/1", CERTIFICATE)).verdict).toBe(200);
    expect((await over("/optional/1", CERTIFICATE)).verdict).toBe(200);
    const another = { ...CERTIFICATE, certFingerprintSHA256: "0".repeat(64) };
    expect((await over("/certified/1", another)).verdict).toBe("sender_certificate");
    expect((await over("/certified/1", undefined)).verdict).toBe("sender_certificate");
    expect((await over("/certified/1", null)).verdict).toBe("sender_certificate");
    const bare = await sendBearer("/optional/1", await ofCertificate());
    expect(bare).toMatchObject({ verdict: "sender_certificate", answer: { status: 401 } });
  });

  it("needs a certificate that the platform verified and that is not revoked", async () => {
    for (const change of [
      { certVerified: "FAILED:self signed certificate" },
      { certVerified: "NONE" },
      { certPresented: "0" },
      { certRevoked: "1" },
      { certFingerprintSHA256: "" },
      { certFingerprintSHA256: FINGERPRINT.slice(2) },
    ]) {
      expect((await over("/certified/1", { ...CERTIFICATE, ...change })).verdict).toBe("sender_certificate");
    }
  });

  it("is never proven by a header", async () => {
    const headers = {
      authorization: `Bearer ${await ofCertificate()}`,
      "client-cert": `:${X5T}:`,
      "cf-client-cert-sha256": FINGERPRINT,
      "x-client-cert-fingerprint": FINGERPRINT,
      "x-forwarded-client-cert": `Hash=${FINGERPRINT}`,
    };
    expect((await send("/certified/1", headers)).verdict).toBe("sender_certificate");
  });

  it("is taken or not as the route says, whatever certificate there is", async () => {
    expect((await over("/off/1", CERTIFICATE)).verdict).toBe("sender_not_taken");
    expect((await over("/certified/1", CERTIFICATE, await world.token())).verdict).toBe("sender_unbound");
    expect((await over("/off/1", CERTIFICATE, await world.token())).verdict).toBe(200);
  });

  it("needs both where it is bound to a DPoP key as well", async () => {
    bound = await world.token({ cnf: { jkt, "x5t#S256": X5T } });
    const headers = async () => ({ authorization: `DPoP ${bound}`, dpop: await proof("/optional/1") });
    const cf = { tlsClientAuth: CERTIFICATE };
    expect((await send("/optional/1", await headers(), { cf })).verdict).toBe(200);
    expect((await send("/optional/1", await headers())).verdict).toBe("sender_certificate");
    expect((await send("/optional/1", { authorization: `DPoP ${bound}` }, { cf })).verdict).toBe(
      "proof_missing",
    );
  });
});

describe("the control plane", () => {
  const url = `${ISSUER}/v1/keys`;

  async function call(authorization: string, dpop?: string) {
    const headers = new Headers({ authorization, ...(dpop === undefined ? {} : { dpop }) });
    const deps = { ...world.deps, audience: ISSUER, requestId: "r-1" };
    const result = await authenticateOwn({ method: "GET", url, headers }, deps);
    return result.ok ? result.value.confirmation : world.lastReason;
  }

  it("takes bound tokens with their proof, and says what they are bound to", async () => {
    bound = await world.token({ aud: ISSUER, cnf: { jkt } });
    expect(await call(`DPoP ${bound}`, await proof("", { url }))).toEqual({ jkt });
    expect(await call(`DPoP ${bound}`)).toBe("proof_missing");
    expect(await call(`Bearer ${bound}`, await proof("", { url }))).toBe("sender_scheme");
    expect(await call(`DPoP ${bound}`, await proof("", { url: `${ISSUER}/v1/policy` }))).toBe("proof_target");
    expect(await call(`Bearer ${await world.token({ aud: ISSUER })}`)).toBeUndefined();
  });

  it("tells of our own token what it is bound to, where it stands for somebody or is asked about", async () => {
    const deps = { ...world.deps, requestId: "r-1" };
    for (const cnf of [{ jkt }, { "x5t#S256": X5T }, undefined]) {
      const token = await world.token(cnf ? { cnf } : {});
      for (const verify of [authenticateSubjectToken, authenticateAnyOwn]) {
        const result = await verify(token, deps);
        expect(result.ok && result.value.confirmation).toEqual(cnf);
      }
    }
  });

  it("exchanges no token that is bound to somebody else's key", async () => {
    const idp = await newKey("ES256", "idp-1");
    const issuer = {
      id: "demo",
      issuer: "https://idp.example.net",
      jwks: { keys: [idp.jwk] },
      algorithms: ["ES256"],
      audience: "portcullis",
    };
    world = await EdgeWorld.create(policyOf([], { issuers: [issuer] }));
    const theirs = async (cnf?: object) => {
      const changes = { iss: issuer.issuer, aud: "portcullis", cnf };
      const token = await world.token(changes, idp);
      const result = await authenticateSubjectToken(token, { ...world.deps, requestId: "r-1" });
      return result.ok ? result.value.facts.subject : world.lastReason;
    };
    expect(await theirs()).toBe("demo|demo|alice");
    expect(await theirs({ jkt })).toBe("sender_not_taken");
    expect(await theirs({ "x5t#S256": X5T })).toBe("sender_not_taken");
  });
});
