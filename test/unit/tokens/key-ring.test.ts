import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterCompromise,
  afterStep,
  earliestStep,
  inState,
  issuingStopsAt,
  keyState,
  overdueSince,
  type Periods,
  PURPOSES,
  type RingKey,
  retiresAt,
  signsFrom,
  verifies,
} from "../../../src/tokens/key-ring.ts";

const DAY = 86_400;
const PERIODS: Periods = {
  rotationSeconds: 30 * DAY,
  publishAheadSeconds: DAY,
  graceSeconds: 7 * DAY,
  adoptedAt: 0,
};
const T0 = 1_800_000_000;

const key = (kid: string, more: Partial<RingKey> = {}): RingKey => ({
  kid,
  purpose: "access_token",
  createdAt: T0,
  ...more,
});
const current = key("a", { publishedAt: T0, signsFrom: T0 });

describe("the state of a key", () => {
  it.each([
    ["next", {}],
    ["next", { publishedAt: T0 }],
    ["current", { publishedAt: T0, signsFrom: T0 }],
    ["previous", { signsFrom: T0, signsUntil: T0 + 1 }],
    ["retired", { signsFrom: T0, signsUntil: T0 + 1, retiredAt: T0 + 2 }],
    ["compromised", { signsFrom: T0, compromisedAt: T0 + 1 }],
    ["compromised", { signsFrom: T0, signsUntil: T0 + 1, retiredAt: T0 + 2, compromisedAt: T0 + 3 }],
  ] as const)("is %s with %o, and it verifies only before it is over", (state, more) => {
    expect(keyState(key("a", more))).toBe(state);
    expect(verifies(key("a", more))).toBe(state !== "retired" && state !== "compromised");
  });
});

describe("the plan", () => {
  it("demands nothing of time before a first key is made", () => {
    expect(earliestStep([], PERIODS)).toBeUndefined();
  });

  it("makes the next key a day, and an hour, before it signs", () => {
    expect(earliestStep([current], PERIODS)).toEqual({
      at: T0 + 29 * DAY - 3_600,
      step: { kind: "make", purpose: "access_token" },
    });
  });

  it("promotes it when the current key's time is over, never before it was published for a day", () => {
    const inTime = key("b", { publishedAt: T0 + 29 * DAY - 1 });
    const late = key("b", { publishedAt: T0 + 29 * DAY });
    const unpublished = key("b");
    expect(earliestStep([current, inTime], PERIODS)?.at).toBe(T0 + 30 * DAY);
    expect(earliestStep([current, late], PERIODS)?.at).toBe(T0 + 30 * DAY + 1);
    expect(earliestStep([current, unpublished], PERIODS)).toBeUndefined();
  });

  it("promotes an expedited one as soon as it was published for a day, and not a second sooner", () => {
    const next = key("b", { publishedAt: T0 + 9, expedited: true });
    expect(earliestStep([current, next], PERIODS)).toEqual({
      at: T0 + 10 + DAY,
      step: { kind: "promote", kid: "b" },
    });
  });

  it("lets the promoted key sign and the one before it verify", () => {
    const next = key("b", { publishedAt: T0 });
    expect(afterStep([current, next], { kind: "promote", kid: "b" }, T0 + 9).map(keyState)).toEqual([
      "current",
      "previous",
    ]);
  });

  it("retires an access token key with its last token, and lets what was being signed be recorded", () => {
    const replaced = { ...current, signsUntil: T0 + 100 };
    expect(retiresAt({ ...replaced, lastTokenEndsAt: T0 + 400 })).toBe(T0 + 400);
    expect(retiresAt({ ...replaced, lastTokenEndsAt: T0 + 101 })).toBe(T0 + 160);
    expect(retiresAt(replaced)).toBe(T0 + 160);
    expect(retiresAt(current)).toBeUndefined();
  });

  it("retires an assertion key when no isolate can hold it and no assertion of it is alive", () => {
    const replaced = { ...current, purpose: "assertion", signsUntil: T0 } as const;
    expect(retiresAt(replaced)).toBe(T0 + 60 + 600 + 120);
  });

  it("plans for each purpose alone", () => {
    const other = key("x", { purpose: "assertion", publishedAt: T0, signsFrom: T0 - DAY });
    expect(earliestStep([current, other], PERIODS)?.step).toEqual({ kind: "make", purpose: "assertion" });
    expect(inState([current, other], "assertion", "current")).toBe(other);
  });
});

