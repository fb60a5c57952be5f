import { beforeEach, describe, expect, it } from "vitest";
import { type CanaryDeps, type ProbeDecision, runCanary } from "../../../src/control/canary.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { PropagationSample } from "../../../src/remediation/propagation.ts";
import type { Revocation } from "../../../src/revocation/rule.ts";

type Tier = "strict" | "bounded";

let now: number;
let minted: string[];
let rules: Map<string, { rule: Revocation; atMs: number }>;
let samples: PropagationSample[];
let counters: Record<string, number>;
let lines: { level: string; event: string }[];
/** How long after the acknowledgement a decision of the tier, or KV, knows. */
let knowsAfterMs: Record<Tier | "kv", number>;
let decideAnyway: ((tier: Tier) => ProbeDecision | undefined) | undefined;
let waiting: { at: number; go: () => void }[];

const known = (jti: string, where: Tier | "kv") => {
  const found = [...rules.values()].find(({ rule }) => rule.match.jti === jti);
  return found !== undefined && now >= found.atMs + knowsAfterMs[where];
};
const receipt = { id: "x", seq: 1, accepted_at: 0, effective_by: { strict: 0, bounded: 0, eventual: 0 } };

const deps = (): CanaryDeps => ({
  clock: () => now,
  sleep: (ms) => new Promise((go) => waiting.push({ at: now + ms, go })),
  logger: (level, event) => void lines.push({ level, event }),
  mint: async (jti) => {
    minted.push(jti);
    return ok({ accessToken: jti });
  },
  log: {
    append: async ({ rule }) => {
      rules.set(rule.id, { rule, atMs: now });
      return ok(receipt);
    },
  },
  decide: async (jti, tier) => decideAnyway?.(tier) ?? (known(jti, tier) ? "revoked" : "accepted"),
  listed: async (rule) => known(rule.match.jti!, "kv"),
  monitor: {
    record: async (sample) => {
      samples.push(sample);
      return ok(null);
    },
    note: async (_id, note) => {
      for (const [name, n] of Object.entries(note.counters)) counters[name] = (counters[name] ?? 0) + n;
      return ok(null);
    },
  },
});

/** Runs the canary; whenever all of it sleeps, the clock goes on to the next one that wakes. */
async function run(over: Partial<CanaryDeps> = {}) {
  let done = false;
  const running = runCanary({ ...deps(), ...over }).finally(() => {
    done = true;
  });
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    waiting.sort((a, b) => a.at - b.at);
    const next = done ? undefined : waiting.shift();
    if (next) {
      now = Math.max(now, next.at);
      next.go();
    }
  }
  await running;
}
const sampleOf = (tier: string) => samples.find((sample) => sample.tier === tier);

beforeEach(() => {
  now = 1_800_000_000_000;
  minted = [];
  rules = new Map();
  samples = [];
  counters = {};
  lines = [];
  knowsAfterMs = { strict: 0, bounded: 1_030, kv: 4_000 };
  decideAnyway = undefined;
  waiting = [];
});

describe("the canary", () => {
  it("measures each tier from the acknowledgement to the first refusal", async () => {
    await run();
    expect(sampleOf("bounded")).toMatchObject({ latency_ms: 1_050, promise_ms: 2_000, broken: false });
    expect(sampleOf("strict")).toMatchObject({ latency_ms: 0, promise_ms: 0, broken: false });
    expect(sampleOf("eventual")).toMatchObject({ latency_ms: 5_000, promise_ms: 60_000, broken: false });
    expect(samples).toHaveLength(3);
    expect(lines).toEqual([]);
  });

  it("uses a token for each measurement, and rules that end by themselves and name it", async () => {
    await run();
    expect(new Set(minted).size).toBe(2);
    for (const { rule } of rules.values()) {
      expect(rule.actor).toBe("canary");
      expect(rule.expires_at! - rule.created_at).toBeLessThanOrEqual(300);
    }
  });

  it("takes what holds at the last moment for kept, and one acceptance later for broken", async () => {
    knowsAfterMs.bounded = 2_000;
    await run();
    expect(sampleOf("bounded")).toMatchObject({ latency_ms: 2_000, broken: false });
    samples = [];
    knowsAfterMs.bounded = 2_051;
    await run();
    expect(sampleOf("bounded")).toMatchObject({ latency_ms: 2_050, broken: true });
    expect(lines).toEqual([{ level: "error", event: "canary.promise_broken" }]);
  });

  it("takes a single acceptance after the acknowledgement for broken on the strict tier", async () => {
    knowsAfterMs.strict = 1;
    await run();
    expect(sampleOf("strict")).toMatchObject({ broken: true });
    expect(sampleOf("bounded")).toMatchObject({ broken: false });
  });

  it("waits 65 seconds for KV, and takes more than 60 for broken", async () => {
    knowsAfterMs.kv = 58_000;
    await run();
    expect(sampleOf("eventual")).toMatchObject({ latency_ms: 59_000, broken: false });
    samples = [];
    knowsAfterMs.kv = Number.POSITIVE_INFINITY;
    await run();
    expect(sampleOf("eventual")).toMatchObject({ latency_ms: 65_000, broken: true });
  });

  it("takes a log out of reach for no proof, neither of a kept promise nor of a broken one", async () => {
    decideAnyway = () => (rules.size ? "unsure" : undefined);
    await run();
    expect(samples.map(({ tier }) => tier)).toEqual(["eventual"]);
    expect(counters).toEqual({
      'portcullis_canary_inconclusive_total{tier="bounded"}': 1,
      'portcullis_canary_inconclusive_total{tier="strict"}': 1,
    });
  });

  it("shows nothing with a token that was never accepted, and revokes nothing then", async () => {
    decideAnyway = () => "revoked";
    await run();
    expect(rules.size).toBe(0);
    expect(samples).toEqual([]);
    expect(lines.map(({ event }) => event)).toEqual(["canary.inconclusive", "canary.inconclusive"]);
  });

  it("goes on with the other tiers where minting, revoking or reading KV fails once", async () => {
    const down = err(problem("unavailable", "down"));
    await run({ mint: async () => down });
    expect(samples).toEqual([]);
    let calls = 0;
    const { log } = deps();
    await run({ log: { append: (entry) => (calls++ === 0 ? Promise.resolve(down) : log.append(entry)) } });
    expect(samples.map(({ tier }) => tier)).toEqual(["strict"]);
    samples = [];
    await run({ listed: () => Promise.reject(new Error("KV is down")) });
    expect(samples.map(({ tier }) => tier)).toEqual(["bounded", "strict"]);
  });
});
