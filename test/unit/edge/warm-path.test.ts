import { beforeEach, describe, expect, it } from "vitest";
import { AssertionSigner } from "../../../src/edge/assertion.ts";
import { DecisionRecorder } from "../../../src/edge/decision-recorder.ts";
import { DetectionFeed } from "../../../src/edge/detection-feed.ts";
import { Freshness } from "../../../src/edge/freshness.ts";
import { createGate, type Gate } from "../../../src/edge/gate.ts";
import { Observers } from "../../../src/edge/observation.ts";
import { refusalLog } from "../../../src/edge/refusal.ts";
import { TrafficReporter } from "../../../src/edge/traffic-reporter.ts";
import { Limits } from "../../../src/limits/limits.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { TrafficReport } from "../../../src/remediation/traffic-report.ts";
import { IsolateReplica } from "../../../src/replication/isolate-replica.ts";
import { EdgeWorld, HOST, ISSUER, policyOf } from "../../support/edge-world.ts";
import { proofOf, thumbprintOf } from "../../support/proof-factory.ts";
import { newKey } from "../../support/token-factory.ts";

const TIERS = {
  bounded: { tier: "bounded", max_staleness_ms: 2_000 },
  eventual: { tier: "eventual" },
  strict: { tier: "strict" },
};
const SCOPED = { scopes: ["orders:read"] };
const POLICY = policyOf([
  ...Object.entries(TIERS).map(([tier, consistency]) => ({ path: `/${tier}`, access: SCOPED, consistency })),
  { path: "/conditional", access: { ...SCOPED, condition: "cf.country == 'DE'" } },
]);
const NOTHING = {
  since: 0,
  snapshot: 0,
  kv: 0,
  denylist: 0,
  filter: 0,
  limit: 0,
  assertionKey: 0,
  monitor: 0,
  random: 0,
  detector: 0,
  jwks: 0,
};

let world: EdgeWorld;
let gate: Gate;
let token: string;
/** Every port through which the gate can reach anything, counted. */
let calls: typeof NOTHING;
let toOrigin: number;
let background: Promise<unknown>[];
/** Tells detectors what it sees, in tests that are about it. */
let detections: DetectionFeed | undefined;
let reports: TrafficReport[];
let monitorDown: boolean;
/** The time for the report comes. */
let wake: () => void;
let hold: Promise<void> | undefined;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
  calls = { ...NOTHING };
  toOrigin = 0;
  background = [];
  reports = [];
  monitorDown = false;
  hold = undefined;
  const { clock, logger } = world;
  const count = <T>(port: keyof typeof NOTHING, answer: () => T) => {
    calls[port]++;
    return answer();
  };
  const { own, assertion } = world.keys;
  const keys = [
    { kid: own.kid, purpose: "access_token" as const, jwk: own.jwk },
    { kid: assertion.kid, purpose: "assertion" as const, jwk: assertion.jwk },
  ];
  const replica = new IsolateReplica({
    log: {
      since: async () => {
        calls.since++;
        await hold;
        return ok({ too_old: false as const, head_seq: 1, entries: [] });
      },
      snapshot: async () =>
        count("snapshot", () => {
          const policy = { version: 1, document: policySchema.parse(POLICY) };
          return ok({ seq: 1, at_ms: clock(), policy, keys, rules: [] });
        }),
    },
    filter: { load: async () => count("filter", () => err(problem("unavailable", "There is none."))) },
    kv: { get: async () => count("kv", () => null) } as never,
    clock,
    logger,
  });
  const recorder = new DecisionRecorder({
    policy: () => ({ sample_accepted: 0, retention_hours: 24, addresses: false }),
    log: logger,
    random: () => count("random", () => 0),
  });
  const traffic = new TrafficReporter({
    shard: {
      report: async (report) =>
        count("monitor", () => {
          reports.push(report);
          return monitorDown ? err(problem("unavailable", "down")) : ok(null);
        }),
    },
    newIsolateId: () => "iso_1",
    cache: () => world.tokens.reading(),
    records: recorder,
    sleep: () => new Promise((resolve) => (wake = resolve)),
  });
  const freshness = new Freshness({
    replica,
    denylist: async () => count("denylist", () => ok(false)),
    clock,
    log: logger,
  });
  world.jwks = () => count("jwks", () => new Response("none", { status: 404 }));
  detections = undefined;
  gate = createGate({
    ...world.deps,
    observer: new Observers(
      [refusalLog(logger), recorder, traffic, { decided: (...what) => detections?.decided(...what) }],
      logger,
    ),
    limits: new Limits({
      limiters: new Map(),
      bucket: () => count("limit", () => ({ take: async () => err(problem("unavailable", "none")) })),
    }),
    replica,
    freshness,
    signer: new AssertionSigner({
      issuer: ISSUER,
      clock,
      key: () => count("assertionKey", () => world.assertionKey()),
    }),
    fetch: async () => {
      toOrigin++;
      return new Response("hello");
    },
    services: new Map(),
    pipe: () => new TransformStream(),
    waitUntil: (work) => void background.push(work),
  });
  token = await world.token();
  // Warm: the view, the token and the key for assertions are in memory.
  await call("strict");
  expect(calls.snapshot).toBe(1);
  // Beside it waits the report, which is the one for whatever comes within its two seconds.
  expect(background).toHaveLength(1);
  calls = { ...NOTHING };
  toOrigin = 0;
});

