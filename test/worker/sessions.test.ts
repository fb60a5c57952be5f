import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { describe, expect, it, vi } from "vitest";
import type { DirectoryObject } from "../../src/access/directory-object.ts";
import { newId } from "../../src/platform/ids.ts";
import { sha256Hex } from "../../src/protocol/encoding.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { Revocation } from "../../src/revocation/rule.ts";
import type { SessionTerms } from "../../src/tokens/entitlement.ts";
import type { Assertion, SessionOpening } from "../../src/tokens/session.ts";
import type { RefreshCall } from "../../src/tokens/session-flow.ts";
import type { SessionObject } from "../../src/tokens/session-object.ts";
import { expectValue, remote } from "../support/remote.ts";
import {
  assertionWith,
  browserTermsWith,
  openingWith,
  SESSION_ISSUER,
  sessionPolicy,
  termsWith,
} from "../support/session-world.ts";

const log = remote<LogObject>(env.LOG.getByName("main"));
const directory = remote<DirectoryObject>(env.DIRECTORY.getByName("main"));
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** A session that is open, with its first refresh token. Its person is nobody else's. */
async function newSession(over: Partial<SessionOpening> = {}, terms: SessionTerms = termsWith()) {
  const id = newId("ses", Date.now());
  const stub = env.SESSION.getByName(id);
  const object = remote<SessionObject>(stub);
  const sub = id.slice(-8);
  const facts = {
    ...assertionWith().facts,
    sub,
    subject: `idp|${sub}`,
    jti: `j-${id}`,
    session: `s-${id}`,
    iat: nowSeconds(),
  };
  const assertion: Assertion = { ...assertionWith(), facts };
  const opening = openingWith({ id, subject: facts.subject, assertion, ...over });
  const opened = expectValue(await object.open({ opening, terms, scopes: opening.scopes }));
  const refresh = async (token: string, more: Partial<RefreshCall> = {}) =>
    object.refresh({
      credential: await sha256Hex(token),
      binding: { client_id: "cli_1" },
      ask: {},
      terms,
      ...more,
    });
  return { id, stub, object, opening, facts, opened, token: opened.refresh_token, refresh };
}

const refused = { ok: false, error: { code: "invalid_token" } };
const stored = (stub: DurableObjectStub) =>
  runInDurableObject(stub, (_instance, { storage: { sql } }) =>
    ["session", "events", "outbox"]
      .map((table) => JSON.stringify(sql.exec(`SELECT * FROM ${table}`).toArray()))
      .join(),
  );
const events = (stub: DurableObjectStub) =>
  runInDurableObject(stub, (_instance, { storage: { sql } }) =>
    sql
      .exec<{ type: string }>("SELECT type FROM events ORDER BY id")
      .toArray()
      .map(({ type }) => type),
  );

async function revoke(rule: Partial<Revocation> & Pick<Revocation, "match">): Promise<string> {
  const id = newId("rev", Date.now());
  const whole = { id, reason: "a test", actor: "operator", created_at: nowSeconds(), ...rule };
  expectValue(await log.append({ id, kind: "revocation.added", rule: whole }));
  return id;
}

