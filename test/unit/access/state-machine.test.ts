import * as fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import type { AccessRequest, Extension } from "../../../src/access/access-request.ts";
import { isEndedEarly } from "../../../src/access/grant.ts";
import { presentRequest } from "../../../src/access/present.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { EVENT_TYPES } from "../../../src/webhooks/event.ts";
import { AccessDesk, personWith } from "../../support/access-desk.ts";

beforeAll(loadConditions);

const NOW = 1_795_435_200;
const policy = policySchema.parse({
  origins: { api: { url: "https://api.internal.example", audience: "api" } },
  access_rules: [
    {
      id: "r",
      resource: "orders",
      origin: "api",
      scopes: ["orders:read", "orders:write"],
      requesters: { roles: ["developer"], condition: "request.duration_seconds < 900 || !request.extension" },
      stages: [{ all: [{ roles: ["peer"] }, { roles: ["boss"] }] }, { roles: ["chief"] }],
      approve_when: "request.duration_seconds == 60",
      deny_when: "request.duration_seconds == 61",
      reminder_after_seconds: 100,
      escalation: { after_seconds: 200, roles: ["deputy"] },
      review_deadline_seconds: 400,
      max_duration_seconds: 600,
      max_total_seconds: 1200,
      warn_before_end_seconds: 100,
      cool_down_seconds: 50,
      max_parallel: 2,
      break_glass: {
        roles: ["developer"],
        max_duration_seconds: 300,
        reviewers: { roles: ["chief"] },
        review_within_seconds: 300,
      },
    },
  ],
});

const PEOPLE = {
  ann: personWith("corp|ann", ["developer", "peer", "boss", "chief"]),
  agent: personWith("corp|ann", ["developer"], ["agent"]),
  peer: personWith("corp|peer", ["peer", "boss"]),
  boss: personWith("corp|boss", ["boss"]),
  chief: personWith("corp|chief", ["chief"]),
  deputy: personWith("corp|deputy", ["deputy", "peer"]),
  nobody: personWith("corp|nobody", []),
};
const ANN = PEOPLE.ann.subject;
type Name = keyof typeof PEOPLE;

const which = fc.constantFrom(0, 0, 0, 1, 2);
const reviewer = fc.constantFrom<Name>("peer", "boss", "boss", "chief", "chief", "deputy", "ann", "nobody");
const mostly = <T>(usual: T, ...rare: T[]) =>
  fc.constantFrom(...Array.from({ length: 8 }, () => usual), ...rare);
const command = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      by: mostly<Name>("ann", "agent", "nobody"),
      seconds: mostly(300, 60, 60, 61, 600, 601),
      startsIn: mostly<number | undefined>(undefined, 0, 150),
      emergency: mostly<true | undefined>(undefined, true, true),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant("review" as const),
      by: reviewer,
      which,
      outcome: mostly<"approve" | "deny">("approve", "deny"),
      extension: fc.boolean(),
      seconds: mostly<number | undefined>(undefined, 10, 301),
      scope: mostly<string | undefined>(undefined, "orders:read", "orders:all"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "use up" as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("end" as const), which, by: fc.constantFrom(ANN, "operator") }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("extend" as const),
      by: mostly<Name>("ann", "agent", "peer"),
      which,
      seconds: mostly(300, 60, 61, 900),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("issue" as const), by: mostly<Name>("ann", "peer"), which }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass" as const), seconds: mostly(20, 60, 150, 250) }),
  },
);
const schedule = fc.array(command, { minLength: 5, maxLength: 100 });
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** Schedules begin with nothing, with a request that three people approve, or with an emergency. */
const taken: Command[] = [{ do: "ask", by: "ann", seconds: 300, startsIn: undefined, emergency: true }];
const granted: Command[] = [
  { do: "ask", by: "ann", seconds: 300, startsIn: undefined, emergency: undefined },
  ...(["peer", "boss", "chief"] as const).map(
    (by): Command => ({
      ...{ do: "review", by, which: 0, outcome: "approve", extension: false },
      ...{ seconds: undefined, scope: undefined },
    }),
  ),
];

