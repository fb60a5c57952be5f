import { beforeAll, describe, expect, it } from "vitest";
import { loadConditions } from "../../../src/policy/condition.ts";
import { DEFAULT_REMEDIATION_RULES } from "../../../src/policy/default-remediation.ts";
import { type RemediationRule, remediationRuleSchema } from "../../../src/policy/remediation-schema.ts";
import type { Detection } from "../../../src/protocol/detection.ts";
import { remediate, toCount, type Verdict } from "../../../src/remediation/remediate.ts";
import { replayed } from "../../../src/remediation/replay.ts";
import type { Issuers } from "../../../src/remediation/target.ts";

beforeAll(loadConditions);

const NOW = 1_800_000_000;
const OWN = "https://auth.example.com";
const IDP = "https://idp.example";
const ISSUERS: Issuers = { own: OWN, ids: new Map([[IDP, "corp"]]) };
const ABOUT = { iss: OWN, jti: "tok_1", sub: "corp|alice", session: "ses_1", address: "203.0.113.7" };

let count = 0;
const detection = (over: Partial<Detection> = {}): Detection => ({
  id: `det_${++count}`,
  kind: "token_overused",
  at: NOW,
  window_seconds: 60,
  count: 20_000,
  threshold: 20_000,
  about: ABOUT,
  ...over,
});
const rule = (over: object = {}): RemediationRule =>
  remediationRuleSchema.parse({
    id: "r",
    when: "token_overused",
    actions: [{ kind: "revoke", target: "token" }],
    cooldown_seconds: 0,
    ...over,
  });

/** Detections one after the other, each `every` seconds; the outcomes of one rule. */
function outcomes(rules: RemediationRule[], detections: Detection[], cuts = new Map<string, number>()) {
  return replayed(detections, rules, cuts, ISSUERS).firings.map(({ at, outcome }) => [at - NOW, outcome]);
}
const series = (times: number[], over: Partial<Detection> = {}) =>
  times.map((at) => detection({ at: NOW + at, ...over }));

const NOTHING = { matches: () => 0, lastFired: () => undefined, firedSince: () => 0 };
const judge = (one: Detection, rules: RemediationRule[], cuts = new Map<string, number>()): Verdict[] =>
  remediate(one, rules, NOTHING, cuts, ISSUERS, NOW);

describe("which rules a detection is for", () => {
  it("goes by the kind: all that name it, in their order, and no other", () => {
    const rules = [
      rule({ id: "a" }),
      rule({ id: "b", when: "token_many_addresses" }),
      rule({ id: "c", when: ["token_many_addresses", "token_overused"] }),
    ];
    expect(judge(detection(), rules).map((verdict) => verdict.rule.id)).toEqual(["a", "c"]);
  });

  it.each<[string, boolean]>([
    ["detection.count >= 20000", true],
    ["detection.count > 20000", false],
    ["about.sub.startsWith('corp|')", true],
    ["about.client_id == 'cli_1'", false],
    ["about.client_id != 'cli_1'", false],
    ["facts.countries == 5", true],
    ["facts.countries", false],
    ["time.hour == 8 && time.zone == 'UTC'", true],
    ["detection.kind == 'token_overused'", true],
  ])("and by the condition %s, where it is exactly true", (condition, acts) => {
    const one = detection({ facts: { countries: 5 } });
    expect(judge(one, [rule({ condition })]).map(({ outcome }) => outcome)).toEqual(acts ? ["acted"] : []);
  });
});

describe("a threshold", () => {
  const rules = [rule({ threshold: { count: 3, window_seconds: 100 } })];

  it("is reached by so many in the window, and not by one less", () => {
    expect(outcomes(rules, series([0, 50, 99]))).toEqual([[99, "acted"]]);
    expect(outcomes(rules, series([0, 50, 100]))).toEqual([]);
    expect(outcomes(rules, series([0, 50, 100, 149]))).toEqual([[149, "acted"]]);
  });

  it("counts for each target by itself", () => {
    const other = { about: { ...ABOUT, jti: "tok_2" } };
    const mixed = [...series([0, 1]), ...series([2], other), ...series([3])];
    expect(outcomes(rules, mixed)).toEqual([[3, "acted"]]);
  });
});

