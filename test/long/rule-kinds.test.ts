import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startIdentityProvider } from "../../src/local/identity-provider.ts";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { signIn } from "../../src/local/sign-in.ts";
import { collect, hold } from "../support/access.ts";
import { bodyOf, type Client, clientToken, Deployment, type Receipt } from "../support/deployment.ts";
import { proofOf, thumbprintOf } from "../support/proof-factory.ts";
import { RecordingOrigin } from "../support/recording-origin.ts";
import { freeIssuer, type Runtime, startRuntime } from "../support/runtime.ts";
import { APPROVER_SCOPES, REQUESTER_SCOPES, testPolicy } from "../support/test-policy.ts";
import { newKey, signToken, type TestKey } from "../support/token-factory.ts";

/** Two routes of each pair are alike but for their tier. */
const THINGS = { strict: "/things/strict", bounded: "/things/bounded" };
const ORDERS = { strict: "/orders/1001", bounded: "/orders/1002" };
/** Of the bounded route that is asked, and of the policy's widest. */
const WIDEST_BOUND_SECONDS = 2;
const AUDIENCE = "urn:test:gate";

let stateDir: string;
let runtime: Runtime;
let gate: Deployment;
let idp: Awaited<ReturnType<typeof startIdentityProvider>>;
let origin: RecordingOrigin;
let keys: Record<"one" | "other" | "two", TestKey>;
let clients: { a: Client; b: Client };

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-rules-"));
  const issuer = await freeIssuer();
  idp = await startIdentityProvider({ port: 0, keyFile: join(stateDir, "idp.jwk.json") });
  origin = await RecordingOrigin.start();
  keys = {
    one: await newKey("ES256", "key-one"),
    other: await newKey("ES256", "key-other"),
    two: await newKey("ES256", "key-two"),
  };
  runtime = await startRuntime({ stateDir, issuer });
  gate = await Deployment.at(issuer);
  await gate.putPolicy(policy());
  clients = {
    a: await gate.newExchangeClient(["things:read"]),
    b: await gate.newExchangeClient(["things:read"]),
  };
});

afterAll(async () => {
  await runtime?.stop();
  for (const server of [origin, idp]) await server?.close();
  await rm(stateDir, { recursive: true });
});

function policy() {
  const base = testPolicy({ origin: origin.url, identityProvider: idp.url });
  const trusted = (id: string, ...of: TestKey[]) => ({
    id,
    issuer: issuerUrl(id),
    jwks: { keys: of.map(({ jwk }) => jwk) },
    algorithms: ["ES256"],
    audience: AUDIENCE,
    claims: { scopes: "scope" },
  });
  const thing = { origin: "demo", access: { scopes: ["things:read"] } };
  return {
    ...base,
    issuers: [...base.issuers, trusted("one", keys.one, keys.other), trusted("two", keys.two)],
    routes: [
      ...base.routes,
      { ...thing, id: "thing-strict", path: THINGS.strict, consistency: { tier: "strict" } },
      { ...thing, id: "thing-bounded", path: THINGS.bounded },
    ],
    roles: {
      ...base.roles,
      developer: { scopes: [...base.roles.developer!.scopes, "things:read"] },
      approver: { scopes: [...base.roles.approver!.scopes, "things:read"] },
    },
  };
}

function issuerUrl(id: string): string {
  return `https://${id}.example.com`;
}

type Match = Record<string, string>;

/**
 * What one rule is tried on. `old` and `young` fit the match and were issued before and after `moment`; the
 * neighbour differs from them in what the rule names, and was issued before it.
 */
type Trial = {
  match: Match;
  old: string;
  young: string;
  moment: number;
  neighbour: string;
  paths: typeof THINGS;
};

/** A key and the id of the issuer whose it is. */
type Signer = [TestKey, string];

let made = 0;

/** A token of a trusted issuer, which can say anything about itself. */
function foreign(claims: object, iat: number, [key, id]: Signer = [keys.one, "one"]): Promise<string> {
  const header = { alg: "ES256", typ: "at+jwt", kid: key.kid };
  const base = { sub: `someone-${++made}`, jti: `foreign-${made}`, client_id: `client-${made}` };
  return signToken(key, header, {
    iss: issuerUrl(id),
    aud: AUDIENCE,
    scope: "things:read",
    iat,
    exp: iat + 600,
    ...base,
    ...claims,
  });
}

