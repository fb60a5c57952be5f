import { beforeEach, describe, expect, it } from "vitest";
import { type SweepDeps, sweep } from "../../../src/control/sweep.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";

let notes: { id: string; counters: Record<string, number>; gauges: Record<string, number> }[];
let woken: string[];
let lines: string[];

const down = err(problem("unavailable", "down"));
const object = (name: string) => ({
  sweep: async () => {
    woken.push(name);
    return ok({ outbox_rows: name.length });
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
  endpoints: async () => ok(["whe_a"]),
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
    expect(woken.sort()).toEqual(["keyring", "log", "req_late", "ses_late", "whe_a"]);
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
        log: { checkDrift: async () => down },
      }),
    );
    expect(lines.filter((event) => event === "sweep.failed")).toHaveLength(2);
    expect(notes).toMatchObject([
      { gauges: { 'portcullis_outbox_rows{object="keyring"}': 7 }, counters: {} },
    ]);
    expect(Object.keys(notes[0]!.gauges)).toHaveLength(1);
  });
});
