import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { hold } from "../support/access.ts";
import { bodyOf, type Client, clientToken, Deployment } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { CUT_AND_UNDONE, type Firing, RuleFirings, until } from "../support/rule-firings.ts";
import { OPERATOR_SECRET } from "../support/runtime.ts";

/** The rules are those that hold by default; only what is a detection comes sooner than in production. */
const DETECTIONS = {
  token_tampered: { threshold: 5, window_seconds: 10 },
  token_used_after_expiry: { threshold: 3, window_seconds: 60, grace_seconds: 0 },
  token_used_after_revocation: { threshold: 5, window_seconds: 60 },
  token_overused: { threshold: 150, window_seconds: 10 },
};
const THINGS = "/things/1";
const BOUND_MS = 2_000;

type Tokens = { access_token: string; refresh_token: string };
type Detection = { id: string; kind: string; about: Record<string, string>; outcomes: { outcome: string }[] };

let stand: PeopleStand;
let app: Client;
let machine: Client;

beforeAll(async () => {
  stand = await standUpWithPeople((policy) => ({
    ...policy,
    routes: [
      ...policy.routes,
      { id: "things", path: "/things/**", origin: "demo", access: { scopes: ["things:read"] } },
    ],
    roles: { ...policy.roles, reader: { scopes: ["things:read"] } },
    sessions: {},
    detections: DETECTIONS,
  }));
  app = await stand.gate.newClient({
    grant_types: [TOKEN_EXCHANGE, "refresh_token"],
    scopes: ["things:read"],
  });
  machine = await stand.gate.newClient({ scopes: ["things:read"] });
});

afterAll(() => stand?.stop());

const operator = () => clientToken(stand.gate.issuer, { id: "operator", secret: OPERATOR_SECRET });
const things = () => clientToken(stand.gate.issuer, machine, ORIGIN_AUDIENCE);
const use = async (token: string, from = "192.0.2.1", path = THINGS) =>
  (await stand.gate.call(path, { token, headers: { "cf-connecting-ip": from } })).status;

/** Many requests, a few at a time. */
async function useOften(token: string, times: number, from?: string): Promise<void> {
  for (let done = 0; done < times; done += 10) {
    await Promise.all(Array.from({ length: 10 }, () => use(token, from)));
  }
}

const untilStatus = (token: string, status: number, from?: string) =>
  until(`status ${status}`, async () => ((await use(token, from)) === status ? true : undefined));

const get = async <T>(path: string) =>
  bodyOf<T>(await stand.gate.call(path, { token: await operator() }), 200);
const rules = async () => new RuleFirings(await Deployment.at(stand.gate.issuer));
const firing = async (rule: string) => (await rules()).settled(rule);
const undo = async ({ id }: Firing) => (await rules()).undo(id);
/** What the audit log has of a firing, and of the revocations that it led to. */
const audited = async (fired: Firing) => (await rules()).audited(fired);
/** Whom the revocations in force hit that rules made. A session that was refreshed after that has ended for good. */
const cuts = async () => {
  type Shown = { actor: string; reason: string; state: string; match: object };
  const { items } = await get<{ items: Shown[] }>("/v1/revocations?limit=200");
  const byRules = items.filter(
    ({ actor, reason }) => actor.startsWith("remediation:") && reason.startsWith("Rule "),
  );
  return byRules.filter(({ state }) => state === "in_force").map(({ match }) => match);
};

/** Somebody who has signed in, with a session of their own. */
async function signedIn(sub: string): Promise<Tokens> {
  const token = await stand.people.token(sub, { roles: ["reader"] });
  return bodyOf(await stand.gate.exchange(app, token, { audience: ORIGIN_AUDIENCE }), 200);
}
async function refreshed(refresh_token: string): Promise<{ status: number; body: Tokens }> {
  const form = { grant_type: "refresh_token", refresh_token };
  const { status, body } = await stand.gate.call("/oauth/token", { client: app, form });
  return { status, body: body as Tokens };
}
/** With a signature that never holds. */
function forged(token: string): string {
  const [header, claims, signature = ""] = token.split(".");
  const at = 10;
  const other = signature[at] === "A" ? "B" : "A";
  return `${header}.${claims}.${signature.slice(0, at)}${other}${signature.slice(at + 1)}`;
}