async function foreignTrial(match: Match, hit: object, spared: object, hitBy?: Signer): Promise<Trial> {
  const moment = Math.floor(Date.now() / 1000) - 5;
  return {
    match,
    moment,
    old: await foreign(hit, moment - 1, hitBy),
    young: await foreign(hit, moment, hitBy),
    neighbour: await foreign(spared, moment - 1),
    paths: THINGS,
  };
}

/** Tokens of ours; the young one is minted in a later second. */
async function ownTrial(
  match: (token: string) => Match,
  mint: () => Promise<string>,
  mintNeighbour: () => Promise<string>,
  paths = THINGS,
): Promise<Trial> {
  const old = await mint();
  const neighbour = await mintNeighbour();
  await nextSecond(neighbour);
  const young = await mint();
  const moment = Number(decodeJwt(young).iat);
  expect(decodeJwt(old).iat).toBeLessThan(moment);
  return { match: match(old), old, young, moment, neighbour, paths };
}

async function nextSecond(token: string): Promise<void> {
  const { iat = 0 } = decodeJwt(token);
  while (Math.floor(Date.now() / 1000) <= iat) await sleep(50);
}

/** A person's token for the origin, exchanged through a client. */
async function personal(user: "alice" | "bob", client: Client): Promise<string> {
  const answer = await gate.exchange(client, await signIn({ idp: idp.url, user }), {
    audience: ORIGIN_AUDIENCE,
  });
  return bodyOf<{ access_token: string }>(answer, 200).access_token;
}

async function grantTrial(): Promise<Trial> {
  const requester = await gate.newPerson(["developer"], REQUESTER_SCOPES);
  const approver = await gate.newPerson(["approver"], APPROVER_SCOPES);
  const people = { requester, approver };
  const held = await hold(gate, people);
  const other = await hold(gate, people);
  await nextSecond(other.token);
  const young = await collect(gate, requester.token, held.request);
  const moment = Number(decodeJwt(young).iat);
  const match = { grant: held.grant };
  return { match, old: held.token, young, moment, neighbour: other.token, paths: ORDERS };
}

/** Each kind of rule, as a name and what it is tried on. */
const KINDS: [string, () => Promise<Trial>][] = [
  ["one token", () => foreignTrial({ jti: "j-1", iss: issuerUrl("one") }, { jti: "j-1" }, { jti: "j-2" })],
  ["a session", () => foreignTrial({ session: "s-1" }, { sid: "s-1" }, { sid: "s-2" })],
  ["a person of an issuer", () => foreignTrial({ sub: "one|eve" }, { sub: "eve" }, { sub: "adam" })],
  ["a client of an issuer", () => foreignTrial({ client_id: "c-1" }, { client_id: "c-1" }, {})],
  ["a key of an issuer", () => foreignTrial({ kid: "key-other" }, {}, {}, [keys.other, "one"])],
  ["an issuer", () => foreignTrial({ iss: issuerUrl("two") }, {}, {}, [keys.two, "two"])],
  [
    "two claims together",
    () =>
      foreignTrial(
        { sub: "one|mallory", client_id: "c-9" },
        { sub: "mallory", client_id: "c-9" },
        { client_id: "c-9" },
      ),
  ],
  ["a grant", grantTrial],
  [
    "a person with our tokens",
    () =>
      ownTrial(
        () => ({ sub: "demo|alice" }),
        () => personal("alice", clients.a),
        () => personal("bob", clients.a),
      ),
  ],
  [
    "a client of ours",
    () =>
      ownTrial(
        () => ({ client_id: clients.b.id }),
        () => personal("bob", clients.b),
        () => personal("bob", clients.a),
      ),
  ],
  [
    "a client that acts for itself",
    async () => {
      const acting = await gate.newClient({ scopes: ["things:read"] });
      const mint = (client: Client) => () => clientToken(gate.issuer, client, ORIGIN_AUDIENCE);
      const other = await gate.newClient({ scopes: ["things:read"] });
      return ownTrial(() => ({ sub: acting.id }), mint(acting), mint(other));
    },
  ],
];

/** The keys of tokens that are bound to one. */
const senders = new Map<string, TestKey>();

async function use(token: string, path: string): Promise<number> {
  const sender = senders.get(token);
  if (!sender) return (await gate.call(path, { token })).status;
  const nowSeconds = Math.floor(Date.now() / 1000);
  const dpop = await proofOf(sender, { url: gate.issuer + path, nowSeconds, accessToken: token });
  return (await gate.call(path, { headers: { authorization: `DPoP ${token}`, dpop } })).status;
}

async function revoke(rule: object): Promise<Receipt> {
  return bodyOf(await gate.asOperator("/v1/revocations", { json: { reason: "a test", ...rule } }), 201);
}

