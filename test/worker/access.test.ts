import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { AccessRequest } from "../../src/access/access-request.ts";
import type { AccessRequestObject } from "../../src/access/access-request-object.ts";
import type { DirectoryObject } from "../../src/access/directory-object.ts";
import type { DirectoryQuery } from "../../src/access/directory-store.ts";
import { openRequest } from "../../src/access/open-request.ts";
import { newId, siblingId } from "../../src/platform/ids.ts";
import { policySchema } from "../../src/policy/document.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import { expectValue, remote } from "../support/remote.ts";

const ALICE = { subject: "demo|alice", client_id: "cli_1", roles: ["developer"] };
const BOB = { subject: "demo|bob", roles: ["approver"] };
const ask = { resource: "orders", scope: ["orders:read"], duration_seconds: 300, justification: "a test" };
const ruleWith = (over: object = {}) =>
  policySchema.parse({
    access_rules: [
      {
        id: "orders",
        resource: "orders",
        origin: "demo",
        scopes: ["orders:read"],
        requesters: { roles: ["developer"] },
        stages: [{ roles: ["approver"] }],
        max_duration_seconds: 3600,
        ...over,
      },
    ],
  }).access_rules[0]!;
const rule = ruleWith();

function newRequest() {
  const id = newId("req", Date.now());
  const stub = env.ACCESS_REQUEST.getByName(id);
  return Object.assign(remote<AccessRequestObject>(stub), { requestId: id, stub });
}
const approval = { id: "rvw_1", approver: BOB.subject, outcome: "approve" as const };
const events = (stub: DurableObjectStub) =>
  runInDurableObject(stub, (_instance, state) =>
    state.storage.sql
      .exec<{ type: string }>("SELECT type FROM events ORDER BY id")
      .toArray()
      .map(({ type }) => type),
  );

describe("an access request's object", () => {
  it("keeps request, review and grant through eviction, and each transition has one event", async () => {
    const request = newRequest();
    await request.open(request.requestId, ALICE, ask, rule, "urn:origin");
    const approved = expectValue(await request.review(approval, BOB, rule));
    await evictDurableObject(request.stub);
    expect(expectValue(await request.read())).toEqual(approved);
    await request.review(approval, BOB, rule);
    expect((await events(request.stub)).sort()).toEqual([
      "access_request.approved",
      "access_request.created",
      "grant.activated",
    ]);
  });

  it("is opened once: a repeat answers what is there", async () => {
    const request = newRequest();
    const first = expectValue(await request.open(request.requestId, ALICE, ask, rule, "urn:origin"));
    const again = await request.open(
      request.requestId,
      { ...ALICE, subject: "demo|eve" },
      ask,
      rule,
      "urn:origin",
    );
    expect(expectValue(again)).toEqual(first);
  });

  it("tells of a missed review deadline by its alarm, and is expired before that", async () => {
    const request = newRequest();
    await request.open(request.requestId, ALICE, ask, ruleWith({ review_deadline_seconds: 1 }), "urn:origin");
    await vi.waitFor(async () => expect(await events(request.stub)).toContain("access_request.expired"), {
      timeout: 5_000,
      interval: 100,
    });
    expect(await request.review(approval, BOB, rule)).toMatchObject({
      error: { extra: { state: "expired" } },
    });
  });

  it("answers a revocation with the log's receipt, the same one each time", async () => {
    const request = newRequest();
    await request.open(request.requestId, ALICE, ask, rule, "urn:origin");
    expect(await request.revokeGrant("operator", "early")).toMatchObject({ error: { code: "not_found" } });
    await request.review(approval, BOB, rule);
    const receipt = expectValue(await request.revokeGrant("operator", "leaked"));
    expect(expectValue(await request.revokeGrant("operator", "again"))).toEqual(receipt);
    const log = remote<LogObject>(env.LOG.getByName("main"));
    expect(expectValue(await log.revocation(receipt.id))).toMatchObject({
      match: { grant: siblingId("grt", request.requestId) },
      reason: "leaked",
      actor: "operator",
    });
    expect(await request.issueToken(ALICE.subject, null)).toMatchObject({ error: { code: "gone" } });
  });

  it("of an id that was never opened is not found", async () => {
    expect(await newRequest().read()).toMatchObject({ error: { code: "not_found" } });
  });
});