/** What must have been told, by what is different. */
function transitions(before: AccessRequest | undefined, after: AccessRequest, at: number): string[] {
  const told: string[] = [];
  const add = (happened: unknown, type: string) => happened && told.push(type);
  const { break_glass: glass, grant } = after;
  add(!before && !glass, "access_request.created");
  add(!before && glass, "break_glass.opened");
  add((before?.decided ?? "pending") !== after.decided && !glass, `access_request.${after.decided}`);
  add((before?.stage ?? 0) < after.stage, "access_request.stage_passed");
  add(grant?.told && !before?.grant?.told, "grant.activated");
  add(grant?.told === "expired" && before?.grant?.told !== "expired", "grant.expired");
  add((grant?.warned || isWarnedAndExtended(before, after, at)) && !before?.grant?.warned, "grant.ending");
  const { revoked } = grant ?? {};
  add(revoked && !before?.grant?.revoked, revoked?.by === ANN ? "grant.returned" : "grant.revoked");
  add(grant?.used_up_at !== undefined && before?.grant?.used_up_at === undefined, "grant.used_up");
  add(glass?.due && !before?.break_glass?.due, "break_glass.review_due");
  add(glass?.overdue && !before?.break_glass?.overdue, "break_glass.review_overdue");
  add(glass?.review && !before?.break_glass?.review, "break_glass.reviewed");
  rounds(before, after).forEach(([old, round]) => {
    const sameStage = (old?.stage ?? 0) === round.stage;
    add(round.reminded && !(sameStage && old?.reminded), "access_request.reminder_due");
    add(round.escalated && !(sameStage && old?.escalated), "access_request.escalated");
  });
  for (const [old, extension] of pairs(before, after)) {
    add(!old, "grant.extension_requested");
    add((old?.stage ?? 0) < extension.stage, "access_request.stage_passed");
    if ((old?.decided ?? "pending") === extension.decided) continue;
    told.push(extension.decided === "approved" ? "grant.extended" : `grant.extension_${extension.decided}`);
  }
  return told.sort();
}

/** The warning was due by the end as it was, and an extension in the same commit has moved the end. */
function isWarnedAndExtended(before: AccessRequest | undefined, after: AccessRequest, at: number): boolean {
  const grant = before?.grant;
  if (!grant || after.grant!.access_expiry === grant.access_expiry) return false;
  const warnAt = grant.access_expiry - after.warn_before_end_seconds;
  return warnAt > grant.access_start && at >= warnAt;
}

const pairs = (
  before: AccessRequest | undefined,
  after: AccessRequest,
): [Extension | undefined, Extension][] =>
  after.extensions.map((each) => [before?.extensions.find(({ id }) => id === each.id), each]);
const rounds = (before: AccessRequest | undefined, after: AccessRequest) => [
  [before, after] as const,
  ...pairs(before, after),
];

async function run(
  desk: AccessDesk,
  ids: string[],
  what: Command,
): Promise<{ ok: boolean; expires_at?: number }> {
  if (what.do === "pass") {
    desk.pass(what.seconds);
    return { ok: true };
  }
  if (what.do === "ask") {
    const { by, seconds, startsIn, emergency } = what;
    const asked = await desk.ask(PEOPLE[by], {
      resource: "orders",
      scope: "orders:read orders:write",
      duration_seconds: seconds,
      justification: "a test",
      ...(startsIn === undefined ? {} : { starts_at: desk.now + startsIn }),
      ...(emergency ? { emergency } : {}),
    });
    if (asked.ok) ids.push(asked.value.id);
    return asked;
  }
  const id = ids[what.which];
  if (id === undefined) return { ok: false };
  switch (what.do) {
    case "cancel":
      return desk.cancel(id);
    case "use up":
      return desk.useUp(id);
    case "end":
      return desk.end(what.by, id);
    case "extend":
      return desk.extend(PEOPLE[what.by], id, what.seconds);
    case "issue": {
      const issued = desk.issue(PEOPLE[what.by], id);
      return issued.ok ? { ok: true, expires_at: issued.value.expires_at } : issued;
    }
    default: {
      const { by, outcome, seconds, scope } = what;
      const extension = what.extension ? desk.read(id).extensions.at(-1)?.id : undefined;
      return desk.review(PEOPLE[by], id, {
        outcome,
        ...(extension ? { extension } : {}),
        ...(seconds === undefined ? {} : { duration_seconds: seconds }),
        ...(scope === undefined ? {} : { scope: [scope] }),
      });
    }
  }
}

