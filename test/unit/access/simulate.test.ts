import { beforeAll, describe, expect, it } from "vitest";
import { replay } from "../../../src/access/replay.ts";
import { simulateAsks } from "../../../src/access/simulate.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { simulationSchema } from "../../../src/policy/simulation-schema.ts";
import { AccessDesk, personWith } from "../../support/access-desk.ts";

beforeAll(loadConditions);

const NOW = 1_795_435_200;
const policyWith = (over: object) =>
  policySchema.parse({
    origins: { api: { url: "https://api.internal.example", audience: "api" } },
    access_rules: [
      {
        id: "orders",
        resource: "orders",
        origin: "api",
        scopes: ["orders:read"],
        requesters: { roles: ["developer"] },
        stages: [{ roles: ["approver"] }],
        max_duration_seconds: 3600,
        ...over,
      },
    ],
  });
const before = policyWith({});
const WISH = { resource: "orders", scope: "orders:read", justification: "a test" };

describe("sample asks", () => {
  const people = [
    { subject: "corp|ann", roles: ["developer", "approver"] },
    { subject: "corp|bob", roles: ["approver"] },
    { subject: "corp|cat", roles: [] },
  ];
  const tried = (over: object) =>
    simulateAsks(
      simulationSchema.parse({
        people,
        asks: [{ subject: "corp|ann", resource: "orders", scope: "orders:read" }],
      }),
      before,
      policyWith(over),
      NOW,
    )[0]!;

  it("show who could approve, never who asks, and whether they are enough", () => {
    expect(
      tried({ stages: [{ roles: ["approver"] }, { subjects: ["corp|cat", "corp|bob"] }] }),
    ).toMatchObject({
      before: { outcome: "pending", reachable: true, stages: [{ may_approve: ["corp|bob"] }] },
      after: {
        outcome: "pending",
        reachable: true,
        stages: [{ may_approve: ["corp|bob"] }, { may_approve: ["corp|bob", "corp|cat"] }],
      },
    });
    expect(tried({ stages: [{ roles: ["approver"], count: 2 }] }).after).toMatchObject({ reachable: false });
  });

  it("show what the rule would do by itself, and a refusal", () => {
    expect(tried({ approve_when: "true" }).after).toEqual({ outcome: "approved", rule: "orders" });
    expect(tried({ deny_when: "true" }).after).toEqual({ outcome: "denied", rule: "orders" });
    expect(tried({ requesters: { roles: ["manager"] } }).after).toMatchObject({ outcome: "refused" });
  });
});

describe("stored requests decided again", () => {
  const ann = personWith("corp|ann", ["developer"]);
  const bob = personWith("corp|bob", ["approver"]);

  async function history() {
    const desk = new AccessDesk(before, NOW);
    const ask = async () => {
      const asked = await desk.ask(ann, WISH);
      if (!asked.ok) throw new Error(asked.error.detail);
      return asked.value.id;
    };
    const [approved, denied, cancelled, pending] = [await ask(), await ask(), await ask(), await ask()];
    desk.pass(60);
    desk.review(bob, approved);
    desk.review(bob, denied, { outcome: "deny" });
    desk.cancel(cancelled);
    const all = [approved, denied, cancelled, pending];
    return {
      ids: { approved, denied, cancelled, pending },
      stored: () => all.map((id) => desk.read(id)),
      now: desk.now,
    };
  }

  it("are the same under the same rules", async () => {
    const { stored, now } = await history();
    expect(replay(stored(), before, now)).toEqual([]);
  });

  it.each<[string, object, [string, string, string][]]>([
    ["two approvals", { stages: [{ roles: ["approver"], count: 2 }] }, [["approved", "approved", "pending"]]],
    [
      "other approvers",
      { stages: [{ roles: ["manager"] }] },
      [
        ["approved", "approved", "pending"],
        ["denied", "denied", "pending"],
      ],
    ],
    [
      "automatic approval",
      { approve_when: "true" },
      [
        ["denied", "denied", "approved"],
        ["cancelled", "cancelled", "approved"],
        ["pending", "pending", "approved"],
      ],
    ],
    [
      "a deadline that was over",
      { review_deadline_seconds: 59 },
      [
        ["approved", "approved", "expired"],
        ["denied", "denied", "expired"],
        ["cancelled", "cancelled", "expired"],
        ["pending", "pending", "expired"],
      ],
    ],
    [
      "other requesters",
      { requesters: { roles: ["manager"] } },
      [
        ["approved", "approved", "refused"],
        ["denied", "denied", "refused"],
        ["cancelled", "cancelled", "refused"],
        ["pending", "pending", "refused"],
      ],
    ],
  ])("differ by %s", async (_what, over, expected) => {
    const { ids, stored, now } = await history();
    const found = replay(stored(), policyWith(over), now);
    expect(found.map(({ id, was, would_be }) => [id, was, would_be])).toEqual(
      expected.map(([name, was, wouldBe]) => [ids[name as keyof typeof ids], was, wouldBe]),
    );
  });
});
