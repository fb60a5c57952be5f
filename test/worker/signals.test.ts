import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DirectoryObject } from "../../src/access/directory-object.ts";
import { newId } from "../../src/platform/ids.ts";
import { problem } from "../../src/protocol/problem.ts";
import { err } from "../../src/protocol/result.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { RevocationMatch } from "../../src/revocation/rule.ts";
import type { Signal } from "../../src/signals/signal.ts";
import { SignalInboxObject } from "../../src/signals/signal-inbox-object.ts";
import type { StatusListObject } from "../../src/signals/status-list-object.ts";
import { POLL, PUSH, type StreamOpening } from "../../src/signals/stream.ts";
import type { Poll, StreamObject } from "../../src/signals/stream-object.ts";
import type { KeyringObject } from "../../src/tokens/keyring-object.ts";
import type { SessionObject } from "../../src/tokens/session-object.ts";
import type { WebhookEvent } from "../../src/webhooks/event.ts";
import { expectValue, remote } from "../support/remote.ts";
import { assertionWith, openingWith, PROVIDER, termsWith } from "../support/session-world.ts";

const log = remote<LogObject>(env.LOG.getByName("main"));
const directory = remote<DirectoryObject>(env.DIRECTORY.getByName("main"));
const keyring = remote<KeyringObject>(env.KEYRING.getByName("main"));
const nowSeconds = () => Math.floor(Date.now() / 1000);

let made = 0;
const transmitter = () => {
  const stub = env.SIGNAL_INBOX.getByName(`https://t${++made}.example.com`);
  return { stub, inbox: remote<SignalInboxObject>(stub) };
};
const signal = (over: Partial<Signal> = {}): Signal => ({
  actor: "transmitter:idp",
  via: "security_event_token",
  jti: `j-${++made}`,
  event: "session-revoked",
  action: "revoke_sessions",
  issued_at: nowSeconds(),
  issuer: { id: "idp", issuer: PROVIDER },
  named: { sub: `person-${++made}` },
  ...over,
});
const factsOf = ({ named }: Signal, iat = nowSeconds() - 10) => {
  const sub = named?.sub ?? "";
  return { iss: PROVIDER, sub, subject: `idp|${sub}`, iat, kid: "k" };
};
const hit = async (told: Signal, iat?: number) => expectValue(await log.hit([factsOf(told, iat)], 0));
const rows = (stub: DurableObjectStub, table: string) =>
  runInDurableObject(stub, (_object, { storage }) => storage.sql.exec(`SELECT * FROM ${table}`).toArray());

afterEach(() => vi.restoreAllMocks());