async function lift(id: string): Promise<void> {
  bodyOf(await gate.asOperator(`/v1/revocations/${id}`, { method: "DELETE" }), 200);
}

/** Strict at once, bounded by the moment that the receipt states; whoever is not hit goes on on both. */
async function expectEnforced(
  receipt: Receipt,
  tokens: { refused: string[]; accepted: string[] },
  paths: typeof THINGS,
): Promise<void> {
  for (const token of tokens.refused) expect(await use(token, paths.strict)).toBe(401);
  for (const token of tokens.accepted) expect(await use(token, paths.strict)).toBe(200);
  const { accepted_at, effective_by } = receipt;
  expect(effective_by.bounded - accepted_at).toBeCloseTo(WIDEST_BOUND_SECONDS, 3);
  await sleep(Math.max(0, effective_by.bounded * 1000 - Date.now()));
  for (const token of tokens.refused) expect(await use(token, paths.bounded)).toBe(401);
  for (const token of tokens.accepted) expect(await use(token, paths.bounded)).toBe(200);
}

// At the same time: no rule of one hits what another is tried on.
describe.concurrent.each(KINDS)("a revocation of %s", (_kind, prepare) => {
  it("cuts what it names, spares its neighbour, and gives back what it took when it is lifted", async () => {
    const { match, moment, old, young, neighbour, paths } = await prepare();
    const all = [old, young, neighbour];
    for (const token of all) expect(await use(token, paths.strict)).toBe(200);

    const dated = await revoke({ match, issued_before: moment });
    await expectEnforced(dated, { refused: [old], accepted: [young, neighbour] }, paths);
    await lift(dated.id);
    for (const token of all) expect(await use(token, paths.strict)).toBe(200);

    const whole = await revoke({ match });
    await expectEnforced(whole, { refused: [old, young], accepted: [neighbour] }, paths);
    expect(await gate.asOperator(`/v1/revocations/${whole.id}`)).toMatchObject({
      body: { state: "in_force", match, actor: "operator", history: [{ event: "created" }] },
    });
    await lift(whole.id);
    for (const token of all) expect(await use(token, paths.strict)).toBe(200);
  });
});

describe("a revocation of a sender key", () => {
  it("cuts every token that is bound to it, whoever issued it, and no other", async () => {
    const now = Math.floor(Date.now() / 1000);
    const sender = await newKey("ES256", "sender");
    const stranger = await newKey("ES256", "stranger");
    const bind = async (key: TestKey, signer?: Signer) => {
      const token = await foreign({ cnf: { jkt: await thumbprintOf(key) } }, now, signer);
      senders.set(token, key);
      return token;
    };
    const bound = [await bind(sender), await bind(sender, [keys.two, "two"])];
    const others = [await foreign({}, now), await bind(stranger)];
    for (const token of [...bound, ...others]) expect(await use(token, THINGS.strict)).toBe(200);
    const jkt = await thumbprintOf(sender);
    const receipt = await revoke({ match: { jkt } });
    await expectEnforced(receipt, { refused: bound, accepted: others }, THINGS);
    await expect
      .poll(() => runtime.kv(`deny:jkt:${jkt}`), { timeout: 10_000 })
      .toMatchObject([{ id: receipt.id }]);
    await lift(receipt.id);
    for (const token of bound) expect(await use(token, THINGS.strict)).toBe(200);
  });
});

describe("the red button", () => {
  it("cuts every token from before a moment, the operator's own too, and none from after it", async () => {
    const old = await personal("alice", clients.a);
    const moment = Math.floor(Date.now() / 1000) + 1;
    const foreignOld = await foreign({}, moment - 3);
    const foreignYoung = await foreign({}, moment);
    while (Date.now() < moment * 1000) await sleep(20);
    const young = await personal("alice", clients.a);

    const receipt = await revoke({ match: {}, issued_before: moment });
    await expectEnforced(receipt, { refused: [old, foreignOld], accepted: [young, foreignYoung] }, THINGS);
    expect((await gate.asOperator("/v1/revocations")).status).toBe(401);
    gate = await Deployment.at(gate.issuer);
    await lift(receipt.id);
    for (const token of [old, foreignOld]) expect(await use(token, THINGS.strict)).toBe(200);
  });

  it("is refused where nobody could lift it again", async () => {
    const answer = await gate.asOperator("/v1/revocations", {
      json: { match: { iss: gate.issuer }, reason: "a slip" },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_body" } });
    expect((await gate.asOperator("/v1/revocations")).status).toBe(200);
  });
});