describe("fifty at once", () => {
  const person = (name: string) => ({ subject: `demo|${name}`, roles: ["approver"] });

  /** Approvals, denials, cancellations and alarms of one request, begun `offsetMs` after its deadline. */
  async function race(deadlineSeconds: number, shift: number, offsetMs?: number) {
    const request = newRequest();
    const slow = ruleWith({ review_deadline_seconds: deadlineSeconds });
    const opened = expectValue(await request.open(request.requestId, ALICE, ask, slow, "urn:origin"));
    if (offsetMs !== undefined) {
      const start = opened.review_deadline * 1000 + offsetMs;
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThanOrEqual(start), {
        timeout: 5_000,
        interval: 1,
      });
    }
    const calls = Array.from({ length: 50 }, (_, i) => {
      const kind = (i + shift) % 4;
      if (kind === 2) return request.cancel(ALICE.subject);
      if (kind === 3) return runDurableObjectAlarm(request.stub).then(() => request.read());
      const outcome = kind === 0 ? ("approve" as const) : ("deny" as const);
      const by = person(`p${i}`);
      return request.review({ id: `rvw_${i}`, approver: by.subject, outcome }, by, rule);
    });
    const answers = await Promise.all(calls);
    const ends = async () =>
      (await events(request.stub)).filter((type) => /approved|denied|cancelled|expired/.test(type));
    await vi.waitFor(async () => expect(await ends()).not.toEqual([]), { timeout: 5_000, interval: 50 });
    return { answers, final: expectValue(await request.read()), ends: await ends() };
  }

  it("end in one terminal state, one event, and every loser is told which", async () => {
    const seen = new Set<string>();
    for (let shift = 0; shift < 8; shift++) {
      // The last four are run where time itself takes part.
      const { answers, final, ends } = await (shift < 4
        ? race(3600, shift)
        : race(1, shift, [-40, -15, -3, 0][shift - 4]));
      seen.add(final.decided);
      expect(["approved", "denied", "cancelled", "expired"]).toContain(final.decided);
      const refused = answers.filter((answer) => !answer.ok);
      for (const answer of refused) {
        expect(answer).toMatchObject({ error: { code: "conflict", extra: { state: final.decided } } });
      }
      expect(refused.length).toBeGreaterThan(20);
      expect(ends).toEqual([`access_request.${final.decided}`]);
      expect(final.reviews).toHaveLength(/approved|denied/.test(final.decided) ? 1 : 0);
    }
    expect(seen).toContain("expired");
    expect(seen.size).toBeGreaterThan(2);
  });

  it("after the deadline change nothing: all are told that it is expired", async () => {
    const request = newRequest();
    const short = ruleWith({ review_deadline_seconds: 1 });
    const { review_deadline: deadline } = expectValue(
      await request.open(request.requestId, ALICE, ask, short, "urn:origin"),
    );
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThanOrEqual(deadline * 1000), {
      timeout: 3_000,
      interval: 20,
    });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        i % 2
          ? request.cancel(ALICE.subject)
          : request.review(
              { id: `rvw_${i}`, approver: `demo|p${i}`, outcome: "approve" },
              person(`p${i}`),
              rule,
            ),
      ),
    );
    for (const answer of answers) expect(answer).toMatchObject({ error: { extra: { state: "expired" } } });
    await vi.waitFor(async () => expect(await events(request.stub)).toContain("access_request.expired"), {
      timeout: 5_000,
      interval: 50,
    });
    expect((await events(request.stub)).sort()).toEqual(["access_request.created", "access_request.expired"]);
  });
});