describe("the object of a transmitter's signals", () => {
  it("puts a signal into force before it answers, once, however often and however parallel it comes", async () => {
    const { stub, inbox } = transmitter();
    const told = signal();
    const answers = await Promise.all(Array.from({ length: 20 }, () => inbox.receive(told)));
    const ids = new Set(answers.map((answer) => expectValue(answer).signal.revocation_id));
    expect(ids.size).toBe(1);
    const [id = ""] = ids;
    expect(await hit(told)).toMatchObject({ id, actor: "transmitter:idp" });
    expect(expectValue(await log.revocation(id))).toMatchObject({ state: "in_force" });
    expect(await rows(stub, "signals")).toHaveLength(1);
    expect(await rows(stub, "owed")).toEqual([]);
    // A backup finds the inbox by this.
    const inboxes = { of: "signal_inboxes", after: "", until: "", limit: 100 } as const;
    await vi.waitFor(async () => expect(expectValue(await directory.names(inboxes))).toContain(stub.name));
  });

  it("knows after an eviction what it was told, and says so", async () => {
    const { stub, inbox } = transmitter();
    const told = signal();
    const first = expectValue(await inbox.receive(told));
    expect(first.repeated).toBe(false);
    await evictDurableObject(stub);
    const again = expectValue(await inbox.receive(told));
    expect(again).toEqual({ signal: first.signal, repeated: true });
    const before = await rows(stub, "signals");
    expect(await inbox.receive({ ...told, named: { sub: "another" } })).toMatchObject({
      ok: false,
      error: { code: "conflict" },
    });
    expect(await rows(stub, "signals")).toEqual(before);
    expect(expectValue(await inbox.receive({ ...told, jti: "other" })).repeated).toBe(false);
  });

  it("does not acknowledge what the log does not have, and loses nothing of it", async () => {
    const { stub } = transmitter();
    const told = signal();
    const down = async () => err(problem("unavailable", "down"));
    const LOG = { getByName: () => ({ append: down }) } as unknown as Env["LOG"];
    await runInDurableObject(stub, async (_object, state) => {
      const cut = new SignalInboxObject(state, { ...env, LOG });
      expect(await cut.receive(told)).toMatchObject({ ok: false, error: { code: "unavailable" } });
      expect(await cut.receive(told)).toMatchObject({ ok: false, error: { code: "unavailable" } });
    });
    expect(await hit(told)).toBeNull();
    await evictDurableObject(stub);
    const taken = expectValue(await remote<SignalInboxObject>(stub).receive(told));
    expect(taken.repeated).toBe(false);
    expect(await hit(told)).toMatchObject({ id: taken.signal.revocation_id });
    expect(await rows(stub, "signals")).toHaveLength(1);
  });

  it("ends the sessions of the person that began before, and only those", async () => {
    const { stub, inbox } = transmitter();
    const open = async (sub: string, iat: number) => {
      const id = newId("ses", Date.now());
      const facts = { ...factsOf(signal({ named: { sub } }), iat), session: `s-${id}`, jti: `j-${id}` };
      const assertion = { ...assertionWith(), facts };
      const opening = openingWith({ id, subject: facts.subject, assertion });
      const object = remote<SessionObject>(env.SESSION.getByName(id));
      expectValue(await object.open({ opening, terms: termsWith(), scopes: opening.scopes }));
      await vi.waitFor(
        async () => {
          const listed = expectValue(await directory.listSessions({ limit: 9, subject: facts.subject }));
          expect(listed.map((each) => each.id)).toContain(id);
        },
        { timeout: 10_000 },
      );
      return object;
    };
    const told = signal();
    const sub = told.named!.sub!;
    const [old, fresh, other] = await Promise.all([
      open(sub, nowSeconds() - 60),
      open(sub, nowSeconds() + 50),
      open(`${sub}-not`, nowSeconds() - 60),
    ]);
    expectValue(await inbox.receive(told));
    const state = async (object: typeof old) => expectValue(await object.read()).state;
    await vi.waitFor(async () => expect(await state(old)).toBe("revoked"), { timeout: 10_000 });
    await vi.waitFor(async () => expect(await rows(stub, "outbox")).toEqual([]), { timeout: 10_000 });
    expect([await state(fresh), await state(other)]).toEqual(["active", "active"]);
  });

  it("bans until the same transmitter restores, and restores nothing that others revoked", async () => {
    const { inbox } = transmitter();
    const ban = signal({ event: "account-disabled", action: "revoke_subject" });
    const restore = { ...ban, event: "account-enabled", action: "restore_subject" } as const;
    const later = nowSeconds() + 9_999;
    expectValue(await inbox.receive(ban));
    expect(await hit(ban, later)).not.toBeNull();
    const elsewhere = expectValue(await transmitter().inbox.receive({ ...restore, jti: "elsewhere" }));
    expect(elsewhere.signal.lifted).toEqual([]);
    expect(await hit(ban, later)).not.toBeNull();
    const id = newId("rev", Date.now());
    const rule = {
      id,
      match: { sub: `idp|${ban.named!.sub}` },
      reason: "by hand",
      actor: "op",
      created_at: 1,
    };
    expectValue(await log.append({ id, kind: "revocation.added", rule }));
    const restored = expectValue(await inbox.receive({ ...restore, jti: "enabled" }));
    expect(restored.signal.lifted).toHaveLength(1);
    expect(await hit(ban, later)).toMatchObject({ id });
    // Its replay lifts no ban that came after it.
    expectValue(
      await log.append({
        id: newId("log", Date.now()),
        kind: "revocation.lifted",
        revocation_id: id,
        actor: "op",
      }),
    );
    expect(await hit(ban, later)).toBeNull();
    expectValue(await inbox.receive({ ...ban, jti: "disabled again" }));
    expect(expectValue(await inbox.receive({ ...restore, jti: "enabled" })).repeated).toBe(true);
    expect(await hit(ban, later)).not.toBeNull();
  });

  it("asks for a new sign-in, and ends no session", async () => {
    const { stub, inbox } = transmitter();
    const told = signal({ event: "risk-level-change", action: "step_up" });
    const { signal: record } = expectValue(await inbox.receive(told));
    const rule = expectValue(await log.revocation(record.revocation_id!));
    expect(rule).toMatchObject({ state: "in_force", effect: { kind: "step_up" } });
    expect(await hit(told)).toBeNull();
    const kinds = await rows(stub, "outbox");
    expect(JSON.stringify(kinds)).not.toContain("sessions.end");
  });

  it.each(["notify", "ignore"] as const)("revokes nothing for %s, and lists it", async (action) => {
    const { stub, inbox } = transmitter();
    const told = signal({ action });
    const before = expectValue(await log.since(0));
    const { signal: record } = expectValue(await inbox.receive(told));
    expect(expectValue(await log.since(0))).toEqual(before);
    expect(expectValue(await inbox.list({ limit: 5 }))).toEqual([record]);
    expect(expectValue(await inbox.list({ limit: 5, cursor: record.id }))).toEqual([]);
    // Whoever listens is told of what is not ignored.
    const outbox = () => rows(stub, "outbox");
    await vi.waitFor(async () => expect(await outbox()).toEqual([]), { timeout: 10_000 });
  });

  it("forgets a signal after a month, and a ban when it is over", async () => {
    const { stub, inbox } = transmitter();
    const ban = signal({ action: "revoke_subject" });
    expectValue(await inbox.receive(signal()));
    expectValue(await inbox.receive(ban));
    await vi.waitFor(async () => expect(await rows(stub, "outbox")).toEqual([]), { timeout: 10_000 });
    const age = (seconds: number) =>
      runInDurableObject(stub, (_object, { storage }) => {
        storage.sql.exec("UPDATE signals SET received_at = ?", nowSeconds() - seconds);
      });
    await age(30 * 86_400 - 60);
    await runDurableObjectAlarm(stub);
    expect(await rows(stub, "signals")).toHaveLength(2);
    await age(30 * 86_400 + 3_700);
    await runDurableObjectAlarm(stub);
    expect(await rows(stub, "signals")).toMatchObject([{ banned: `idp|${ban.named!.sub}` }]);
    const restore = { event: "account-enabled", action: "restore_subject", jti: "on" } as const;
    expect(expectValue(await inbox.receive({ ...ban, ...restore })).signal.lifted).toHaveLength(1);
  });
});

