import { beforeEach, describe, expect, it } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import {
  DeltaCache,
  RENEW_AFTER_MS,
  SKEW_ALLOWANCE_MS,
  USABLE_MS,
} from "../../../src/replication/delta-cache.ts";
import type { LogEntry, SequencedEntry } from "../../../src/replication/entry.ts";
import type { LogReader } from "../../../src/replication/isolate-replica.ts";

const BOUND_MS = 2_000;
const URL_OF_CACHE = "https://auth.example.com/replication/v1";

let now: number;
let log: { entries: SequencedEntry[]; asked: number[]; down: boolean; page: number };
let stored: Map<string, string>;
let cacheDown: boolean;
let offLines: number;

const entryOf = (n: number, text = ""): LogEntry => ({
  id: `lift-${n}`,
  kind: "revocation.lifted",
  revocation_id: `rev_${n}${text}`,
  actor: "o",
});
const append = (text?: string) => {
  const seq = log.entries.length + 1;
  log.entries.push({ seq, entry: entryOf(seq, text) });
};

const reader: LogReader = {
  since: async (seq) => {
    log.asked.push(seq);
    if (log.down) return err(problem("unavailable", "down"));
    const head_seq = log.entries.length;
    return ok({ too_old: false as const, head_seq, entries: log.entries.slice(seq, seq + log.page) });
  },
  snapshot: async () => err(problem("unavailable", "not asked for here")),
};

const cache: Pick<Cache, "match" | "put"> = {
  match: async (key) => {
    if (cacheDown) throw new Error("the cache is down");
    const text = stored.get(String(key));
    return text === undefined ? undefined : (new Response(text) as never);
  },
  put: async (key, response) => {
    if (cacheDown) throw new Error("the cache is down");
    stored.set(String(key), await (response as unknown as Response).text());
  },
};

const isolate = () =>
  new DeltaCache({
    log: reader,
    cache,
    url: URL_OF_CACHE,
    clock: () => now,
    logger: (_level, event) => {
      if (event === "delta_cache.off") offLines++;
    },
  });

const seqsOf = async (reading: ReturnType<DeltaCache["since"]>) => {
  const delta = await reading;
  if (!delta.ok || delta.value.too_old) throw new Error("no delta");
  return delta.value.entries.map(({ seq }) => seq);
};

beforeEach(() => {
  now = 1_000_000;
  log = { entries: [], asked: [], down: false, page: 1_000 };
  stored = new Map();
  cacheDown = false;
  offLines = 0;
  for (let n = 0; n < 5; n++) append();
});

describe("isolates of one location", () => {
  it("share what the first of them was told, each what is new to it, as old as it was asked", async () => {
    expect(await seqsOf(isolate().since(2, BOUND_MS))).toEqual([3, 4, 5]);
    const askedAtMs = now;
    now += 400;
    for (const [seq, news] of [
      [2, [3, 4, 5]],
      [4, [5]],
      [5, []],
    ] as const) {
      const delta = await isolate().since(seq, BOUND_MS);
      expect(delta).toMatchObject({
        value: {
          head_seq: 5,
          asked_at_ms: askedAtMs - SKEW_ALLOWANCE_MS,
          entries: news.map((n) => ({ seq: n })),
        },
      });
    }
    expect(log.asked).toEqual([2]);
  });

  it("ask the log where the tail does not reach back to them, and widen it for the others", async () => {
    await isolate().since(4, BOUND_MS);
    append();
    expect(await seqsOf(isolate().since(1, BOUND_MS))).toEqual([2, 3, 4, 5, 6]);
    expect(await seqsOf(isolate().since(3, BOUND_MS))).toEqual([4, 5, 6]);
    expect(log.asked).toEqual([4, 1]);
  });

  it("that renew it at the same moment each ask the log: none gets less, and what is shared stays whole", async () => {
    await isolate().since(2, BOUND_MS);
    now += RENEW_AFTER_MS + 1;
    append();
    const readings = [2, 3, 5, 4].map((seq) => isolate().since(seq, BOUND_MS));
    expect(await Promise.all(readings.map(seqsOf))).toEqual([[3, 4, 5, 6], [4, 5, 6], [6], [5, 6]]);
    expect(log.asked).toEqual([2, 2, 3, 5, 4]);
    now += 100;
    expect(await seqsOf(isolate().since(2, BOUND_MS))).toEqual([3, 4, 5, 6]);
    expect(log.asked).toHaveLength(5);
  });

  it("ask the log where they know more than the tail", async () => {
    await isolate().since(5, BOUND_MS);
    append();
    expect(await seqsOf(isolate().since(6, BOUND_MS))).toEqual([]);
    expect(log.asked).toEqual([5, 6]);
  });

  it("keep the entries of the tail before when they renew it", async () => {
    await isolate().since(1, BOUND_MS);
    append();
    now += RENEW_AFTER_MS;
    expect(await seqsOf(isolate().since(5, BOUND_MS))).toEqual([6]);
    expect(await seqsOf(isolate().since(1, BOUND_MS))).toEqual([2, 3, 4, 5, 6]);
    expect(log.asked).toEqual([1, 5]);
  });

  it("ask the log about once a second, however many they are and however often they ask", async () => {
    const isolates = Array.from({ length: 50 }, isolate);
    for (let ms = 0; ms < 10_000; ms += 20) {
      now += 20;
      await isolates[(ms / 20) % isolates.length]!.since(5, BOUND_MS);
    }
    expect(log.asked.length).toBeGreaterThanOrEqual(9);
    expect(log.asked.length).toBeLessThanOrEqual(13);
  });
});