describe("the directory", () => {
  const newDirectory = (name: string) => {
    const stub = env.DIRECTORY.getByName(name);
    return Object.assign(remote<DirectoryObject>(stub), { stub });
  };
  const now = Math.floor(Date.now() / 1000);
  const at = (offset: number, over: Partial<AccessRequest> = {}): AccessRequest => ({
    ...expectValue(openRequest(newId("req", Date.now() + offset), ALICE, ask, rule, "urn:origin", now))
      .request,
    ...over,
  });
  const grant = (id: string, from: number, to: number) => ({
    id: siblingId("grt", id),
    resource: "orders",
    scope: ["orders:read"],
    access_start: now + from,
    access_expiry: now + to,
  });

  it("takes a newer version and passes over an older one that comes late", async () => {
    const directory = newDirectory("versions");
    const request = at(0);
    await directory.put({ ...request, decided: "denied" }, 2);
    await directory.put(request, 1);
    expect(expectValue(await directory.list({ limit: 10 }))).toMatchObject([{ decided: "denied" }]);
  });

  it("lists newest first, a page at a time, without a gap or a repeat", async () => {
    const directory = newDirectory("pages");
    const ids = [0, 10, 20, 30, 40].map((offset) => at(offset));
    for (const request of ids) await directory.put(request, 1);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = expectValue(await directory.list({ limit: 2, ...(cursor ? { cursor } : {}) }));
      seen.push(...page.map(({ id }) => id));
      cursor = page.at(-1)?.id;
    } while (cursor);
    expect(seen).toEqual(ids.map(({ id }) => id).reverse());
  });

  it("filters by what time has made of each, not by what was stored", async () => {
    const directory = newDirectory("states");
    const pending = at(0);
    const late = at(1, { review_deadline: now - 1 });
    const base = at(2, { decided: "approved" });
    const scheduled = { ...base, id: at(3).id, grant: grant(base.id, 100, 200) };
    const active = { ...base, id: at(4).id, grant: grant(base.id, -100, 200) };
    const over = { ...base, id: at(5).id, grant: grant(base.id, -200, -100) };
    const revoked = {
      ...base,
      id: at(6).id,
      grant: { ...grant(base.id, -100, 200), revoked: { at: now, by: "operator", reason: "test" } },
    };
    for (const request of [pending, late, scheduled, active, over, revoked]) await directory.put(request, 1);
    const idsOf = async (query: Partial<DirectoryQuery>) =>
      expectValue(await directory.list({ limit: 10, ...query })).map(({ id }) => id);
    expect(await idsOf({ state: "pending" })).toEqual([pending.id]);
    expect(await idsOf({ state: "expired" })).toEqual([late.id]);
    expect(await idsOf({ grant: "scheduled" })).toEqual([scheduled.id]);
    expect(await idsOf({ grant: "active" })).toEqual([active.id]);
    expect(await idsOf({ grant: "expired" })).toEqual([over.id]);
    expect(await idsOf({ grant: "revoked" })).toEqual([revoked.id]);
    expect(await idsOf({ grant: "any" })).toHaveLength(4);
    expect(await idsOf({ notRequester: ALICE.subject })).toEqual([]);
    expect(await idsOf({ requester: ALICE.subject })).toHaveLength(6);
    expect(await idsOf({ awaiting: ["other role:approver", "orders role:developer"] })).toEqual([]);
    expect(await idsOf({ awaiting: ["orders role:approver"] })).toEqual([pending.id]);
  });

  it("takes in as many requests of one person as the rule allows, however many come at once", async () => {
    const directory = newDirectory("admissions");
    const admission = { requester: "demo|alice", rule_id: "orders", resource: "orders", emergency: false };
    const ids = Array.from({ length: 20 }, (_, i) => newId("req", Date.now() + i));
    const admit = (id: string, over = {}) => directory.admit({ id, max_parallel: 3, ...admission, ...over });
    const answers = await Promise.all(ids.map((id) => admit(id)));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(3);
    const first = answers.findIndex(({ ok }) => ok);
    // A repeat is the same request; another person and another rule have a count of their own.
    expect(await admit(ids[first]!)).toMatchObject({ ok: true });
    expect(await admit(newId("req", Date.now()), { requester: "demo|bob" })).toMatchObject({ ok: true });
    expect(await admit(newId("req", Date.now()), { rule_id: "other" })).toMatchObject({ ok: true });
    expect(await admit(newId("req", Date.now()))).toMatchObject({ error: { code: "conflict" } });
    // One of them is decided: its place is free.
    await directory.put({ ...at(0, { decided: "denied" }), id: ids[first]! }, 1);
    expect(await admit(newId("req", Date.now()))).toMatchObject({ ok: true });
  });

  it("names requests whose alarm is overdue, and no others", async () => {
    const directory = newDirectory("overdue");
    const late = at(0, { review_deadline: now - 100 });
    await directory.put(late, 1);
    await directory.put(at(1), 1);
    expect(expectValue(await directory.overdue(60, 10))).toEqual([late.id]);
  });

  it("gives one key one id, refuses it for another body, and remembers through eviction", async () => {
    const directory = newDirectory("reservations");
    expect(await directory.reserve("key", "hash", "req_a")).toEqual({ ok: true, value: "req_a" });
    await evictDurableObject(directory.stub);
    expect(await directory.reserve("key", "hash", "req_b")).toEqual({ ok: true, value: "req_a" });
    expect(await directory.reserve("key", "other", "req_b")).toMatchObject({
      error: { code: "idempotency_mismatch" },
    });
    expect(await directory.reserve("key2", "hash", "req_b")).toEqual({ ok: true, value: "req_b" });
  });
});

it("an alarm that finds nothing due leaves the object asleep", async () => {
  const request = newRequest();
  await request.open(request.requestId, ALICE, ask, rule, "urn:origin");
  await request.cancel(ALICE.subject);
  await vi.waitFor(async () => expect(await runDurableObjectAlarm(request.stub)).toBe(false), {
    timeout: 5_000,
  });
});