describe("the object of a stream", () => {
  const CLIENT = "cli_receiver";
  const RECEIVER = "https://receiver.example.com/events";
  const opening = { delivery: { method: POLL } } as const;
  const pushing = {
    delivery: { method: PUSH, endpoint_url: RECEIVER, authorization_header: "Bearer r-secret" },
  } as const;

  async function newStream(how: StreamOpening = opening) {
    const id = newId("str", Date.now());
    const stub = env.STREAM.getByName(id);
    const stream = remote<StreamObject>(stub);
    expectValue(await stream.create(id, CLIENT, how));
    return { id, stub, stream };
  }
  const revoked = (sub = "corp|alice") => {
    const id = newId("evt", Date.now());
    const revocation = {
      ...{ id: newId("rev", Date.now()), match: { sub }, reason: "r", actor: "op", created_at: nowSeconds() },
      ...{ state: "in_force", history: [] },
    };
    const timestamp = new Date().toISOString();
    return { id, type: "revocation.created", timestamp, data: { revocation } } as WebhookEvent;
  };
  const poll = async (stream: Awaited<ReturnType<typeof newStream>>["stream"], asked: Partial<Poll> = {}) =>
    expectValue(await stream.poll(CLIENT, { max: 10, waitMs: 0, ack: [], errors: [], ...asked }));
  /** Answers what is pushed; what came. */
  function receiver(status: () => number) {
    const came: { headers: Headers; body: string }[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) => {
      came.push({ headers: new Headers(init?.headers), body: String(init?.body) });
      return new Response(null, { status: status() });
    });
    return came;
  }

  it("holds an event until its receiver has acknowledged it, once for each event, through an eviction", async () => {
    const { stub, stream, id } = await newStream();
    const [first, second] = [revoked(), revoked("corp|bob")];
    for (const event of [first, second, first]) expectValue(await stream.offer(event));
    const polled = await poll(stream);
    const ids = Object.keys(polled.sets);
    expect(ids).toHaveLength(2);
    expect(polled.more).toBe(false);
    const claims = decodeJwt(polled.sets[ids[0]!]!);
    expect(claims).toMatchObject({
      ...{ iss: env.ISSUER, aud: CLIENT, jti: ids[0] },
      sub_id: { format: "iss_sub", iss: env.ISSUER, sub: "corp|alice" },
      events: { "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} },
    });
    expect(claims).not.toHaveProperty("exp");
    expect(claims).not.toHaveProperty("sub");
    expect(decodeProtectedHeader(polled.sets[ids[0]!]!)).toMatchObject({ typ: "secevent+jwt" });
    const jwks = expectValue(await keyring.jwks()) as JSONWebKeySet;
    await jwtVerify(polled.sets[ids[0]!]!, createLocalJWKSet(jwks), {
      typ: "secevent+jwt",
      audience: CLIENT,
    });
    await evictDurableObject(stub);
    expect(Object.keys((await poll(stream)).sets)).toEqual(ids);
    expect(await poll(stream, { max: 1 })).toMatchObject({
      more: true,
      sets: { [ids[0]!]: expect.any(String) },
    });
    expect(Object.keys((await poll(stream, { ack: [ids[0]!] })).sets)).toEqual([ids[1]]);
    expect(await poll(stream, { errors: [ids[1]!] })).toEqual({ sets: {}, more: false });
    // Neither comes back with its event.
    for (const event of [first, second]) expectValue(await stream.offer(event));
    expect((await poll(stream)).sets).toEqual({});
    expect(id).toMatch(/^str_/);
  });

  it("answers a poll that waits when something comes, and only its own client", async () => {
    const { stream } = await newStream();
    const waiting = poll(stream, { waitMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expectValue(await stream.offer(revoked()));
    expect(Object.keys((await waiting).sets)).toHaveLength(1);
    const foreign = { ok: false, error: { code: "not_found" } };
    const asked = { max: 1, waitMs: 0, ack: [], errors: [] };
    expect(await stream.poll("cli_other", asked)).toMatchObject(foreign);
    expect(await stream.read("cli_other")).toMatchObject(foreign);
    expect(await stream.setStatus("cli_other", "disabled")).toMatchObject(foreign);
    expect(await stream.verify("cli_other")).toMatchObject(foreign);
    expect((await poll(stream)).sets).not.toEqual({});
  });

  it("pushes at once, with the receiver's header, and again until it has the token", async () => {
    let status = 500;
    const came = receiver(() => status);
    const { stub, stream } = await newStream(pushing);
    expectValue(await stream.offer(revoked()));
    await vi.waitFor(() => expect(came).toHaveLength(1), { timeout: 10_000 });
    expect(came[0]!.headers.get("content-type")).toBe("application/secevent+jwt");
    expect(came[0]!.headers.get("authorization")).toBe("Bearer r-secret");
    status = 202;
    await vi.waitFor(async () => expect(await rows(stub, "attempt")).toHaveLength(1), { timeout: 10_000 });
    await runInDurableObject(stub, (_object, { storage }) => {
      storage.sql.exec("UPDATE delivery SET next_at_ms = 1");
    });
    await runDurableObjectAlarm(stub);
    await vi.waitFor(async () =>
      expect(await rows(stub, "delivery")).toMatchObject([{ state: "delivered" }]),
    );
    expect(came).toHaveLength(2);
    expect(decodeJwt(came[1]!.body).jti).toBe(decodeJwt(came[0]!.body).jti);
    const stored = JSON.stringify([await rows(stub, "endpoint"), await rows(stub, "stream")]);
    expect(stored).not.toContain("r-secret");
  });

  it("sends nothing while it is paused, and then what it held; nothing of what came while it was disabled", async () => {
    const came = receiver(() => 202);
    const { stub, stream } = await newStream(pushing);
    expectValue(await stream.setStatus(CLIENT, "paused", "maintenance"));
    expectValue(await stream.offer(revoked()));
    await runDurableObjectAlarm(stub);
    expect(came).toHaveLength(0);
    expectValue(await stream.setStatus(CLIENT, "enabled"));
    await vi.waitFor(() => expect(came).toHaveLength(1), { timeout: 10_000 });
    expectValue(await stream.setStatus(CLIENT, "disabled"));
    expectValue(await stream.offer(revoked()));
    expectValue(await stream.setStatus(CLIENT, "enabled"));
    await runDurableObjectAlarm(stub);
    expect(came).toHaveLength(1);
    expectValue(await stream.offer(revoked()));
    await vi.waitFor(() => expect(came).toHaveLength(2), { timeout: 10_000 });
  });

  it("is disabled by a 410, and forgets what waits when it is closed", async () => {
    receiver(() => 410);
    const { stub, stream } = await newStream(pushing);
    expectValue(await stream.offer(revoked()));
    const status = async () => expectValue(await stream.read(CLIENT)).status;
    await vi.waitFor(async () => expect(await status()).toBe("disabled"), { timeout: 10_000 });
    expectValue(await stream.close());
    expectValue(await stream.close());
    expect(await rows(stub, "delivery")).toEqual([]);
    expect(await stream.read(CLIENT)).toMatchObject({ ok: false, error: { code: "not_found" } });
    expectValue(await stream.offer(revoked()));
    expect(await rows(stub, "delivery")).toEqual([]);
  });

  it("leaves out whom its receiver took out, until it puts them back in", async () => {
    const { stream } = await newStream();
    expectValue(await stream.setSubject(CLIENT, "corp|alice", false));
    expectValue(await stream.offer(revoked()));
    expectValue(await stream.offer(revoked("corp|bob")));
    expect(Object.keys((await poll(stream)).sets)).toHaveLength(1);
    expectValue(await stream.setSubject(CLIENT, "corp|alice", true));
    expectValue(await stream.offer(revoked()));
    expect(Object.keys((await poll(stream)).sets)).toHaveLength(2);
  });

  it("sends a verification with the receiver's state, and not one after the other", async () => {
    const { stream, id } = await newStream();
    expectValue(await stream.verify(CLIENT, "state-1"));
    const { sets } = await poll(stream);
    expect(decodeJwt(Object.values(sets)[0]!)).toMatchObject({
      sub_id: { format: "opaque", id },
      events: { "https://schemas.openid.net/secevent/ssf/event-type/verification": { state: "state-1" } },
    });
    expect(await stream.verify(CLIENT)).toMatchObject({ ok: false, error: { code: "too_many_requests" } });
  });

  it("gives up what nobody polls after a week", async () => {
    const { stub, stream } = await newStream();
    expectValue(await stream.offer(revoked()));
    await runInDurableObject(stub, (_object, { storage }) => {
      storage.sql.exec("UPDATE delivery SET next_at_ms = next_at_ms - 7 * 86400000 - 1");
    });
    await runDurableObjectAlarm(stub);
    expect((await poll(stream)).sets).toEqual({});
    expect(await rows(stub, "delivery")).toMatchObject([{ state: "dead_letter" }]);
  });
});

describe("the object of the status lists", () => {
  const stub = env.STATUS_LIST.getByName("main");
  const lists = remote<StatusListObject>(stub);
  const until = () => nowSeconds() + 3_600;
  const newGrant = (over: object = {}) => {
    const id = newId("grt", Date.now());
    return { grant: id, sub: `corp|${id}`, client_id: `cli_${id}`, until: until(), ...over };
  };
  type Rule = { match: RevocationMatch; issued_before?: number; expires_at?: number; effect?: object };
  const told = (rule: Rule, type = "revocation.created", id = newId("rev", Date.now())) => ({
    id,
    event: {
      ...{ id: newId("evt", Date.now()), type, timestamp: new Date().toISOString() },
      data: { revocation: { id, reason: "r", actor: "op", created_at: nowSeconds(), ...rule } },
    } as unknown as WebhookEvent,
  });
  async function isInvalid({ idx, uri }: { idx: number; uri: string }): Promise<boolean> {
    const bytes = expectValue(await lists.bits(Number(uri.split("/").at(-1))));
    return ((bytes[Math.floor(idx / 8)]! >> (idx % 8)) & 1) === 1;
  }

  it("has one index for a grant, and tells its revocation and its lift, of nobody else", async () => {
    const [one, other] = [newGrant(), newGrant()];
    const [place, beside] = [expectValue(await lists.allot(one)), expectValue(await lists.allot(other))];
    expect(expectValue(await lists.allot(one))).toEqual(place);
    expect(beside.idx).not.toBe(place.idx);
    expect([await isInvalid(place), await isInvalid(beside)]).toEqual([false, false]);
    const { id, event } = told({ match: { grant: one.grant, iss: env.ISSUER } });
    for (let i = 0; i < 2; i++) expectValue(await lists.offer(event));
    expect([await isInvalid(place), await isInvalid(beside)]).toEqual([true, false]);
    await evictDurableObject(stub);
    expect(await isInvalid(place)).toBe(true);
    expectValue(await lists.offer(told({ match: { grant: one.grant } }, "revocation.lifted", id).event));
    expect(await isInvalid(place)).toBe(false);
  });

  it("follows rules for a person and a client, by all members, and everything before a moment", async () => {
    const of = async (match: (grant: ReturnType<typeof newGrant>) => Rule) => {
      const grant = newGrant();
      const place = expectValue(await lists.allot(grant));
      expectValue(await lists.offer(told(match(grant)).event));
      return isInvalid(place);
    };
    expect(await of(({ sub }) => ({ match: { sub } }))).toBe(true);
    expect(await of(({ client_id }) => ({ match: { client_id } }))).toBe(true);
    expect(await of(({ sub, client_id }) => ({ match: { sub, client_id } }))).toBe(true);
    expect(await of(({ sub }) => ({ match: { sub, client_id: "cli_other" } }))).toBe(false);
    expect(await of(({ sub }) => ({ match: { sub, iss: "https://other.example.com" } }))).toBe(false);
    expect(await of(({ sub }) => ({ match: { sub, jti: "tok_1" } }))).toBe(false);
    expect(await of(({ sub }) => ({ match: { sub }, effect: { kind: "step_up" } }))).toBe(false);
    expect(await of(({ sub }) => ({ match: { sub }, expires_at: nowSeconds() - 1 }))).toBe(false);
    expect(await of(() => ({ match: {}, issued_before: nowSeconds() + 1 }))).toBe(true);
  });

  it("gives a grant another index after a rule that spares later tokens, and the same one after any other", async () => {
    const grant = newGrant();
    const place = expectValue(await lists.allot(grant));
    expectValue(await lists.offer(told({ match: { sub: grant.sub }, issued_before: nowSeconds() }).event));
    const next = expectValue(await lists.allot(grant));
    expect(next.idx).not.toBe(place.idx);
    expect([await isInvalid(place), await isInvalid(next)]).toEqual([true, false]);
    expectValue(await lists.offer(told({ match: { grant: grant.grant } }).event));
    expect(await isInvalid(next)).toBe(true);
    expect(expectValue(await lists.allot(grant))).toEqual(next);
  });

  it("gives none to whom a rule in force refuses, and forgets what no token can have", async () => {
    const grant = newGrant();
    const rule = {
      id: newId("rev", Date.now()),
      match: { sub: grant.sub },
      reason: "r",
      actor: "op",
      created_at: 1,
    };
    expectValue(await log.append({ id: rule.id, kind: "revocation.added", rule }));
    expect(await lists.allot(grant)).toMatchObject({ ok: false, error: { code: "forbidden" } });
    const over = newGrant({ until: nowSeconds() - 10 });
    expectValue(await lists.allot(over));
    expectValue(await lists.offer(told({ match: { grant: over.grant } }).event));
    await runDurableObjectAlarm(stub);
    expect(JSON.stringify(await rows(stub, "allotments"))).not.toContain(over.grant);
    expect(await lists.bits(999_999)).toMatchObject({ ok: false, error: { code: "not_found" } });
  });
});
