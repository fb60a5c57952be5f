import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { Durable } from "../../src/platform/durable.ts";
import { type Deliver, Outbox, type OutboxRow, retryDelayMs } from "../../src/platform/outbox.ts";
import { MONITOR_MIGRATIONS } from "../../src/remediation/monitor-store.ts";

/** The monitor's storage is used: it has the outbox's table, and nothing in it. */
let count = 0;
const storage = <T>(run: (state: DurableObjectState) => Promise<T>) =>
  runInDurableObject(env.MONITOR.getByName(`outbox-${count++}`), (_instance, state) => run(state));

const row = (id: string, lane = "a"): OutboxRow => ({ id, lane, kind: "test", payload: { of: id } });

function outboxOf(
  state: DurableObjectState,
  deliver: Deliver[string],
  over: { timeoutMs?: number; maxAttempts?: number } = {},
) {
  const time = { now: 1_000_000 };
  const make = () =>
    new Outbox(state.storage.sql, {
      clock: () => time.now,
      random: () => 0.5,
      log: () => {},
      deliver: { test: deliver },
      ...over,
    });
  return { outbox: make(), time, restart: make };
}

describe("the outbox", () => {
  it("delivers the rows of a lane once each, in order, and forgets them", () =>
    storage(async (state) => {
      const seen: unknown[] = [];
      const { outbox } = outboxOf(state, async ({ payload }) => void seen.push(payload));
      for (const id of ["1", "2", "3"]) outbox.put(row(id));
      await Promise.all([outbox.drain(), outbox.flush("a"), outbox.drain()]);
      expect(seen).toEqual([{ of: "1" }, { of: "2" }, { of: "3" }]);
      expect(outbox.size()).toBe(0);
      expect(outbox.nextDueMs()).toBeUndefined();
    }));

  it("keeps a row that failed, holds back its lane and no other, and tries again when it is due", () =>
    storage(async (state) => {
      const seen: string[] = [];
      let broken = true;
      const { outbox, time } = outboxOf(state, async ({ id }) => {
        if (broken && id === "1") throw new Error("down");
        seen.push(id);
      });
      outbox.put(row("1"));
      outbox.put(row("2"));
      outbox.put(row("other", "b"));
      await outbox.drain();
      expect(seen).toEqual(["other"]);
      broken = false;
      await outbox.drain();
      expect(seen).toEqual(["other"]);
      expect(outbox.nextDueMs()).toBeGreaterThan(time.now);
      time.now = outbox.nextDueMs()!;
      await outbox.drain();
      expect(seen).toEqual(["other", "1", "2"]);
    }));

  it("tries a row that failed at once where somebody waits for it", () =>
    storage(async (state) => {
      let broken = true;
      const { outbox } = outboxOf(state, async () => {
        if (broken) throw new Error("down");
      });
      outbox.put(row("1"));
      await outbox.drain();
      broken = false;
      await outbox.flush("a");
      expect(outbox.size()).toBe(1);
      await outbox.flush("a", true);
      expect(outbox.size()).toBe(0);
    }));

  it("loses nothing with the instance that wrote it", () =>
    storage(async (state) => {
      const seen: string[] = [];
      const { outbox, restart } = outboxOf(state, async ({ id }) => void seen.push(id));
      outbox.put(row("1"));
      expect(outbox.nextDueMs()).toBeDefined();
      await restart().drain();
      expect(seen).toEqual(["1"]);
    }));

  it("takes a delivery that hangs for failed", () =>
    storage(async (state) => {
      const { outbox } = outboxOf(state, () => new Promise(() => {}), { timeoutMs: 20 });
      outbox.put(row("1"));
      await outbox.drain();
      expect(outbox.size()).toBe(1);
    }));

  it("delivers a row again that was replaced while it was on its way", () =>
    storage(async (state) => {
      const seen: unknown[] = [];
      const { outbox } = outboxOf(state, async ({ payload }) => {
        seen.push(payload);
        if (seen.length === 1) outbox.put({ ...row("1"), payload: { of: "newer" } });
      });
      outbox.put(row("1"));
      await outbox.drain();
      expect(seen).toEqual([{ of: "1" }, { of: "newer" }]);
    }));

  it("holds a row back until its time", () =>
    storage(async (state) => {
      const seen: string[] = [];
      const { outbox, time } = outboxOf(state, async ({ id }) => void seen.push(id));
      outbox.put(row("1"), time.now + 5_000);
      await outbox.drain();
      expect(seen).toEqual([]);
      expect(outbox.nextDueMs()).toBe(time.now + 5_000);
      time.now += 5_000;
      await outbox.drain();
      expect(seen).toEqual(["1"]);
    }));
});