describe("a rule that has acted", () => {
  it("leaves the same target alone until the cool-down is over, to the second; others it does not", () => {
    const rules = [rule({ cooldown_seconds: 60 })];
    expect(outcomes(rules, series([0, 59, 60, 61, 120]))).toEqual([
      [0, "acted"],
      [60, "acted"],
      [120, "acted"],
    ]);
    const both = [...series([0]), ...series([1], { about: { ...ABOUT, jti: "tok_2" } })];
    expect(outcomes(rules, both)).toHaveLength(2);
  });

  it("acts so often in any hour, whatever the target, and no more", () => {
    const rules = [rule({ max_per_hour: 2 })];
    const each = [0, 10, 20, 3_599, 3_600, 3_609, 3_610].flatMap((at) =>
      series([at], { about: { ...ABOUT, jti: `tok_${at}` } }),
    );
    expect(outcomes(rules, each).map(([at]) => at)).toEqual([0, 10, 3_600, 3_610]);
  });

  it("is not slowed down by what the same rule only did in the shadow", () => {
    const history = {
      ...NOTHING,
      lastFired: (_r: string, _g: string, shadow: boolean) => (shadow ? NOW : undefined),
    };
    const live = rule({ cooldown_seconds: 60 });
    const judged = (each: RemediationRule) =>
      remediate(detection(), [each], history, new Map(), ISSUERS, NOW).map(({ outcome }) => outcome);
    expect(judged(live)).toEqual(["acted"]);
    expect(judged({ ...live, shadow: true })).toEqual(["cooling_down"]);
  });
});

describe("the cap", () => {
  const session = rule({ actions: [{ kind: "revoke", target: "session" }], max_cut: 10 });
  const cuts = (tokens: number) => new Map([["session:ses_1", tokens]]);

  it("holds what would cut more live tokens for a person", () => {
    expect(judge(detection(), [session], cuts(10))[0]).toMatchObject({ outcome: "acted", would_cut: 10 });
    expect(judge(detection(), [session], cuts(11))[0]).toMatchObject({ outcome: "held", would_cut: 11 });
  });

  it("counts a target once, and its targets together; one token is one", () => {
    const actions = [
      { kind: "revoke", target: "session" },
      { kind: "step_up", target: "session" },
      { kind: "revoke", target: "token" },
    ];
    const many = rule({ actions, max_cut: 10 });
    expect(judge(detection(), [many], cuts(9))[0]).toMatchObject({ outcome: "acted", would_cut: 10 });
    expect(judge(detection(), [many], cuts(10))[0]).toMatchObject({ outcome: "held", would_cut: 11 });
    expect(toCount(detection(), [many], ISSUERS, NOW).map(({ key }) => key)).toEqual(["session:ses_1"]);
  });

  it("in the shadow says that it would have held", () => {
    const shadow = { ...session, shadow: true };
    expect(judge(detection(), [shadow], cuts(11))[0]).toMatchObject({ outcome: "shadow", would_hold: true });
    expect(judge(detection(), [shadow], cuts(1))[0]).toMatchObject({ outcome: "shadow", would_hold: false });
  });
});

describe("whom an action is for", () => {
  const on = (action: object, about: Detection["about"]) => {
    const one = rule({ actions: [action] });
    const target = judge(detection({ about }), [one])[0]!.actions[0]!.target;
    return target?.kind === "tokens" ? target.match : target;
  };
  const narrowest = { kind: "revoke", target: "narrowest" };

  it("is named as the detection names it, with the issuer where its ids are not ours", () => {
    expect(on({ kind: "revoke", target: "token" }, ABOUT)).toEqual({ iss: OWN, jti: "tok_1" });
    expect(on({ kind: "revoke", target: "session" }, ABOUT)).toEqual({ session: "ses_1" });
    expect(on({ kind: "revoke", target: "session" }, { iss: IDP, session: "s" })).toEqual({
      iss: IDP,
      session: "s",
    });
    expect(on({ kind: "revoke", target: "client" }, { iss: IDP, client_id: "c" })).toEqual({
      iss: IDP,
      client_id: "c",
    });
    expect(on({ kind: "revoke", target: "grant" }, { iss: OWN, grant: "grt_1" })).toEqual({ grant: "grt_1" });
  });

  it("is a person of a trusted provider by the name that our tokens have for them, and nobody of the same name", () => {
    expect(on({ kind: "force_sign_in" }, { iss: IDP, sub: "alice" })).toEqual({ sub: "corp|alice" });
    expect(on({ kind: "force_sign_in" }, { iss: OWN, sub: "corp|alice" })).toEqual({ sub: "corp|alice" });
    expect(on({ kind: "force_sign_in" }, { iss: "https://gone.example", sub: "alice" })).toEqual({
      iss: "https://gone.example",
      sub: "alice",
    });
  });

  it("is the narrowest that there is", () => {
    expect(on(narrowest, { ...ABOUT, grant: "grt_1" })).toEqual({ iss: OWN, jti: "tok_1" });
    expect(on(narrowest, { iss: OWN, session: "ses_1", sub: "x" })).toEqual({ session: "ses_1" });
    expect(on(narrowest, { iss: OWN, client_id: "cli_1", sub: "x" })).toEqual({ sub: "x" });
  });

  it("is nobody where the detection names none: nothing is done then", () => {
    for (const action of [narrowest, { kind: "force_sign_in" }, { kind: "block_address" }]) {
      expect(on(action, { iss: OWN })).toBeUndefined();
    }
    expect(on({ kind: "revoke", target: "token" }, { jti: "tok_1" })).toBeUndefined();
  });
});