describe("a session", () => {
  it("of which fifty refresh at once has one successor, the same answer for all, and is not ended", async () => {
    const { token, refresh, object, stub, id } = await newSession();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(token)));
    const texts = new Set(answers.map((answer) => JSON.stringify(expectValue(answer))));
    expect(texts.size).toBe(1);
    const { refresh_token: next, access_token: access } = expectValue(answers[0]!);
    expect(decodeJwt(access)).toMatchObject({
      sid: id,
      client_id: "cli_1",
      scope: "profile orders:read orders:write",
    });
    expect(expectValue(await object.find(await sha256Hex(next)))).toMatchObject({ state: "active" });
    expect(await object.find(await sha256Hex(token))).toMatchObject({ error: { code: "not_found" } });
    expect((await refresh(next)).ok).toBe(true);
    expect(await events(stub)).toEqual(["session.opened"]);
  });

  it("answers the same bytes again after eviction, and keeps no token in clear", async () => {
    const { token, refresh, stub, opened } = await newSession();
    const first = expectValue(await refresh(token));
    await evictDurableObject(stub);
    expect(expectValue(await refresh(token))).toEqual(first);
    const text = await stored(stub);
    expect(text).toContain("v1.");
    for (const secret of [token, opened.access_token, first.refresh_token, first.access_token]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(secret.slice(-20));
    }
  });

  it("is opened once: a repeat answers the same until it is refreshed", async () => {
    const { object, opening, opened, token, refresh } = await newSession();
    const again = () => object.open({ opening, terms: termsWith(), scopes: opening.scopes });
    expect(expectValue(await again())).toEqual(opened);
    await refresh(token);
    expect(await again()).toMatchObject(refused);
  });

  it("ends where a spent token comes again, denies what it gave out, and tells of it", async () => {
    const { id, token, refresh, object, stub } = await newSession();
    const { refresh_token: second } = expectValue(await refresh(token));
    const { refresh_token: third } = expectValue(await refresh(second));
    expect(await refresh(token)).toMatchObject(refused);
    for (const each of [token, second, third]) expect(await refresh(each)).toMatchObject(refused);
    expect(expectValue(await object.read())).toMatchObject({
      state: "revoked",
      ended: { by: "reuse_detection" },
    });
    expect(await events(stub)).toEqual(["session.opened", "session.reuse_detected"]);
    const receipt = expectValue(await object.revoke("operator", "again"));
    expect(expectValue(await log.revocation(receipt.id))).toMatchObject({
      match: { session: id, iss: env.ISSUER },
      actor: "reuse_detection",
    });
  });

  it("of a key or another client is refused to everybody else, and goes on", async () => {
    const { token, refresh } = await newSession({ binding: { client_id: "cli_1", jkt: "key" } });
    expect(await refresh(token)).toMatchObject(refused);
    expect(await refresh(token, { binding: { client_id: "cli_2", jkt: "key" } })).toMatchObject(refused);
    expect((await refresh(token, { binding: { client_id: "cli_1", jkt: "key" } })).ok).toBe(true);
  });

  it("answers a repeat only to the same request", async () => {
    const { token, refresh } = await newSession();
    const narrow = { ask: { scopes: ["orders:read"] } };
    const first = expectValue(await refresh(token, narrow));
    expect(first.scope).toBe("orders:read");
    expect(await refresh(token)).toMatchObject(refused);
    expect(expectValue(await refresh(token, narrow))).toEqual(first);
    expect((await refresh(first.refresh_token)).ok).toBe(true);
  });

  it("gives less at the next refresh once its person has less, and refuses what nobody stands for", async () => {
    const { token, refresh } = await newSession();
    const fewer = termsWith({ roles: { developer: { scopes: ["orders:read"] } } });
    const { scope, refresh_token: next } = expectValue(await refresh(token, { terms: fewer }));
    expect(scope).toBe("profile orders:read");
    expect(await refresh(next, { terms: termsWith({ issuers: {} }) })).toMatchObject(refused);
    expect((await refresh(next)).ok).toBe(true);
  });

  it("takes a fresh word of its identity provider for the roles that it goes on with", async () => {
    const { token, refresh, facts } = await newSession();
    const demoted: Assertion = { ...assertionWith(), facts, roles: ["viewer"] };
    const first = expectValue(await refresh(token, { assertion: demoted }));
    expect(first.scope).toBe("profile orders:read");
    expect(decodeJwt(first.access_token).roles).toEqual(["viewer"]);
    const { scope, refresh_token: next } = expectValue(await refresh(first.refresh_token));
    expect(scope).toBe("profile orders:read");
    const old = { ...demoted, facts: { ...facts, iat: facts.iat - 1 }, roles: ["developer"] };
    expect(await refresh(next, { assertion: old })).toMatchObject(refused);
  });
});

describe("a revocation", () => {
  it.each<
    [
      string,
      (of: { id: string; facts: Assertion["facts"] }) => Partial<Revocation> & Pick<Revocation, "match">,
    ]
  >([
    ["its person", ({ facts }) => ({ match: { sub: facts.subject } })],
    [
      "everything of its person from before",
      ({ facts }) => ({ match: { sub: facts.subject }, issued_before: nowSeconds() + 1 }),
    ],
    [
      "the identity provider's token, also once that rule is over",
      ({ facts }) => ({ match: { jti: facts.jti! }, expires_at: nowSeconds() }),
    ],
    [
      "the session at the identity provider",
      ({ facts }) => ({ match: { iss: facts.iss, session: facts.session! } }),
    ],
    ["itself", ({ id }) => ({ match: { session: id } })],
  ])("of %s ends the session at its next refresh, and what it gave out", async (_what, ruleOf) => {
    const { id, facts, token, refresh, object } = await newSession();
    const neighbour = await newSession();
    const ruleId = await revoke(ruleOf({ id, facts }));
    expect(await refresh(token)).toMatchObject(refused);
    expect(expectValue(await object.read())).toMatchObject({
      state: "revoked",
      ended: { by: "operator", reason: expect.stringContaining(ruleId) },
    });
    const receipt = expectValue(await object.revoke("operator", "again"));
    expect(expectValue(await log.revocation(receipt.id)).match).toMatchObject({ session: id });
    expect((await neighbour.refresh(neighbour.token)).ok).toBe(true);
  });

  it("that was lifted, or that is older than the session, does not", async () => {
    const { token, refresh, facts } = await newSession();
    const revocation_id = await revoke({ match: { sub: facts.subject } });
    const lifted = {
      id: newId("log", Date.now()),
      kind: "revocation.lifted",
      revocation_id,
      actor: "o",
    } as const;
    expectValue(await log.append(lifted));
    await revoke({ match: { sub: facts.subject }, created_at: nowSeconds() - 100, expires_at: nowSeconds() });
    await revoke({ match: { sub: facts.subject }, issued_before: nowSeconds() - 100 });
    expect((await refresh(token)).ok).toBe(true);
  });

  it("by hand answers the log's receipt, the same one each time; one of another client finds nothing", async () => {
    const { token, refresh, object, id } = await newSession();
    expect(await object.revoke("cli_2", "no", "cli_2")).toMatchObject({ error: { code: "not_found" } });
    const receipt = expectValue(await object.revoke("operator", "laptop stolen"));
    expect(expectValue(await object.revoke("cli_1", "again", "cli_1"))).toEqual(receipt);
    expect(expectValue(await log.revocation(receipt.id))).toMatchObject({
      match: { session: id },
      reason: "laptop stolen",
    });
    expect(await refresh(token)).toMatchObject(refused);
  });
});