describe("a compromised key", () => {
  const next = key("b", { publishedAt: T0 });
  const made = key("c");

  it("that signs is replaced at once, and the next one is forgotten with it", () => {
    const { save, forget } = afterCompromise([current, next], "a", made, T0 + 5);
    expect(save.map((each) => [each.kid, keyState(each)])).toEqual([
      ["a", "compromised"],
      ["c", "current"],
    ]);
    expect(forget).toEqual(["b"]);
  });

  it("that does not sign leaves the others as they are", () => {
    const previous = key("p", { signsFrom: T0 - 5, signsUntil: T0 });
    for (const kid of ["b", "p"]) {
      const { save, forget } = afterCompromise([previous, current, next], kid, made, T0 + 5);
      expect(save.map((each) => [each.kid, keyState(each)])).toEqual([[kid, "compromised"]]);
      expect(forget).toEqual([]);
    }
  });

  it("that is over, or that is none of ours, changes nothing", () => {
    const retired = key("r", { signsUntil: T0, retiredAt: T0 });
    for (const kid of ["r", "unknown"]) {
      expect(afterCompromise([current, retired], kid, made, T0)).toEqual({ save: [], forget: [] });
    }
  });
});

describe("a rotation that is overdue", () => {
  const due = T0 + 30 * DAY;

  it("is noticed a minute after it was due, and not before", () => {
    expect(overdueSince([current], "access_token", PERIODS, due + 59)).toBeUndefined();
    expect(overdueSince([current], "access_token", PERIODS, due + 60)).toBe(due);
    expect(overdueSince([current], "assertion", PERIODS, due + 60)).toBeUndefined();
  });

  it("ends issuing when the policy's grace is over", () => {
    expect(issuingStopsAt(due, PERIODS)).toBe(due + 60 + 7 * DAY);
  });

  it("lets a next key sign as soon as it is published once nothing is issued any more, and no sooner", () => {
    const stopped = issuingStopsAt(due, PERIODS);
    const before = key("b", { publishedAt: stopped - 10 });
    expect(signsFrom(before, current, PERIODS)).toBe(stopped);
    expect(signsFrom({ ...before, publishedAt: stopped + 5 }, current, PERIODS)).toBe(stopped + 5);
    expect(signsFrom({ ...before, publishedAt: stopped - 2 * DAY }, current, PERIODS)).toBe(
      stopped - DAY + 1,
    );
  });

  it("is none where shorter periods were learned a moment ago: the next key must be published first", () => {
    const shorter = { ...PERIODS, rotationSeconds: 2 * DAY, adoptedAt: T0 + 20 * DAY };
    const until = T0 + 21 * DAY + 3_600;
    expect(overdueSince([current], "access_token", shorter, until + 59)).toBeUndefined();
    expect(overdueSince([current], "access_token", shorter, until + 60)).toBe(until);
  });
});

/** A key ring that lives by the plan; publication, alarms and people come when they come. */
class Life {
  now = T0;
  made = 0;
  ring: RingKey[] = [];
  periods = { ...PERIODS, rotationSeconds: 5_000, publishAheadSeconds: 1_000 };
  readonly tokens: { kid: string; exp: number }[] = [];

  constructor() {
    for (const purpose of PURPOSES) this.ring.push({ ...this.make(purpose), signsFrom: T0, publishedAt: T0 });
  }

  make(purpose: RingKey["purpose"]): RingKey {
    return { kid: `k${this.made++}`, purpose, createdAt: this.now };
  }

  put(changed: readonly RingKey[]): void {
    for (const each of changed) this.ring = [...this.ring.filter(({ kid }) => kid !== each.kid), each];
  }

  alarm(): void {
    for (;;) {
      const planned = earliestStep(this.ring, this.periods);
      if (!planned || planned.at > this.now) return;
      const { step } = planned;
      if (step.kind === "make") this.put([this.make(step.purpose)]);
      else {
        const changed = afterStep(this.ring, step, this.now);
        if (step.kind === "promote") this.#checkPromotion(changed[0]!);
        this.put(changed);
      }
    }
  }