/** What reached what: so that the test is known to have walked the whole machine. */
const reached = new Set<string>();

function check(desk: AccessDesk, seen: number): void {
  for (const { before, after, events, at } of desk.changes.slice(seen)) {
    expect([...events].sort()).toEqual(transitions(before, after, at));
    for (const event of events) reached.add(event);
    if (before && before.decided !== "pending") expect(after.decided).toBe(before.decided);
    for (const [old, extension] of pairs(before, after)) {
      if (old && old.decided !== "pending") expect(extension.decided).toBe(old.decided);
    }
    const { grant } = after;
    if (before?.grant && isEndedEarly(before.grant)) expect(grant).toEqual(before.grant);
    if (grant && before?.grant) {
      expect(grant.access_start).toBe(before.grant.access_start);
      // What is over does not come back.
      if (at >= before.grant.access_expiry) expect(grant.access_expiry).toBe(before.grant.access_expiry);
      expect(grant.access_expiry).toBeGreaterThanOrEqual(before.grant.access_expiry);
    }
    if (grant) expect(grant.access_expiry - grant.access_start).toBeLessThanOrEqual(1200);
    expect(grant !== undefined).toBe(after.decided === "approved");
    const said = [...after.reviews, ...after.extensions.flatMap(({ reviews }) => reviews)];
    expect(said.filter(({ approver }) => approver === after.requester.subject)).toEqual([]);
    expect(JSON.stringify(presentRequest(after, desk.now))).not.toContain("undefined");
  }
}

it("any schedule: one terminal state, one event for each transition, no token past its grant, refusals change nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom([], granted, taken), schedule, async (begin, random) => {
      const commands = [...begin, ...random];
      const desk = new AccessDesk(policy, NOW);
      const ids: string[] = [];
      for (const what of commands) {
        const seen = desk.changes.length;
        const before = ids.map((id) => desk.read(id));
        const answer = await run(desk, ids, what);
        if (!answer.ok) {
          expect(desk.changes.length).toBe(seen);
          expect(ids.map((id) => desk.read(id))).toEqual(before);
        }
        check(desk, seen);
        if (answer.expires_at === undefined || what.do !== "issue") continue;
        const { grant, requester } = desk.read(ids[what.which]!);
        expect(requester.subject).toBe(PEOPLE[what.by].subject);
        expect(grant && isEndedEarly(grant)).toBe(false);
        expect(desk.now).toBeGreaterThanOrEqual(grant!.access_start);
        expect(answer.expires_at).toBeLessThanOrEqual(grant!.access_expiry);
        reached.add("token");
      }
      // Nothing waits for ever: time alone ends all of it.
      desk.pass(5_000);
      check(desk, 0);
      for (const id of ids) {
        const { decided, grant, extensions } = desk.read(id);
        expect(decided).not.toBe("pending");
        expect(grant && !isEndedEarly(grant) ? grant.told : "expired").toBe("expired");
        expect(extensions.some((extension) => extension.decided === "pending")).toBe(false);
      }
    }),
    { numRuns: 1_000 },
  );
  const expected = ["access_request.", "grant.", "break_glass."];
  const all = EVENT_TYPES.filter((type) => expected.some((family) => type.startsWith(family)));
  expect([...reached].sort()).toEqual([...all, "token"].sort());
}, 60_000);
