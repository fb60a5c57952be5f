import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { Actor } from "../../../src/platform/http.ts";
import { checkPolicy } from "../../../src/policy/check.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { AccessDesk, personWith } from "../../support/access-desk.ts";
import { expectValue } from "../../support/remote.ts";

beforeAll(loadConditions);

/** The rules of docs/access-rules.md, as they stand there. */
const page = readFileSync(new URL("../../../docs/access-rules.md", import.meta.url).pathname, "utf8");
const rules: { id: string }[] = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(([, text]) =>
  JSON.parse(text!),
);

const at = (iso: string) => Date.parse(iso) / 1000;
/** A Monday; 13:00 in Berlin, 07:00 in New York. */
const NOON = at("2026-11-23T12:00:00Z");
const FORBIDDEN = { error: { code: "forbidden" } };
const CONFLICT = { error: { code: "conflict" } };
const INVALID = { error: { code: "invalid_request" } };

function deskWith(id: string, now = NOON): AccessDesk {
  const rule = rules.find((each) => each.id === id);
  if (!rule) throw new Error(`the page has no rule ${id}`);
  const policy = {
    origins: { api: { url: "https://api.internal.example", audience: "api" } },
    access_rules: [rule],
  };
  return new AccessDesk(
    expectValue(checkPolicy(policy, { issuer: "https://auth.example.com", local: false })),
    now,
  );
}

const because = (justification = "the nightly import is stuck, see the ticket") => ({ justification });

async function asked(
  desk: AccessDesk,
  actor: Actor,
  wanted: { resource: string; scope: string },
  more: object = {},
) {
  return expectValue(await desk.ask(actor, { ...because(), ...wanted, ...more }));
}
const refused = async (
  desk: AccessDesk,
  actor: Actor,
  wanted: { resource: string; scope: string },
  more = {},
) => desk.ask(actor, { ...because(), ...wanted, ...more });

it("the page has ten rules, each of them an acceptable policy", () => {
  expect(rules).toHaveLength(10);
  for (const { id } of rules) expect(() => deskWith(id), id).not.toThrow();
});