describe("attack traffic, and the rules that hold by default", () => {
  it("a token that is used far too often is cut, and it alone; an undo lets it in again", async () => {
    const [hot, calm] = [await things(), await things()];
    await useOften(hot, 300);
    expect(await use(calm)).toBe(200);
    const fired = await firing("overused-token");
    expect(fired).toMatchObject({ detection_kind: "token_overused", state: "acted" });
    const { jti } = decodeJwt(hot);
    expect(fired.actions[0]).toMatchObject({ kind: "revoke", on: { jti } });
    await sleep(Math.max(0, fired.actions[0]!.receipt!.accepted_at * 1000 + BOUND_MS - Date.now()));
    expect(await use(hot)).toBe(401);
    expect(await use(calm)).toBe(200);
    expect(await cuts()).toEqual([fired.actions[0]!.on]);
    expect(await undo(fired)).toMatchObject({ state: "undone" });
    await untilStatus(hot, 200);
    expect(await cuts()).toEqual([]);
    expect(await audited(fired)).toEqual(CUT_AND_UNDONE);
  });

  it("an expired token that is sent on is counted, and nothing is cut", async () => {
    const held = await hold(stand.gate, stand, { duration_seconds: 4 });
    await sleep(Math.max(0, held.expiresAt * 1000 - Date.now()) + 1_500);
    for (let i = 0; i < 6; i++) expect(await use(held.token, undefined, "/orders")).toBe(401);
    const fired = await firing("expired-token-in-use");
    expect(fired).toMatchObject({ state: "acted", actions: [{ kind: "count" }] });
    expect(await cuts()).toEqual([]);
    await expect(undo(fired)).rejects.toThrow("409");
    expect(await audited(fired)).toEqual(["remediation.acted by portcullis"]);
  });

  it("a revoked token that is used on ends the session that it is from, and no other of the person", async () => {
    const [phone, laptop] = [await signedIn("ann"), await signedIn("ann")];
    const { jti, iss, sid } = decodeJwt(phone.access_token) as Record<string, string>;
    await stand.gate.revoke({ jti: jti!, iss: iss! });
    await untilStatus(phone.access_token, 401);
    const second = await refreshed(phone.refresh_token);
    expect(second.status).toBe(200);
    expect(await use(second.body.access_token)).toBe(200);
    await useOften(phone.access_token, 20);
    const fired = await firing("revoked-token-in-use");
    expect(fired.actions[0]).toMatchObject({ kind: "revoke", on: { session: sid } });
    await untilStatus(second.body.access_token, 401);
    expect((await refreshed(second.body.refresh_token)).status).toBe(400);
    expect(await use(laptop.access_token)).toBe(200);
    expect((await refreshed(laptop.refresh_token)).status).toBe(200);
    expect(await cuts()).toEqual([{ session: sid }]);
    await undo(fired);
    expect(await cuts()).toEqual([]);
    expect(await audited(fired)).toEqual(CUT_AND_UNDONE);
  });

  it("a session that was cut so and let in again goes on as it was", async () => {
    const tab = await signedIn("cleo");
    const { jti, iss, sid } = decodeJwt(tab.access_token) as Record<string, string>;
    const second = (await refreshed(tab.refresh_token)).body;
    await stand.gate.revoke({ jti: jti!, iss: iss! });
    await untilStatus(tab.access_token, 401);
    await useOften(tab.access_token, 20);
    await untilStatus(second.access_token, 401);
    const fired = await (await rules()).settled("revoked-token-in-use", ({ session }) => session === sid);
    await undo(fired);
    await untilStatus(second.access_token, 200);
    expect((await refreshed(second.refresh_token)).status).toBe(200);
    expect(await use(tab.access_token)).toBe(401);
  });

  it("forged tokens are told of, and where it does not stop, their address is shut out, and no other", async () => {
    const token = await things();
    const wrong = forged(token);
    const from = "198.51.100.66";
    const fired = await until(
      "a block",
      async () => {
        await useOften(wrong, 10, from);
        return (await (await rules()).of("tampered-tokens-without-end"))[0];
      },
      { limitMs: 90_000 },
    );
    expect((await (await rules()).of("tampered-tokens")).length).toBeGreaterThanOrEqual(1);
    expect(fired.actions[0]).toMatchObject({ kind: "block_address", on: { address: from } });
    await untilStatus(token, 403, from);
    expect(await use(token, "198.51.100.67")).toBe(200);
    expect(await use(token)).toBe(200);
    expect(await cuts()).toEqual([{ address: from }]);
    await undo(fired);
    await untilStatus(token, 200, from);
    expect(await audited(fired)).toEqual(CUT_AND_UNDONE);
  });

  it("a key that is known to others takes everything with it that it signed, and nothing signed since", async () => {
    const before = await things();
    const signedInBefore = await signedIn("bea");
    const { kid } = decodeProtectedHeader(before);
    const json = { compromised_kid: kid, reason: "it was on a laptop" };
    bodyOf(await stand.gate.call("/v1/keys/rotate", { token: await operator(), json }), 201);
    await untilStatus(before, 401);
    expect(await use(signedInBefore.access_token)).toBe(401);
    const after = await things();
    expect(decodeProtectedHeader(after).kid).not.toBe(kid);
    expect(await use(after)).toBe(200);
    const fired = await firing("compromised-key");
    expect(fired.actions[0]).toMatchObject({ kind: "revoke", on: { kid } });
    await sleep(BOUND_MS);
    expect(await use(after)).toBe(200);
    // A session does not hang on the key: the person notices nothing.
    const renewed = await refreshed(signedInBefore.refresh_token);
    expect(renewed.status).toBe(200);
    expect(await use(renewed.body.access_token)).toBe(200);
    await undo(fired);
    expect(await use(before)).toBe(401);
    expect(await audited(fired)).toEqual(CUT_AND_UNDONE);
  });

  it("leaves a record of each: what was noticed, and what was done", async () => {
    const { items } = await get<{ items: Detection[] }>("/v1/detections?limit=200");
    expect(new Set(items.map(({ kind }) => kind))).toEqual(
      new Set([
        "token_overused",
        "token_used_after_expiry",
        "token_used_after_revocation",
        "token_tampered",
        "key_compromised",
      ]),
    );
    for (const { outcomes } of items) expect(outcomes.length).toBeGreaterThan(0);
    const candidates = [
      { id: "all", when: "token_overused", actions: [{ kind: "revoke", target: "narrowest" }] },
    ];
    const token = await operator();
    const replay = await stand.gate.call("/v1/remediation-rules/replay", {
      token,
      json: { rules: candidates, since: 0 },
    });
    expect(bodyOf(replay, 200)).toMatchObject({ rules: [{ rule_id: "all", outcomes: { acted: 1 } }] });
  });
});
