import { beforeEach, describe, expect, it } from "vitest";
import { type SweepDeps, sweep } from "../../../src/control/sweep.ts";
import { newId } from "../../../src/platform/ids.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

let notes: { id: string; counters: Record<string, number>; gauges: Record<string, number> }[];
let woken: string[];
let lines: string[];

const down = err(problem("unavailable", "down"));
const object = (name: string) => ({
  sweep: async () => {
    woken.push(name);
    return ok({ outbox_rows: name.length, rewrapped: 0, gauges: {} });
  },
});
const deps = (over: Partial<SweepDeps> = {}): SweepDeps => ({
  logger: (_level, event) => void lines.push(event),
  clock: () => 1_800_000_000_000,
  singletons: { log: object("log"), keyring: object("keyring") },
  monitor: {
    note: async (id, note) => {
      notes.push({ id, ...note });
      return ok(null);
    },
  },
  log: { checkDrift: async () => ok({ checked: 9, missing: 0, stale: 0 }) },
  keyring: { jwks: async () => ok(null) },
  directory: {
    overdue: async () => ok(["req_late"]),
    overdueSessions: async () => ok(["ses_late"]),
  },
  accessRequest: (id) => object(id),
  session: (id) => object(id),
  secretChanging: false,
  endpoints: async () => ok(["whe_turn2", "whe_turn3"]),
  endpoint: (id) => object(id),
  ...over,
});

beforeEach(() => {
  notes = [];
  woken = [];
  lines = [];
});

describe("the sweep", () => {
  it("wakes every object, and tells the monitor what they owe and how KV compares", async () => {
    await sweep(deps());
    expect(woken.sort()).toEqual(["keyring", "log", "req_late", "ses_late", "whe_turn2"]);
    expect(notes).toMatchObject([
      {
        gauges: { 'portcullis_outbox_rows{object="log"}': 3, 'portcullis_outbox_rows{object="keyring"}': 7 },
        counters: {
          portcullis_denylist_checked_total: 9,
          'portcullis_denylist_drift_total{kind="missing"}': 0,
          'portcullis_denylist_drift_total{kind="stale"}': 0,
        },
      },
    ]);
    expect(lines).toEqual(["sweep.overdue_requests"]);
  });

  it("wakes each webhook endpoint once in ten minutes, a share of them each minute", async () => {
    const ids = Array.from({ length: 200 }, (_, n) => newId("whe", 1_800_000_000_000 + n));
    const shares: number[] = [];
    const seen: string[] = [];
    for (let minute = 0; minute < 10; minute++) {
      woken = [];
      await sweep(deps({ clock: () => 1_800_000_000_000 + minute * 60_000, endpoints: async () => ok(ids) }));
      const share = woken.filter((id) => id.startsWith("whe_"));
      shares.push(share.length);
      seen.push(...share);
    }
    expect(seen.sort()).toEqual([...ids].sort());
    expect(Math.max(...shares)).toBeLessThan(60);
  });

  it("says so in the log where KV and the log differ", async () => {
    await sweep(deps({ log: { checkDrift: async () => ok({ checked: 1, missing: 1, stale: 0 }) } }));
    expect(lines).toContain("denylist.drift");
    expect(notes[0]?.counters['portcullis_denylist_drift_total{kind="missing"}']).toBe(1);
  });

  it("goes on where one part does not answer, and says which; nothing is made up for it", async () => {
    const broken = { sweep: async () => down };
    await sweep(
      deps({
        singletons: { log: broken, keyring: object("keyring") },
        endpoint: () => broken,
        log: { checkDrift: async () => down },
      }),
    );
    expect(lines.filter((event) => event === "sweep.failed")).toHaveLength(3);
    expect(notes).toMatchObject([
      { gauges: { 'portcullis_outbox_rows{object="keyring"}': 7 }, counters: {} },
    ]);
    expect(Object.keys(notes[0]!.gauges)).toHaveLength(1);
  });

  it("tells the metrics of the objects themselves, and how many values the previous secret still wraps", async () => {
    const gauges = { portcullis_key_rotation_overdue_seconds: 61 };
    const keyring = { sweep: async () => ok({ outbox_rows: 0, gauges }) };
    const endpoints = async () => ok(["whe_a", "whe_b"]);
    const deliveries = (id: string) => ({ [`portcullis_deliveries{endpoint="${id}",state="pending"}`]: 2 });
    const endpoint = (id: string) => ({
      sweep: async () => ok({ rewrapped: 1, gauges: deliveries(id) }),
    });
    await sweep(deps({ singletons: { keyring }, endpoints, endpoint, secretChanging: true }));
    expect(notes[0]!.gauges).toEqual({
      'portcullis_outbox_rows{object="keyring"}': 0,
      portcullis_key_rotation_overdue_seconds: 61,
      ...{ ...deliveries("whe_a"), ...deliveries("whe_b") },
      'portcullis_previous_secret_values{object="endpoint"}': 2,
    });
  });
});