describe("orders", () => {
  const wanted = { resource: "orders", scope: "orders:read" };
  const ann = personWith("corp|ann", ["developer"]);

  it("needs one approver, who is not who asked", async () => {
    const desk = deskWith("orders");
    const { id } = await asked(desk, ann, wanted);
    expect(desk.review(personWith("corp|ann", ["approver"]), id)).toMatchObject(FORBIDDEN);
    expect(desk.review(personWith("corp|dev", ["developer"]), id)).toMatchObject(FORBIDDEN);
    expect(desk.review(personWith("corp|bob", ["approver"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
    desk.pass(3600);
    expect(desk.toldOf(id)).toEqual([
      "access_request.created",
      "access_request.approved",
      "grant.activated",
      "grant.ending",
      "grant.expired",
    ]);
  });

  it("is for developers, for these scopes, for an hour", async () => {
    const desk = deskWith("orders");
    expect(await refused(desk, personWith("corp|x", ["sales"]), wanted)).toMatchObject(FORBIDDEN);
    expect(await refused(desk, ann, { ...wanted, scope: "orders:delete" })).toMatchObject(FORBIDDEN);
    expect(await refused(desk, ann, wanted, { duration_seconds: 3601 })).toMatchObject(INVALID);
    expect((await refused(desk, ann, wanted, { duration_seconds: 3600 })).ok).toBe(true);
  });
});

describe("staging", () => {
  const wanted = { resource: "staging/web", scope: "staging:deploy" };
  const ann = personWith("corp|ann", ["developer"]);

  it.each([
    ["2026-11-23T07:00:00Z", "approved"],
    ["2026-11-23T06:59:59Z", "pending"],
    ["2026-11-23T16:59:59Z", "approved"],
    ["2026-11-23T17:00:00Z", "pending"],
    ["2026-11-22T12:00:00Z", "pending"],
    // In summer the same clock is an hour earlier.
    ["2026-07-20T06:00:00Z", "approved"],
  ])("asked at %s is %s", async (when, state) => {
    expect(await asked(deskWith("staging", at(when)), ann, wanted)).toMatchObject({ decided: state });
  });

  it("is decided by the platform team at other times", async () => {
    const desk = deskWith("staging", at("2026-11-22T12:00:00Z"));
    const { id } = await asked(desk, ann, wanted);
    expect(desk.review(personWith("corp|pat", ["platform"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
  });

  it("is had twice at most, until one is given back", async () => {
    const desk = deskWith("staging");
    const { id } = await asked(desk, ann, wanted);
    await asked(desk, ann, { ...wanted, resource: "staging/api" });
    expect(await refused(desk, ann, wanted)).toMatchObject(CONFLICT);
    await asked(desk, personWith("corp|ben", ["developer"]), wanted);
    desk.end(ann.subject, id);
    expect(desk.toldOf(id).at(-1)).toBe("grant.returned");
    expect((await refused(desk, ann, wanted)).ok).toBe(true);
  });
});

describe("production-database", () => {
  const wanted = { resource: "databases/orders", scope: "db:read" };
  const ticket = { ticket: "OPS-4711" };
  const ann = personWith("corp|ann", ["developer"]);
  const both = personWith("corp|max", ["developer", "manager"]);

  it("wants a ticket of ours and a real justification", async () => {
    const desk = deskWith("production-database");
    for (const bad of [
      {},
      { ticket: "OPS-" },
      { ticket: "OPS-1a" },
      { ticket: "XOPS-1" },
      { ticket: "OPS-1 " },
    ]) {
      expect(await refused(desk, ann, wanted, bad), JSON.stringify(bad)).toMatchObject(INVALID);
    }
    expect(await refused(desk, ann, wanted, { ...ticket, justification: "x".repeat(19) })).toMatchObject(
      INVALID,
    );
    expect(await refused(desk, ann, wanted, { ...ticket, justification: " ".repeat(40) })).toMatchObject(
      INVALID,
    );
    for (const good of ["OPS-1", "INC-00123"]) await asked(desk, ann, wanted, { ticket: good });
  });

  it("needs a peer and a manager: one person with both roles is one of them", async () => {
    const desk = deskWith("production-database");
    const { id } = await asked(desk, ann, wanted, ticket);
    expect(desk.review(both, id)).toMatchObject({ value: { decided: "pending" } });
    expect(desk.review(both, id)).toMatchObject(CONFLICT);
    expect(desk.review(personWith("corp|peer", ["developer"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
  });

  it("counts that person for the place that the other leaves", async () => {
    const desk = deskWith("production-database");
    const { id } = await asked(desk, ann, wanted, ticket);
    desk.review(both, id);
    expect(desk.review(personWith("corp|moe", ["manager"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
  });

  it("needs both groups", async () => {
    const desk = deskWith("production-database");
    const { id } = await asked(desk, ann, wanted, ticket);
    for (const name of ["p1", "p2", "p3"]) {
      expect(desk.review(personWith(`corp|${name}`, ["developer"]), id)).toMatchObject({
        value: { decided: "pending" },
      });
    }
    expect(desk.review(personWith("corp|moe", ["manager"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
  });

  it("is extended by both again, up to four hours, without a gap", async () => {
    const desk = deskWith("production-database");
    const { id } = await asked(desk, ann, wanted, ticket);
    const peer = personWith("corp|peer", ["developer"]);
    const boss = personWith("corp|moe", ["manager"]);
    for (const approver of [peer, boss]) desk.review(approver, id);
    const end = desk.read(id).grant!.access_expiry;
    desk.pass(3000);
    expect(desk.toldOf(id).at(-1)).toBe("grant.ending");
    expect(desk.extend(peer, id, 600)).toMatchObject({ error: { code: "not_found" } });
    expect(desk.extend(ann, id, 10_801)).toMatchObject(INVALID);
    const { extensions } = expectValue(desk.extend(ann, id, 10_800));
    expect(desk.extend(ann, id, 60)).toMatchObject(CONFLICT);
    const extension = extensions[0]!.id;
    expect(desk.review(ann, id, { extension })).toMatchObject(FORBIDDEN);
    // Without its name a late review of the request is not taken for one of the extension.
    expect(desk.review(personWith("corp|p2", ["developer"]), id)).toMatchObject(CONFLICT);
    desk.review(peer, id, { extension });
    expect(desk.read(id).grant!.access_expiry).toBe(end);
    desk.review(boss, id, { extension });
    expect(desk.read(id).grant!.access_expiry).toBe(end + 10_800);
    expect(desk.extend(ann, id, 1)).toMatchObject(INVALID);
    desk.pass(3600);
    expect(desk.issue(ann, id).ok).toBe(true);
    desk.pass(7800);
    expect(desk.toldOf(id).slice(-5)).toEqual([
      "grant.ending",
      "grant.extension_requested",
      "grant.extended",
      "grant.ending",
      "grant.expired",
    ]);
  });
});

describe("an extension", () => {
  const wanted = { resource: "databases/orders", scope: "db:read" };
  const ann = personWith("corp|ann", ["developer"]);
  const peer = personWith("corp|peer", ["developer"]);
  const boss = personWith("corp|moe", ["manager"]);

  async function withExtension() {
    const desk = deskWith("production-database");
    const { id } = await asked(desk, ann, wanted, { ticket: "OPS-1" });
    for (const approver of [peer, boss]) desk.review(approver, id);
    desk.pass(3590);
    const { extensions } = expectValue(desk.extend(ann, id, 600));
    desk.review(peer, id, { extension: extensions[0]!.id });
    return { desk, id, extension: extensions[0]!.id };
  }

  it("that nobody approved in time ends with the grant: what is over does not come back", async () => {
    const { desk, id, extension } = await withExtension();
    desk.pass(10);
    expect(desk.toldOf(id).slice(-2)).toEqual(["grant.extension_expired", "grant.expired"]);
    expect(desk.review(boss, id, { extension })).toMatchObject({ error: { extra: { state: "expired" } } });
    expect(desk.issue(ann, id)).toMatchObject({ error: { code: "gone" } });
  });

  it("that is approved in the last second goes on", async () => {
    const { desk, id, extension } = await withExtension();
    desk.pass(9);
    expect(desk.review(boss, id, { extension }).ok).toBe(true);
    desk.pass(1);
    expect(desk.issue(ann, id).ok).toBe(true);
  });
});

describe("root-key", () => {
  const owner = (name: string) => personWith(`corp|${name}`);
  const wanted = { resource: "keys/root", scope: "keys:use" };

  it("needs two of the other four", async () => {
    const desk = deskWith("root-key");
    expect(await refused(desk, owner("fay"), wanted)).toMatchObject(FORBIDDEN);
    const { id } = await asked(desk, owner("ada"), wanted);
    expect(desk.review(owner("ada"), id)).toMatchObject(FORBIDDEN);
    expect(desk.review(owner("fay"), id)).toMatchObject(FORBIDDEN);
    expect(desk.review(owner("ben"), id)).toMatchObject({ value: { decided: "pending" } });
    expect(desk.review(owner("ben"), id)).toMatchObject(CONFLICT);
    expect(desk.review(owner("eve"), id)).toMatchObject({ value: { decided: "approved" } });
  });

  it("is over with one denial", async () => {
    const desk = deskWith("root-key");
    const { id } = await asked(desk, owner("ada"), wanted);
    desk.review(owner("ben"), id);
    expect(desk.review(owner("cleo"), id, { outcome: "deny" })).toMatchObject({
      value: { decided: "denied" },
    });
    expect(desk.review(owner("dan"), id)).toMatchObject({ error: { extra: { state: "denied" } } });
  });
});

describe("customer-records", () => {
  const sue = personWith("corp|sue", ["support"]);
  const wanted = { resource: "customers/7", scope: "customers:read" };

  it("opens by the one or by the two, not by half of the two", async () => {
    const desk = deskWith("customer-records");
    const first = await asked(desk, sue, wanted);
    expect(await refused(desk, sue, wanted)).toMatchObject(CONFLICT);
    expect(desk.review(personWith("corp|d", ["dpo"]), first.id)).toMatchObject({
      value: { decided: "approved" },
    });
    desk.end("operator", first.id);
    expect(desk.toldOf(first.id).at(-1)).toBe("grant.revoked");
    const second = await asked(desk, sue, wanted);
    expect(desk.review(personWith("corp|l", ["support-lead"]), second.id)).toMatchObject({
      value: { decided: "pending" },
    });
    expect(desk.review(personWith("corp|l2", ["support-lead"]), second.id)).toMatchObject({
      value: { decided: "pending" },
    });
    expect(desk.review(personWith("corp|j", ["legal"]), second.id)).toMatchObject({
      value: { decided: "approved" },
    });
  });
});

describe("payouts", () => {
  const tom = personWith("corp|tom", ["treasury"]);
  const cfo = personWith("corp|cfo");
  const deputy = personWith("corp|deputy");
  const finance = (name: string) => personWith(`corp|${name}`, ["finance"]);
  const wanted = { resource: "payouts", scope: "payouts:release" };
  const waitingFor = (desk: AccessDesk, key: string) =>
    desk.directory.list({ limit: 10, awaiting: [`payouts ${key}`] }, desk.now).length;

  it("asks the CFO after finance, and tells of it then", async () => {
    const desk = deskWith("payouts");
    const { id } = await asked(desk, tom, wanted);
    expect([waitingFor(desk, "role:finance"), waitingFor(desk, "subject:corp|cfo")]).toEqual([1, 0]);
    expect(desk.review(cfo, id)).toMatchObject({ error: { code: "conflict", extra: { stage: 1 } } });
    desk.review(finance("f1"), id);
    desk.review(finance("f2"), id);
    expect(desk.toldOf(id)).toEqual(["access_request.created", "access_request.stage_passed"]);
    expect([waitingFor(desk, "role:finance"), waitingFor(desk, "subject:corp|cfo")]).toEqual([0, 1]);
    expect(desk.review(finance("f3"), id)).toMatchObject(CONFLICT);
    expect(desk.review(deputy, id)).toMatchObject(FORBIDDEN);
    expect(desk.review(cfo, id)).toMatchObject({ value: { decided: "approved" } });
  });

  it("reminds after an hour and lets the deputy stand in after four, in each stage anew", async () => {
    const desk = deskWith("payouts");
    const { id } = await asked(desk, tom, wanted);
    desk.pass(3600);
    desk.review(finance("f1"), id);
    desk.review(finance("f2"), id);
    desk.pass(14_399);
    expect(desk.review(deputy, id)).toMatchObject(FORBIDDEN);
    expect(waitingFor(desk, "subject:corp|deputy")).toBe(0);
    desk.pass(1);
    expect(waitingFor(desk, "subject:corp|deputy")).toBe(1);
    expect(desk.review(deputy, id)).toMatchObject({ value: { decided: "approved" } });
    expect(desk.toldOf(id).slice(0, 6)).toEqual([
      "access_request.created",
      "access_request.reminder_due",
      "access_request.stage_passed",
      "access_request.reminder_due",
      "access_request.escalated",
      "access_request.approved",
    ]);
  });

  it("is over after a day, and tells that only", async () => {
    const desk = deskWith("payouts");
    const { id } = await asked(desk, tom, wanted);
    desk.pass(86_400);
    expect(desk.toldOf(id).at(-1)).toBe("access_request.expired");
    expect(desk.review(finance("f1"), id)).toMatchObject({ error: { extra: { state: "expired" } } });
    expect(waitingFor(desk, "role:finance")).toBe(0);
  });
});

describe("production-logs", () => {
  const onCall = personWith("corp|sam", ["sre", "on-call"]);
  const wanted = { resource: "logs/billing", scope: "logs:read" };
  const freeze = at("2026-12-24T12:00:00Z");

  it("opens at once for who is on call, for an hour at most", async () => {
    const desk = deskWith("production-logs");
    expect(await asked(desk, onCall, wanted)).toMatchObject({ decided: "approved", decided_by: "rule" });
    expect(await asked(desk, onCall, wanted, { duration_seconds: 3601 })).toMatchObject({
      decided: "pending",
    });
    const { id, decided } = await asked(desk, personWith("corp|ria", ["sre"]), wanted);
    expect(decided).toBe("pending");
    expect(desk.review(personWith("corp|lea", ["sre-lead"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
  });

  it("is denied in the freeze, for the frozen service", async () => {
    const desk = deskWith("production-logs", freeze);
    const { id } = await asked(desk, onCall, wanted);
    expect(desk.read(id)).toMatchObject({ decided: "denied", decided_by: "rule" });
    expect(desk.toldOf(id)).toEqual(["access_request.created", "access_request.denied"]);
    expect(await asked(desk, onCall, { ...wanted, resource: "logs/web" })).toMatchObject({
      decided: "approved",
    });
  });
});

describe("contractor-projects", () => {
  const kim = personWith("partners|kim", ["contractor"]);
  const wanted = { resource: "projects/42", scope: "projects:read" };

  it("is for people of that provider, by day in New York", async () => {
    expect(await asked(deskWith("contractor-projects"), kim, wanted)).toMatchObject({ decided: "pending" });
    expect(
      await refused(deskWith("contractor-projects"), personWith("corp|kim", ["contractor"]), wanted),
    ).toMatchObject(FORBIDDEN);
    const night = deskWith("contractor-projects", at("2026-11-23T11:59:59Z"));
    expect(await refused(night, kim, wanted)).toMatchObject(FORBIDDEN);
  });

  it("waits for a day after a denial, for this project", async () => {
    const desk = deskWith("contractor-projects");
    const { id } = await asked(desk, kim, wanted);
    desk.review(personWith("corp|pia", ["project-owner"]), id, { outcome: "deny" });
    desk.pass(3600);
    expect(await refused(desk, kim, wanted)).toMatchObject({
      error: { code: "conflict", extra: { retry_at: NOON + 86_400 } },
    });
    await asked(desk, kim, { ...wanted, resource: "projects/43" });
    desk.pass(82_800);
    expect((await refused(desk, kim, wanted)).ok).toBe(true);
  });
});

describe("agents", () => {
  const agent = personWith("corp|ann", ["employee"], ["agent-7"]);
  const reading = { resource: "documents/9", scope: "documents:read" };
  const both = { resource: "documents/9", scope: "documents:read documents:write" };

  it("read for ten minutes at once, where it is known for whom", async () => {
    const desk = deskWith("agents");
    expect(await asked(desk, agent, reading)).toMatchObject({ decided: "approved" });
    expect(await refused(desk, personWith("corp|ann", ["employee"]), reading)).toMatchObject(FORBIDDEN);
    expect(await asked(desk, agent, reading, { duration_seconds: 601 })).toMatchObject({
      decided: "pending",
    });
    expect(await asked(desk, agent, both)).toMatchObject({ decided: "denied" });
  });

  it("are approved by a person who has no part in it", async () => {
    const desk = deskWith("agents");
    const { id } = await asked(desk, agent, { ...both, scope: "documents:write" });
    const parts = [
      personWith("corp|ann", ["employee"]),
      personWith("agent-7", ["employee"]),
      personWith("corp|bob", ["employee"], ["agent-7"]),
      personWith("corp|bob", ["employee"], ["corp|ann"]),
      { ...personWith("corp|bob", ["employee"]), clientId: "agent-7" },
      personWith("cli_app", ["employee"]),
    ];
    for (const actor of parts) expect(desk.review(actor, id), JSON.stringify(actor)).toMatchObject(FORBIDDEN);
    expect(desk.review(personWith("corp|bob", ["employee"]), id)).toMatchObject({
      value: { decided: "approved" },
    });
  });
});

describe("production-admin", () => {
  const sam = personWith("corp|sam", ["on-call"]);
  const sec = personWith("corp|sec", ["security"]);
  const wanted = { resource: "production", scope: "production:admin" };
  const emergency = { emergency: true as const };

  it("is taken at once by who is on call, for half an hour at most", async () => {
    const desk = deskWith("production-admin");
    expect(await refused(desk, sam, wanted)).toMatchObject(FORBIDDEN);
    expect(await refused(desk, personWith("corp|x", ["sre"]), wanted, emergency)).toMatchObject(FORBIDDEN);
    expect(await refused(desk, sam, wanted, { ...emergency, duration_seconds: 1801 })).toMatchObject(INVALID);
    expect(await refused(desk, sam, wanted, { ...emergency, starts_at: NOON })).toMatchObject(INVALID);
    const { id, grant } = await asked(desk, sam, wanted, emergency);
    expect(grant!.access_expiry - grant!.access_start).toBe(1800);
    expect(desk.toldOf(id)).toEqual(["break_glass.opened", "grant.activated"]);
    expect(desk.extend(sam, id, 60)).toMatchObject(CONFLICT);
  });

  it("is not had again before somebody else has reviewed it", async () => {
    const desk = deskWith("production-admin");
    const { id } = await asked(desk, sam, wanted, emergency);
    desk.pass(1800);
    expect(await refused(desk, sam, wanted, emergency)).toMatchObject({
      error: { code: "conflict", extra: { access_request: id } },
    });
    await asked(desk, personWith("corp|ria", ["on-call"]), wanted, emergency);
    expect(desk.review(personWith("corp|sam", ["security"]), id)).toMatchObject(FORBIDDEN);
    expect(desk.review(personWith("corp|lea", ["sre-lead"]), id)).toMatchObject(FORBIDDEN);
    expect(desk.review(sec, id, { scope: ["production:admin"] })).toMatchObject(INVALID);
    expect(desk.review(sec, id).ok).toBe(true);
    expect(desk.review(personWith("corp|sec2", ["security"]), id)).toMatchObject(CONFLICT);
    expect((await refused(desk, sam, wanted, emergency)).ok).toBe(true);
  });

  it("ends where the review finds it not justified", async () => {
    const desk = deskWith("production-admin");
    const { id } = await asked(desk, sam, wanted, emergency);
    desk.review(sec, id, { outcome: "deny", comment: "there was no incident" });
    expect(desk.issue(sam, id)).toMatchObject({ error: { code: "gone" } });
    expect(desk.toldOf(id).slice(-2)).toEqual(["break_glass.reviewed", "grant.revoked"]);
  });

  it("is due for review when it ends, and after a day for the director too", async () => {
    const desk = deskWith("production-admin");
    const { id } = await asked(desk, sam, wanted, emergency);
    desk.pass(1800);
    expect(desk.toldOf(id).slice(-2)).toEqual(["grant.expired", "break_glass.review_due"]);
    const director = personWith("corp|dir", ["director"]);
    desk.pass(86_399);
    expect(desk.review(director, id)).toMatchObject(FORBIDDEN);
    desk.pass(1);
    expect(desk.toldOf(id).at(-1)).toBe("break_glass.review_overdue");
    expect(desk.review(director, id).ok).toBe(true);
    expect(desk.toldOf(id).at(-1)).toBe("break_glass.reviewed");
  });
});
