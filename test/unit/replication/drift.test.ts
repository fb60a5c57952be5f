import { beforeEach, describe, expect, it } from "vitest";
import {
  checkDrift,
  type DeniedKey,
  type Direction,
  type DriftDeps,
  driftOf,
  SETTLED_AFTER_SECONDS,
} from "../../../src/replication/drift.ts";
import { denylistKey } from "../../../src/revocation/denylist.ts";
import { fileKey, type Revocation } from "../../../src/revocation/rule.ts";

const NOW = 1_800_000_000;
const LONG = `sub:${"x".repeat(510)}`;

let log: Map<string, DeniedKey>;
let kv: Map<string, Revocation[]>;
let cursors: Record<Direction, string>;
let repaired: string[];
let gets: string[];
let listFails: boolean;

const rule = (id: string, jti = id, over: Partial<Revocation> = {}): Revocation => ({
  id,
  match: { jti },
  reason: "test",
  actor: "o",
  created_at: NOW - 9_999,
  ...over,
});
const inLog = (...rules: Revocation[]) => {
  const key = fileKey(rules[0]!.match);
  log.set(key, { key, rules, changed_at: NOW - SETTLED_AFTER_SECONDS });
};
const inKv = async (...rules: Revocation[]) => {
  kv.set(await denylistKey(fileKey(rules[0]!.match)), rules);
};

const deps: DriftDeps = {
  kv: {
    get: async (name: string) => {
      gets.push(name);
      return kv.get(name) ?? null;
    },
    list: async ({ prefix, cursor, limit = 1_000 }: KVNamespaceListOptions) => {
      if (listFails) throw new Error("KV is down");
      const names = [...kv.keys()].filter((name) => name.startsWith(prefix ?? "")).sort();
      const from = cursor ? Number(cursor) : 0;
      const keys = names.slice(from, from + limit).map((name) => ({ name }));
      const next = from + limit;
      return next < names.length
        ? { keys, list_complete: false, cursor: `${next}` }
        : { keys, list_complete: true };
    },
  } as never,
  logger: () => {},
  keysAfter: (after, limit) =>
    [...log.values()]
      .filter(({ key, rules }) => key > after && rules.length > 0)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, limit),
  under: (key) => log.get(key) ?? { key, rules: [], changed_at: 0 },
  cursor: (direction) => cursors[direction],
  setCursor: (direction, cursor) => {
    cursors[direction] = cursor;
  },
  repair: (keys) => void repaired.push(...keys),
};
const check = () => checkDrift(deps, NOW);

beforeEach(() => {
  log = new Map();
  kv = new Map();
  cursors = { log: "", kv: "" };
  repaired = [];
  gets = [];
  listFails = false;
});

describe("the drift check", () => {
  it("finds nothing where KV holds what is in force", async () => {
    for (const id of ["a", "b"]) {
      inLog(rule(id));
      await inKv(rule(id));
    }
    expect(await check()).toEqual({ checked: 4, missing: 0, stale: 0 });
    expect(repaired).toEqual([]);
  });

  it("finds what KV lacks and what it holds too much of, each once, and repairs both", async () => {
    inLog(rule("lost"));
    inLog(rule("half", "two"), rule("other", "two"));
    await inKv(rule("half", "two"));
    await inKv(rule("lifted"));
    inLog(rule("fine"));
    await inKv(rule("fine"), rule("gone", "fine"));
    expect(await check()).toMatchObject({ missing: 2, stale: 2 });
    expect(repaired.sort()).toEqual(["jti:fine", "jti:lifted", "jti:lost", "jti:two"]);
  });

  it("knows a hashed entry by its rules", async () => {
    const long = rule("long", "", { match: { sub: LONG.slice(4) } });
    await inKv(long);
    expect([...kv.keys()][0]).toMatch(/^deny:sha256:/);
    expect(await check()).toMatchObject({ stale: 1 });
    expect(repaired).toEqual([LONG]);
    repaired = [];
    inLog(long);
    expect(await check()).toMatchObject({ stale: 0, missing: 0 });
  });

  it("leaves alone what changed a moment ago, and does not even look for it in KV", async () => {
    log.set("jti:new", { key: "jti:new", rules: [rule("new")], changed_at: NOW - SETTLED_AFTER_SECONDS + 1 });
    log.set("jti:off", { key: "jti:off", rules: [], changed_at: NOW - SETTLED_AFTER_SECONDS + 1 });
    await inKv(rule("off"));
    expect(await check()).toMatchObject({ missing: 0, stale: 0 });
    expect(gets).toEqual(["deny:jti:off"]);
  });

  it("takes an expired rule for gone, wherever it still is", async () => {
    await inKv(rule("over", "over", { expires_at: NOW }));
    inLog(rule("left", "left", { expires_at: NOW }));
    expect(await check()).toMatchObject({ missing: 0, stale: 0 });
  });

  it("goes through all of both sides, a page at a time, and begins anew", async () => {
    for (let n = 0; n < 450; n++) {
      inLog(rule(`rule-${n}`));
      await inKv(rule(`extra-${n}`));
    }
    const reports = [await check(), await check(), await check()];
    expect(reports.map(({ missing }) => missing)).toEqual([200, 200, 50]);
    expect(reports.map(({ stale }) => stale)).toEqual([200, 200, 50]);
    expect(new Set(repaired).size).toBe(900);
    expect(cursors).toEqual({ log: "", kv: "" });
    expect(await check()).toMatchObject({ missing: 200, stale: 200 });
  });

  it("repairs what it found although KV fails in between, and begins KV's side anew", async () => {
    inLog(rule("lost"));
    cursors.kv = "200";
    listFails = true;
    expect(await check()).toMatchObject({ missing: 1, stale: 0 });
    expect(repaired).toEqual(["jti:lost"]);
    expect(cursors.kv).toBe("");
  });
});

describe("driftOf", () => {
  it("calls it missing where one rule in force is not there, whatever else is", () => {
    expect(driftOf([rule("a")], [], NOW)).toBe("missing");
    expect(driftOf([rule("a")], [rule("b")], NOW)).toBe("missing");
    expect(driftOf([rule("a")], [rule("a"), rule("b")], NOW)).toBe("stale");
    expect(driftOf([rule("a")], [rule("a")], NOW)).toBeUndefined();
    expect(driftOf([], [], NOW)).toBeUndefined();
  });
});