describe("time", () => {
  it("ends a session that is not used, and the directory is told by its alarm", async () => {
    const terms = termsWith({ sessions: sessionPolicy({ idle_seconds: 1 }) });
    const { id, token, refresh, stub, facts } = await newSession({}, terms);
    const listed = async () =>
      expectValue(await directory.listSessions({ limit: 10, subject: facts.subject }));
    await vi.waitFor(async () => expect(await listed()).toMatchObject([{ id, state: "active" }]), 5_000);
    await vi.waitFor(async () => expect(await listed()).toMatchObject([{ id, state: "expired" }]), 10_000);
    expect(await refresh(token)).toMatchObject(refused);
    expect(await events(stub)).toEqual(["session.opened", "session.expired"]);
  });

  it("bounds every access token by the session's own end", async () => {
    const terms = termsWith({ sessions: sessionPolicy({ idle_seconds: 60, absolute_seconds: 60 }) });
    expect((await newSession({}, terms)).opened.expires_in).toBe(60);
  });

  it("forgets a session a week after its end", async () => {
    const { object, stub } = await newSession();
    expectValue(await object.revoke("operator", "r"));
    await vi.waitFor(async () => expect(await stored(stub)).toContain("[]"), 5_000);
    await runInDurableObject(stub, (_instance, { storage }) => {
      storage.sql.exec("DELETE FROM outbox");
      storage.sql.exec(
        "UPDATE session SET body = json_set(body, '$.ended.at', ?)",
        nowSeconds() - 7 * 86_400 + 5,
      );
    });
    await object.sweep();
    expect((await object.read()).ok).toBe(true);
    await runInDurableObject(stub, (_instance, { storage }) => {
      storage.sql.exec(
        "UPDATE session SET body = json_set(body, '$.ended.at', ?)",
        nowSeconds() - 7 * 86_400,
      );
    });
    await object.sweep();
    await runDurableObjectAlarm(stub);
    expect(await object.read()).toMatchObject({ error: { code: "not_found" } });
    expect(await stored(stub)).toBe("[],[],[]");
  });
});

it("the directory lists by subject, client and state, newest first, and takes no older version", async () => {
  const stub = remote<DirectoryObject>(env.DIRECTORY.getByName("sessions"));
  const base = expectValue(await (await newSession()).object.read());
  const at = (n: number, over: Partial<typeof base> = {}) => ({
    ...base,
    id: newId("ses", Date.now() + n),
    subject: "idp|x",
    ...over,
  });
  const [a, b, c] = [at(0), at(10, { client_id: "cli_2" }), at(20, { state: "revoked" })];
  for (const each of [a, b, c]) await stub.putSession(each, 2);
  await stub.putSession({ ...c, state: "active" }, 1);
  const late = at(30, { absolute_end: nowSeconds() - 1 });
  await stub.putSession(late, 1);
  const ids = async (query: object) =>
    expectValue(await stub.listSessions({ limit: 10, ...query })).map(({ id }) => id);
  expect(await ids({ subject: "idp|x" })).toEqual([late.id, c.id, b.id, a.id]);
  expect(await ids({ subject: "idp|x", cursor: b.id })).toEqual([a.id]);
  expect(await ids({ client_id: "cli_2" })).toEqual([b.id]);
  expect(await ids({ state: "revoked" })).toEqual([c.id]);
  expect(await ids({ state: "expired" })).toEqual([late.id]);
  expect(await ids({ state: "active" })).toEqual([b.id, a.id]);
  expect(await ids({ subject: "idp|y" })).toEqual([]);
  expect(expectValue(await stub.overdueSessions(0, 10))).toEqual([late.id]);
  expect(expectValue(await stub.overdueSessions(60, 10))).toEqual([]);
});