async function call(path: string): Promise<void> {
  const request = new Request(`${HOST}/${path}`, { headers: { authorization: `Bearer ${token}` } });
  const answer = await gate(request, "request-1");
  expect(answer.status).toBe(200);
}

describe("a warm request", () => {
  it.each(["bounded", "eventual"])("of a %s route calls nothing but its origin", async (path) => {
    for (let n = 0; n < 100; n++) await call(path);
    expect(calls).toEqual(NOTHING);
    expect(background).toHaveLength(1);
    expect(toOrigin).toBe(100);
  });

  it("with a proof of possession calls nothing but its origin either", async () => {
    const sender = await newKey("ES256", "sender");
    const bound = await world.token({ cnf: { jkt: await thumbprintOf(sender) } });
    for (let n = 0; n < 20; n++) {
      const url = `${HOST}/bounded`;
      const dpop = await proofOf(sender, { url, nowSeconds: world.nowMs / 1000, accessToken: bound });
      const request = new Request(url, { headers: { authorization: `DPoP ${bound}`, dpop } });
      expect((await gate(request, "request-1")).status).toBe(200);
    }
    expect([calls, background.length, world.exactUses]).toEqual([NOTHING, 1, []]);
    expect(toOrigin).toBe(20);
  });

  it("of a strict route asks the log, once each, and nothing else", async () => {
    for (let n = 0; n < 100; n++) await call("strict");
    expect(calls).toEqual({ ...NOTHING, since: 100 });
    expect(toOrigin).toBe(100);
  });
});

it("what detectors are told costs a warm request no call, and no more than one a second beside it", async () => {
  const shard = () => ({
    observe: async () => {
      calls.detector++;
      return ok(null);
    },
  });
  detections = new DetectionFeed({ shard, log: world.logger, sleep: async () => {} });
  // Apart from the report of what is counted, which waits already.
  background = [];
  // The place of the token.
  await call("bounded");
  await Promise.all(background);
  expect(calls).toEqual({ ...NOTHING, detector: 1 });
  background = [];
  for (let n = 0; n < 40; n++) await call("bounded");
  expect([calls.detector, background]).toEqual([1, []]);
  // That it is used often.
  detections = new DetectionFeed({ shard, log: world.logger, sleep: () => new Promise(() => {}) });
  for (let n = 0; n < 200; n++) await call("bounded");
  expect([calls.detector, background.length, toOrigin]).toEqual([1, 1, 241]);
});

it("a request whose route has no condition is asked for no fact, and one that has is", async () => {
  let looks = 0;
  const headers = { authorization: `Bearer ${token}` };
  const look = async (path: string) => {
    const request = new Request(`${HOST}/${path}`, { headers });
    const cf = {
      get country() {
        looks++;
        return "DE";
      },
    };
    Object.assign(request, { cf });
    return (await gate(request, "request-1")).status;
  };
  expect(await look("bounded")).toBe(200);
  expect(looks).toBe(0);
  expect(await look("conditional")).toBe(200);
  expect(looks).toBe(1);
});

describe("a bounded request past half the bound", () => {
  it("is answered without waiting for the refresh, which runs once for all", async () => {
    let release = () => {};
    hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.nowMs += 1_001;
    for (let n = 0; n < 10; n++) await call("bounded");
    expect(toOrigin).toBe(10);
    expect(calls).toEqual({ ...NOTHING, since: 1 });
    expect(background).toHaveLength(2);
    wake();
    release();
    await Promise.all(background);
    await call("bounded");
    expect(calls.since).toBe(1);
  });

  it("and past the bound asks the log before its answer; an eventual one still does not", async () => {
    world.nowMs += 2_001;
    await call("eventual");
    expect(calls).toEqual(NOTHING);
    await call("bounded");
    expect(calls).toEqual({ ...NOTHING, since: 1 });
  });
});

describe("what the isolate reports", () => {
  it("goes out beside a request, once, and holds up none", async () => {
    for (let n = 0; n < 5; n++) await call("bounded");
    await call("eventual");
    expect(reports).toEqual([]);
    wake();
    await Promise.all(background);
    expect(calls).toEqual({ ...NOTHING, monitor: 1 });
    const { decisions, ages } = reports[0]!.tally;
    expect(decisions).toEqual({ "route-0": { token: 5 }, "route-1": { token: 1 }, "route-2": { token: 1 } });
    const total = (counts = [0]) => counts.reduce((a, b) => a + b, 0);
    expect([total(ages.strict?.counts), total(ages.bounded?.counts), total(ages.eventual?.counts)]).toEqual([
      1, 5, 1,
    ]);
  });

  it("harms no request where the monitor fails", async () => {
    monitorDown = true;
    wake();
    await Promise.all(background);
    await call("bounded");
    await call("eventual");
  });
});