describe("the budget of one pass", () => {
  it("leaves the rest due at once, in all lanes together, and the next passes finish it", () =>
    storage(async (state) => {
      const seen: string[] = [];
      const deliver = async ({ id }: OutboxRow) => void seen.push(id);
      const { outbox, time } = outboxOf(state, deliver, { maxAttempts: 3 });
      for (const n of [1, 2, 3, 4]) for (const lane of ["a", "b"]) outbox.put(row(`${lane}${n}`, lane));
      await outbox.drain();
      expect(seen).toHaveLength(3);
      expect(outbox.nextDueMs()).toBe(time.now);
      await outbox.drain();
      await outbox.drain();
      expect(outbox.nextDueMs()).toBeUndefined();
      expect(seen.filter((id) => id.startsWith("a"))).toEqual(["a1", "a2", "a3", "a4"]);
      expect(seen).toHaveLength(8);
    }));

  it("is not spent by as many rows as it has", () =>
    storage(async (state) => {
      const { outbox } = outboxOf(state, async () => {}, { maxAttempts: 3 });
      for (const id of ["1", "2", "3"]) outbox.put(row(id));
      await outbox.drain();
      expect(outbox.size()).toBe(0);
      expect(outbox.nextDueMs()).toBeUndefined();
    }));

  it("is under what KV allows an invocation where nothing else is said", () =>
    storage(async (state) => {
      let tried = 0;
      const { outbox } = outboxOf(state, async () => void tried++);
      for (let n = 0; n < 1_000; n++) outbox.put(row(`row-${n}`, `lane-${n % 8}`));
      await outbox.drain();
      expect(tried).toBe(900);
      await outbox.drain();
      expect(tried).toBe(1_000);
    }));
});

describe("when the alarm must look again", () => {
  it("is the time of each lane's head: what is behind one that failed waits with it", () =>
    storage(async (state) => {
      const { outbox, time } = outboxOf(state, () => Promise.reject(new Error("down")));
      outbox.put(row("1"));
      outbox.put(row("2"));
      for (let n = 0; n < 4; n++) {
        await outbox.drain();
        time.now = outbox.nextDueMs()!;
      }
      // Were the second row's time the alarm's, it would fire without end while the first one waits.
      await outbox.drain();
      expect(outbox.nextDueMs()! - time.now).toBeGreaterThan(4_000);
    }));
});

describe("a row that is put again", () => {
  it("is held back for its next time where it is on its way, so that a key is not written twice in a second", () =>
    storage(async (state) => {
      const seen: unknown[] = [];
      const { outbox, time } = outboxOf(state, async ({ payload }) => {
        seen.push(payload);
        if (seen.length === 1) outbox.put({ ...row("1"), payload: { of: "newer" } }, time.now + 1_000);
      });
      outbox.put(row("1"));
      await outbox.drain();
      expect(seen).toEqual([{ of: "1" }]);
      expect(outbox.nextDueMs()).toBe(time.now + 1_000);
      time.now += 1_000;
      await outbox.drain();
      expect(seen).toEqual([{ of: "1" }, { of: "newer" }]);
    }));

  it("is not put off where it waits, however often that happens", () =>
    storage(async (state) => {
      const seen: unknown[] = [];
      const { outbox, time } = outboxOf(state, async ({ payload }) => void seen.push(payload));
      for (let n = 0; n < 5; n++) {
        outbox.put({ ...row("1"), payload: n }, time.now + 1_000);
        time.now += 250;
      }
      await outbox.drain();
      expect(seen).toEqual([4]);
    }));

  it("is not due before it may leave, also where the attempt fails", () =>
    storage(async (state) => {
      const { outbox, time } = outboxOf(state, async ({ payload }) => {
        if (payload !== "again") outbox.put({ ...row("1"), payload: "again" }, time.now + 3_000);
        throw new Error("no");
      });
      outbox.put(row("1"));
      await outbox.drain();
      // Its own retry would be a second later: the alarm would fire over and over until it may leave.
      expect(outbox.nextDueMs()).toBe(time.now + 3_000);
    }));
});

describe("retryDelayMs", () => {
  it("doubles from a second to five minutes, half to one and a half times", () => {
    expect([1, 2, 3, 8, 9, 10, 50].map((n) => retryDelayMs(n, () => 0.5) / 1000)).toEqual([
      1, 2, 4, 128, 256, 300, 300,
    ]);
    expect([0, 1].map((r) => retryDelayMs(1, () => r))).toEqual([500, 1500]);
    expect([3, 4, 5, 50].map((n) => retryDelayMs(n, () => 0.5, 10_000) / 1000)).toEqual([4, 8, 10, 10]);
  });
});