describe("a browser's session", () => {
  const HOME = "auth.example.com";
  const cookieUse = async (cookie: string, host = HOME) => ({
    host,
    credential: await sha256Hex(cookie),
    terms: browserTermsWith(),
  });

  async function signedIn() {
    const id = newId("ses", Date.now());
    const stub = env.SESSION.getByName(id);
    const object = remote<SessionObject>(stub);
    const sub = id.slice(-8);
    const at = { sub, subject: `idp|${sub}`, session: `s-${id}`, iat: nowSeconds() };
    const assertion: Assertion = { ...assertionWith(), facts: { ...assertionWith().facts, ...at } };
    const opening = { id, host: HOME, audience: SESSION_ISSUER, assertion, terms: browserTermsWith() };
    const { cookie } = expectValue(await object.signIn(opening));
    return { id, stub, object, cookie, opening, facts: assertion.facts };
  }

  it("gives fifty who ask at once one access token, also after eviction, and keeps no secret in clear", async () => {
    const { object, stub, cookie, id } = await signedIn();
    const use = await cookieUse(cookie);
    const answers = await Promise.all(Array.from({ length: 50 }, () => object.token(use, "urn:origin")));
    const tokens = new Set(answers.map((answer) => expectValue(answer).access_token));
    expect(tokens.size).toBe(1);
    const [token = ""] = tokens;
    expect(decodeJwt(token)).toMatchObject({ sid: id, aud: "urn:origin", client_id: "browser" });
    await evictDurableObject(stub);
    expect(expectValue(await object.token(use, "urn:origin")).access_token).toBe(token);
    const text = await stored(stub);
    for (const secret of [cookie, token]) expect(text).not.toContain(secret);
    expect(await events(stub)).toEqual(["session.opened"]);
  });

  it("is found by the provider's session, and ends by a rule that hits what the provider said, and no other", async () => {
    const { object, cookie, id, facts } = await signedIn();
    const listed = await directory.listSessions({ limit: 5, provider_session: facts.session! });
    expect(expectValue(listed).map((each) => each.id)).toEqual([id]);
    const rule = (over: Partial<Revocation>): Revocation => ({
      id: newId("rev", Date.now()),
      match: { iss: facts.iss, session: facts.session! },
      issued_before: facts.iat + 1,
      reason: "signed out there",
      actor: "issuer:idp",
      created_at: nowSeconds(),
      ...over,
    });
    const spared = [
      rule({ issued_before: facts.iat }),
      rule({ match: { iss: "https://other.example.com", session: facts.session! } }),
      rule({ match: { iss: facts.iss, session: "another" } }),
    ];
    for (const each of spared) expectValue(await object.revokeIfHit(each, "issuer:idp"));
    const use = await cookieUse(cookie);
    expect(expectValue(await object.who(use)).state).toBe("active");
    for (let i = 0; i < 2; i++) expectValue(await object.revokeIfHit(rule({}), "issuer:idp"));
    expect(expectValue(await object.read())).toMatchObject({
      state: "revoked",
      ended: { by: "issuer:idp", reason: "signed out there" },
    });
    for (const answer of [await object.token(use, "urn:origin"), await object.who(use)]) {
      expect(answer).toMatchObject(refused);
    }
    const ended = {
      iss: env.ISSUER,
      sub: facts.subject,
      subject: facts.subject,
      iat: 0,
      kid: "",
      session: id,
    };
    expect(expectValue(await log.hit([ended], 0))).toMatchObject({ actor: "issuer:idp" });
  });

  it("cannot be refreshed, and a refresh token's session has no cookie", async () => {
    const { object, cookie, opening } = await signedIn();
    const call = { credential: await sha256Hex(cookie), binding: { client_id: "browser" }, ask: {} };
    expect((await object.refresh({ ...call, terms: termsWith() })).ok).toBe(false);
    expect(await object.signIn(opening)).toMatchObject(refused);
    expect((await object.token(await cookieUse(cookie), "urn:origin")).ok).toBe(true);
    const family = await newSession();
    const use = await cookieUse(family.token);
    expect(await family.object.token(use, "urn:origin")).toMatchObject(refused);
    expect(await family.object.who(use)).toMatchObject(refused);
    const code = { id: "c", host: HOME, expires_at: nowSeconds() + 60, terms: browserTermsWith() };
    expect(await family.object.handOver(code)).toMatchObject(refused);
  });
});
