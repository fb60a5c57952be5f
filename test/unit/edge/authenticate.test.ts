import { beforeEach, describe, expect, it } from "vitest";
import { authenticateOwn, authenticateSubjectToken } from "../../../src/edge/authenticate.ts";
import { EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";
import { newKey, signToken, type TestKey } from "../../support/token-factory.ts";

const IDP = "https://idp.example.net";

let world: EdgeWorld;
let idp: TestKey;

beforeEach(async () => {
  idp = await newKey("ES256", "idp-1");
  const issuer = {
    id: "demo",
    issuer: IDP,
    jwks: { keys: [idp.jwk] },
    algorithms: ["ES256"],
    audience: "portcullis",
    claims: { roles: "groups" },
  };
  world = await EdgeWorld.create(policyOf([], { issuers: [issuer] }));
});

const ours = (changes: Record<string, unknown> = {}) => world.token({ aud: ISSUER, ...changes });
function theirs(changes: Record<string, unknown> = {}) {
  const now = world.nowMs / 1000;
  const claims = {
    iss: IDP,
    sub: "alice",
    aud: "portcullis",
    iat: now,
    exp: now + 300,
    groups: ["dev"],
    ...changes,
  };
  return signToken(idp, { alg: "ES256", typ: "at+jwt", kid: "idp-1" }, claims);
}

async function own(token: string | undefined, url = `${ISSUER}/v1/keys`) {
  const headers = new Headers(token === undefined ? {} : { authorization: `Bearer ${token}` });
  const result = await authenticateOwn(
    { method: "GET", url, headers },
    { ...world.deps, audience: ISSUER, requestId: "r-1" },
  );
  return result.ok ? result.value.facts.subject : { ...result.error, reason: world.lastReason };
}

async function subject(token: string) {
  const result = await authenticateSubjectToken(token, { ...world.deps, requestId: "r-1" });
  return result.ok ? result.value.facts.subject : { ...result.error, reason: world.lastReason };
}

describe("a call to the control plane", () => {
  it("is made with a token of ours for the issuer", async () => {
    expect(await own(await ours())).toBe("demo|alice");
    expect(await own(await ours({ aud: ["x", ISSUER] }), `${ISSUER}/v1/keys?limit=1`)).toBe("demo|alice");
  });

  it("is refused with a problem, a challenge and a line in the log", async () => {
    const missing = await own(undefined);
    expect(missing).toMatchObject({ problem: { code: "invalid_token" }, reason: "credential_missing" });
    expect(missing).toHaveProperty(
      "challenge",
      `Bearer realm="${ISSUER}", resource_metadata="${ISSUER}/.well-known/oauth-protected-resource"`,
    );
    expect(world.lines.at(-1)?.fields).toMatchObject({ decision_id: "r-1" });
    expect(missing).toHaveProperty("problem.extra.decision_id", "r-1");
    expect(await own(await ours({ aud: "https://orders.internal" }))).toMatchObject({
      reason: "token_audience",
    });
    expect(await own(await ours({ exp: 1 }))).toMatchObject({ reason: "token_expired" });
    expect(await own("a.b.c")).toMatchObject({ reason: "token_malformed" });
    expect(await own(await ours(), `${ISSUER}/v1/keys?access_token=x`)).toMatchObject({
      problem: { code: "invalid_request" },
      reason: "credential_in_query",
    });
  });

  it("is never made with another issuer's token", async () => {
    expect(await own(await theirs({ aud: ISSUER }))).toMatchObject({
      problem: { code: "invalid_token" },
      reason: "token_issuer",
    });
  });

  it("sees a revocation within 2 s, and is refused where it cannot be asked about", async () => {
    const token = await ours();
    expect(await own(token)).toBe("demo|alice");
    world.revoke({ sub: "demo|alice" });
    world.nowMs += 2001;
    expect(await own(token)).toMatchObject({ reason: "token_revoked" });
    world.append({ revocations: [] });
    world.nowMs += 2001;
    expect(await own(token)).toBe("demo|alice");
    world.logDown = true;
    world.nowMs += 2001;
    const stale = await own(token);
    expect(stale).toMatchObject({ problem: { code: "stale" }, reason: "stale" });
    expect(stale).not.toHaveProperty("challenge");
  });

  it("is refused when something breaks", async () => {
    const token = await ours();
    world.tokens.get = () => {
      throw new Error("broken");
    };
    expect(await own(token)).toMatchObject({ problem: { code: "internal" }, reason: "internal" });
  });
});

describe("a token that is sent to be exchanged", () => {
  it("is one of a trusted issuer, for the audience that the policy names", async () => {
    expect(await subject(await theirs())).toBe("demo|alice");
    expect(await subject(await theirs({ aud: "elsewhere" }))).toMatchObject({ reason: "token_audience" });
    expect(await subject("")).toMatchObject({ reason: "token_malformed" });
  });

  it("is one of ours, while it is not revoked", async () => {
    const token = await ours();
    expect(await subject(token)).toEqual(expect.any(String));
    world.revoke({ iss: ISSUER });
    world.nowMs += 2001;
    expect(await subject(token)).toMatchObject({ reason: "token_revoked" });
  });

  it("can be revoked by the subject's name here", async () => {
    const token = await theirs();
    expect(await subject(token)).toBe("demo|alice");
    world.revoke({ sub: "demo|alice" });
    world.nowMs += 2001;
    expect(await subject(token)).toMatchObject({ reason: "token_revoked" });
  });
});