  publish(): void {
    this.put(
      this.ring.filter((k) => k.publishedAt === undefined).map((k) => ({ ...k, publishedAt: this.now })),
    );
  }

  mint(ttlSeconds: number): void {
    const signing = inState(this.ring, "access_token", "current")!;
    if (signing.publishedAt === undefined) return;
    const exp = this.now + ttlSeconds;
    this.tokens.push({ kid: signing.kid, exp });
    this.put([{ ...signing, lastTokenEndsAt: Math.max(exp, signing.lastTokenEndsAt ?? 0) }]);
  }

  adopt(publishAheadSeconds: number, times: number): void {
    const rotationSeconds = publishAheadSeconds * times;
    this.periods = { ...this.periods, publishAheadSeconds, rotationSeconds, adoptedAt: this.now };
  }

  pass(seconds: number): void {
    this.now += seconds;
  }

  compromise(which: number): void {
    const { kid, purpose } = this.ring[which % this.ring.length]!;
    const { save, forget } = afterCompromise(this.ring, kid, this.make(purpose), this.now);
    this.put(save);
    this.ring = this.ring.filter((each) => !forget.includes(each.kid));
  }

  check(): void {
    for (const purpose of PURPOSES) {
      const states = this.ring.filter((each) => each.purpose === purpose).map(keyState);
      expect(states.filter((state) => state === "current")).toHaveLength(1);
      expect(states.filter((state) => state === "next").length).toBeLessThanOrEqual(1);
    }
    for (const { kid, exp } of this.tokens) {
      const signer = this.ring.find((each) => each.kid === kid)!;
      if (exp > this.now && keyState(signer) !== "compromised") expect(verifies(signer)).toBe(true);
    }
  }

  #checkPromotion(promoted: RingKey): void {
    const overdue = overdueSince(this.ring, promoted.purpose, this.periods, this.now);
    if (overdue !== undefined && this.now >= issuingStopsAt(overdue, this.periods)) return;
    expect(this.now - promoted.publishedAt!).toBeGreaterThanOrEqual(this.periods.publishAheadSeconds);
  }
}

const happening = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 2_500 }).map((by) => (life: Life) => life.pass(by)) },
  { weight: 4, arbitrary: fc.constant((life: Life) => life.alarm()) },
  { weight: 3, arbitrary: fc.constant((life: Life) => life.publish()) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 9_000 }).map((ttl) => (life: Life) => life.mint(ttl)) },
  { weight: 1, arbitrary: fc.nat({ max: 20 }).map((which) => (life: Life) => life.compromise(which)) },
  {
    weight: 1,
    arbitrary: fc.constant((life: Life) => {
      const next = inState(life.ring, "access_token", "next");
      if (next) life.put([{ ...next, expedited: true }]);
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 2, max: 5 }))
      .map((periods) => (life: Life) => life.adopt(...periods)),
  },
);

describe("whatever happens, and however late alarms and publication are", () => {
  it("one key signs for each purpose, its successor was published ahead, and no living token loses its key", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 120 }), (happenings) => {
        const life = new Life();
        for (const happen of happenings) {
          happen(life);
          life.check();
        }
      }),
      { numRuns: 500 },
    );
  });

  it("nothing is overdue while alarms and publication are in time, and retired keys leave", () => {
    const life = new Life();
    const longest = 3_600;
    for (let second = 0; second < 100_000; second += 50) {
      life.now = T0 + second;
      life.alarm();
      life.publish();
      life.mint(longest);
      life.check();
      for (const purpose of PURPOSES)
        expect(overdueSince(life.ring, purpose, life.periods, life.now)).toBeUndefined();
      expect(life.ring.filter(verifies).length).toBeLessThanOrEqual(6);
    }
    const ended = life.ring.filter((each) => keyState(each) === "retired");
    expect(ended.length).toBeGreaterThan(30);
    const next = inState(life.ring, "access_token", "next");
    if (next)
      expect(signsFrom(next, inState(life.ring, "access_token", "current")!, life.periods)).toBeDefined();
  });
});