describe("a tail that gets old", () => {
  it("is renewed by one isolate; while that one asks, it serves the others", async () => {
    await isolate().since(5, BOUND_MS);
    now += RENEW_AFTER_MS;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = new DeltaCache({
      log: { ...reader, since: (seq) => gate.then(() => reader.since(seq)) },
      cache,
      url: URL_OF_CACHE,
      clock: () => now,
      logger: () => {},
    });
    const renewal = slow.since(5, BOUND_MS);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await isolate().since(5, BOUND_MS)).toMatchObject({ value: { asked_at_ms: expect.any(Number) } });
    expect(log.asked).toEqual([5]);
    // Too old to be of use to anybody: whoever needs it asks.
    now += USABLE_MS - RENEW_AFTER_MS;
    await isolate().since(5, BOUND_MS);
    expect(log.asked).toEqual([5, 5]);
    release();
    await renewal;
  });

  it("is never older than the asker's bound allows, the allowance for clocks counted in", async () => {
    await isolate().since(5, BOUND_MS);
    now += 150 - SKEW_ALLOWANCE_MS;
    await isolate().since(5, 300);
    expect(log.asked).toEqual([5]);
    now += 1;
    await isolate().since(5, 300);
    expect(log.asked).toEqual([5, 5]);
  });

  it("is not taken from a clock that is ahead", async () => {
    await isolate().since(5, BOUND_MS);
    now -= 1;
    await isolate().since(5, BOUND_MS);
    expect(log.asked).toEqual([5, 5]);
  });
});

describe("whoever asks for what is true now", () => {
  it("asks the log, and neither reads nor changes what is shared", async () => {
    await isolate().since(5, BOUND_MS);
    const before = [...stored];
    append();
    expect(await seqsOf(isolate().since(5))).toEqual([6]);
    expect(await seqsOf(isolate().since(5, 0))).toEqual([6]);
    expect([...stored]).toEqual(before);
    cacheDown = true;
    await isolate().since(5);
    expect(offLines).toBe(0);
    log.asked.pop();
    expect(log.asked).toEqual([5, 5, 5]);
  });
});

describe("what is not shared", () => {
  it("is a page of more, nor the answer of a log that is down", async () => {
    log.page = 2;
    await isolate().since(0, BOUND_MS);
    log.down = true;
    expect((await isolate().since(0, BOUND_MS)).ok).toBe(false);
    expect([...stored.keys()].filter((key) => key.endsWith("/tail"))).toEqual([]);
  });

  it("is more than a small value: the oldest entries go, and isolates that need them ask the log", async () => {
    for (let n = 0; n < 600; n++) append();
    await isolate().since(0, BOUND_MS);
    expect(await seqsOf(isolate().since(105, BOUND_MS))).toHaveLength(500);
    expect(log.asked).toEqual([0]);
    expect(await seqsOf(isolate().since(104, BOUND_MS))).toHaveLength(501);
    expect(log.asked).toEqual([0, 104]);
    append("x".repeat(200_000));
    now += RENEW_AFTER_MS;
    await isolate().since(605, BOUND_MS);
    expect(stored.get(`${URL_OF_CACHE}/tail`)!.length).toBeLessThan(1_000);
    expect(await seqsOf(isolate().since(606, BOUND_MS))).toEqual([]);
    expect(log.asked).toEqual([0, 104, 605]);
  });

  it("is an answer that is older than the one that is shared", async () => {
    const since = reader.since;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = new DeltaCache({
      log: {
        ...reader,
        since: async (seq) => {
          const answer = await since(seq);
          await gate;
          return answer;
        },
      },
      cache,
      url: URL_OF_CACHE,
      clock: () => now,
      logger: () => {},
    });
    const late = slow.since(5, BOUND_MS);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now += 600;
    append();
    await isolate().since(5, BOUND_MS);
    release();
    await late;
    expect(await seqsOf(isolate().since(5, BOUND_MS))).toEqual([6]);
  });
});

describe("a broken cache", () => {
  it("costs nothing but the log's load, and is left alone for a minute", async () => {
    cacheDown = true;
    const one = isolate();
    expect(await seqsOf(one.since(4, BOUND_MS))).toEqual([5]);
    expect(await seqsOf(one.since(4, BOUND_MS))).toEqual([5]);
    expect(offLines).toBe(1);
    cacheDown = false;
    now += 60_000;
    await one.since(4, BOUND_MS);
    await one.since(4, BOUND_MS);
    expect(log.asked).toEqual([4, 4, 4]);
  });

  it.each([
    ["a gap", { from_seq: 2, entries: [{ seq: 3 }, { seq: 5 }] }],
    ["entries of other numbers", { from_seq: 3, entries: [{ seq: 5 }, { seq: 6 }] }],
    ["no list", { from_seq: 5, entries: "none" }],
    ["no age", { from_seq: 5, entries: [], asked_at_ms: "now" }],
  ])("is not believed where it has %s", async (_what, tail) => {
    stored.set(`${URL_OF_CACHE}/tail`, JSON.stringify({ asked_at_ms: now, head_seq: 5, ...tail }));
    await isolate().since(5, BOUND_MS);
    expect(log.asked).toEqual([5]);
  });
});