describe("Durable", () => {
  const durableOf = (
    state: DurableObjectState,
    time: { now: number },
    over: Partial<ConstructorParameters<typeof Durable>[1]>,
  ) =>
    new Durable(state, {
      clock: () => time.now,
      log: () => {},
      migrations: MONITOR_MIGRATIONS,
      deliver: { test: async () => {} },
      ...over,
    });
  const soon = () => ({ now: Date.now() + 3_600_000 });

  it("commits state and effect together or not at all", () =>
    storage(async (state) => {
      const time = soon();
      const durable = durableOf(state, time, { deliver: { test: () => Promise.reject(new Error("down")) } });
      expect(() =>
        durable.commit(() => {
          durable.outbox.put(row("1"));
          throw new Error("the change fails");
        }),
      ).toThrow("the change fails");
      expect(durable.outbox.size()).toBe(0);
      durable.commit(() => durable.outbox.put(row("2")));
      expect(durable.outbox.size()).toBe(1);
    }));

  it("sets the alarm to what is due first: its own time or a waiting effect", () =>
    storage(async (state) => {
      const time = soon();
      let due: number | undefined = time.now + 60_000;
      const durable = durableOf(state, time, {
        nextDueMs: () => due,
        deliver: { test: () => Promise.reject(new Error("down")) },
      });
      durable.commit(() => {});
      expect(await state.storage.getAlarm()).toBe(time.now + 60_000);
      durable.commit(() => durable.outbox.put(row("1")));
      await durable.flush("a");
      expect(await state.storage.getAlarm()).toBeLessThan(time.now + 60_000);
      due = undefined;
      state.storage.sql.exec("DELETE FROM outbox");
      durable.commit(() => {});
      expect(await state.storage.getAlarm()).toBeNull();
    }));

  it("survives a fault in its alarm and comes back", () =>
    storage(async (state) => {
      const time = soon();
      const logged: string[] = [];
      const durable = durableOf(state, time, {
        log: (_level, event) => void logged.push(event),
        onDue: () => {
          throw new Error("a bug");
        },
      });
      await durable.alarm();
      expect(logged).toContain("alarm.failed");
      expect(await state.storage.getAlarm()).toBe(time.now + 5_000);
    }));

  it("makes one pass for an alarm, whatever its own changes put into the outbox", () =>
    storage(async (state) => {
      const time = soon();
      const seen: string[] = [];
      const durable: Durable = durableOf(state, time, {
        maxAttempts: 2,
        deliver: { test: async ({ id }) => void seen.push(id) },
        onDue: () => {
          for (const n of [1, 2, 3]) durable.commit(() => durable.outbox.put(row(`${time.now}-${n}`)));
        },
      });
      await durable.alarm();
      expect(seen).toHaveLength(2);
      // A change outside the alarm still leaves at once.
      durable.commit(() => durable.outbox.put(row("outside", "b")));
      await durable.flush("b");
      expect(seen).toContain("outside");
    }));

  it("tries what others committed although the alarm's own changes fail", () =>
    storage(async (state) => {
      const time = soon();
      const seen: string[] = [];
      const durable: Durable = durableOf(state, time, {
        deliver: { test: async ({ id }) => void seen.push(id) },
        onDue: () => {
          durable.commit(() => durable.outbox.put(row("1")));
          throw new Error("a bug");
        },
      });
      await durable.alarm();
      await durable.flush("a");
      expect(seen).toEqual(["1"]);
    }));

  it("tells the sweep how much it still owes", () =>
    storage(async (state) => {
      const durable = durableOf(state, soon(), {
        deliver: { test: () => Promise.reject(new Error("down")) },
      });
      expect(await durable.sweep()).toEqual({ outbox_rows: 0 });
      durable.commit(() => durable.outbox.put(row("1")));
      expect(await durable.sweep()).toEqual({ outbox_rows: 1 });
    }));

  it("is woken by the sweep where its alarm was lost", () =>
    storage(async (state) => {
      const time = soon();
      let due: number | undefined = time.now + 1_000;
      let woken = 0;
      const durable = durableOf(state, time, {
        nextDueMs: () => due,
        onDue: () => {
          woken++;
          due = undefined;
        },
      });
      await state.storage.deleteAlarm();
      await durable.sweep();
      expect(await state.storage.getAlarm()).toBe(time.now + 1_000);
      await state.storage.deleteAlarm();
      time.now += 1_001;
      await durable.sweep();
      expect(woken).toBe(1);
    }));
});