describe("the rules that hold where the policy has none", () => {
  const verdicts = (kind: Detection["kind"], about: Detection["about"] = ABOUT) =>
    judge(detection({ kind, about }), [...DEFAULT_REMEDIATION_RULES]).map(
      ({ rule: { id }, outcome, actions }) => ({
        id,
        outcome,
        does: actions.filter(({ target }) => target).map(({ action }) => action.kind),
      }),
    );

  it.each<[Detection["kind"], string, string, string[]]>([
    ["token_used_after_expiry", "expired-token-in-use", "acted", ["count"]],
    ["token_used_after_revocation", "revoked-token-in-use", "acted", ["revoke", "notify"]],
    ["token_overused", "overused-token", "acted", ["revoke", "notify"]],
    ["impossible_travel", "shared-token", "shadow", ["step_up", "notify"]],
    ["token_many_countries", "shared-token", "shadow", ["step_up", "notify"]],
    ["refresh_token_reused", "reused-refresh-token", "acted", ["notify"]],
    ["scope_probing", "for-the-record", "acted", ["count"]],
    ["break_glass_used", "for-the-record", "acted", ["count"]],
  ])("meet %s by %s: %s %j", (kind, id, outcome, does) => {
    expect(verdicts(kind)).toEqual([{ id, outcome, does }]);
  });

  it.each(["token_tampered", "unknown_key_storm"] as const)(
    "tell of %s at once, and block the address only where it goes on",
    (kind) => {
      const { firings } = replayed(
        series([0, 300, 600, 900], { kind }),
        DEFAULT_REMEDIATION_RULES,
        new Map(),
        ISSUERS,
      );
      expect(firings.map(({ rule_id, at, actions }) => [rule_id, at - NOW, actions[0]])).toEqual([
        ["tampered-tokens", 0, "notify"],
        ["tampered-tokens", 300, "notify"],
        ["tampered-tokens", 600, "notify"],
        ["tampered-tokens-without-end", 600, "block_address"],
        ["tampered-tokens", 900, "notify"],
        ["tampered-tokens-without-end", 900, "block_address"],
      ]);
    },
  );

  it("end what a compromised key signed, and begin a rotation that was missed", () => {
    const about = { iss: OWN, kid: "k1" };
    expect(verdicts("key_compromised", about)).toMatchObject([
      { outcome: "acted", does: ["revoke", "notify"] },
    ]);
    expect(verdicts("key_rotation_overdue", about)).toMatchObject([{ does: ["rotate_key", "notify"] }]);
  });
});

describe("a replay", () => {
  it("tells what each rule would have done, and how many tokens it would have cut, each target once", () => {
    const cuts = new Map([["session:ses_1", 7]]);
    const rules = [
      rule({ id: "live", actions: [{ kind: "revoke", target: "session" }], cooldown_seconds: 60 }),
      rule({ id: "strict", actions: [{ kind: "revoke", target: "session" }], max_cut: 3, shadow: true }),
      rule({ id: "none", when: "break_glass_used", actions: [{ kind: "count" }] }),
    ];
    const report = replayed(series([0, 30, 60]), rules, cuts, ISSUERS);
    expect(report.detections).toBe(3);
    expect(report.rules).toEqual([
      { rule_id: "live", outcomes: { acted: 2, cooling_down: 1 }, tokens_cut: 7 },
      { rule_id: "strict", outcomes: { shadow: 3 }, tokens_cut: 7 },
      { rule_id: "none", outcomes: {}, tokens_cut: 0 },
    ]);
    expect(report.firings).toHaveLength(5);
    expect(report.firings[0]).toMatchObject({
      rule_id: "live",
      kind: "token_overused",
      would_cut: 7,
      actions: ["revoke"],
    });
    expect(report.firings[1]).toMatchObject({ rule_id: "strict", would_hold: true });
  });
});
