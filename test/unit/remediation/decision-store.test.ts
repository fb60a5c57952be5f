import { describe, expect, it } from "vitest";
import type { DecisionRecord } from "../../../src/protocol/decision-trace.ts";
import { DECISION_SCHEMA, DecisionStore, MAX_RECORDS } from "../../../src/remediation/decision-store.ts";
import { memorySql } from "../../support/memory-sql.ts";

const HOUR_MS = 3_600_000;
const NOW = 1_800_000_000_000;
const idOf = (n: number) => `dec_${String(n).padStart(8, "0")}`;
const record = (n: number, more: Partial<DecisionRecord> = {}): DecisionRecord => ({
  ...{ trace_version: 1, decision_id: idOf(n), outcome: "refuse", reason: "no_route", status: 404 },
  ...{ checks: [], remedies: [], at: NOW / 1000 + n, surface: "proxy", method: "GET" },
  ...more,
});
const newStore = () => new DecisionStore(memorySql([DECISION_SCHEMA]));
const numbers = (records: DecisionRecord[]) => records.map(({ decision_id }) => Number(decision_id.slice(4)));

describe("records of decisions", () => {
  it("are found by their id, also where reports of isolates overlap", () => {
    const store = newStore();
    store.add([record(1), record(5), record(9)], NOW, HOUR_MS);
    store.add([record(2), record(6)], NOW, HOUR_MS);
    for (const n of [1, 2, 5, 6, 9]) expect(store.find(idOf(n), NOW)?.decision_id).toBe(idOf(n));
    for (const n of [0, 3, 7, 10]) expect(store.find(idOf(n), NOW)).toBeUndefined();
  });

  it("are the latest word: an origin's fault comes after the acceptance", () => {
    const store = newStore();
    store.add([record(1, { outcome: "allow" })], NOW, HOUR_MS);
    store.add([record(1, { outcome: "allow", origin_fault: "origin_timeout", at: NOW })], NOW, HOUR_MS);
    expect(store.find(idOf(1), NOW)?.origin_fault).toBe("origin_timeout");
  });

  it("are listed newest first, page by page, none twice and none left out", () => {
    const store = newStore();
    // Three isolates whose reports interleave.
    for (let report = 0; report < 10; report++) {
      for (const isolate of [2, 0, 1]) {
        const records = Array.from({ length: 4 }, (_, i) => record(report * 12 + i * 3 + isolate));
        store.add(records.reverse(), NOW, HOUR_MS);
      }
    }
    const all: number[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = store.list({ limit: 7, ...(cursor === undefined ? {} : { cursor }) }, NOW);
      all.push(...numbers(page.slice(0, 7)));
      if (page.length <= 7) break;
      cursor = page[6]!.decision_id;
    }
    expect(all).toEqual(Array.from({ length: 120 }, (_, i) => 119 - i));
  });

  it("are listed by what they are about", () => {
    const store = newStore();
    const token = { iss: "i", sub: "corp|ann", kid: "k", jti: "tok_1" };
    store.add(
      [
        record(1, { outcome: "allow", reason: "token", route: "orders", token }),
        record(2, { route: "orders", reason: "scope_missing", token }),
        record(3, { unverified: { iss: "i", jti: "tok_1" } }),
      ],
      NOW + 5_000,
      HOUR_MS,
    );
    const found = (query: object) => numbers(store.list({ limit: 10, ...query }, NOW));
    expect(found({})).toEqual([3, 2, 1]);
    expect(found({ outcome: "allow" })).toEqual([1]);
    expect(found({ reason: "scope_missing" })).toEqual([2]);
    expect(found({ route: "orders" })).toEqual([2, 1]);
    expect(found({ sub: "corp|ann", outcome: "refuse" })).toEqual([2]);
    // What a forged token says finds nobody's records.
    expect(found({ jti: "tok_1" })).toEqual([2, 1]);
    expect(found({ since: NOW / 1000 + 2 })).toEqual([3, 2]);
  });

  it("are not shown past their time, and go then", () => {
    const store = newStore();
    store.add([record(1)], NOW, HOUR_MS);
    store.add([record(2)], NOW, 2 * HOUR_MS);
    expect(store.find(idOf(1), NOW + HOUR_MS - 1)).toBeDefined();
    expect(store.find(idOf(1), NOW + HOUR_MS)).toBeUndefined();
    expect(numbers(store.list({ limit: 9 }, NOW + HOUR_MS))).toEqual([2]);
    expect(store.earliestEndMs()).toBe(NOW + HOUR_MS);
    store.prune(NOW + HOUR_MS);
    expect(store.earliestEndMs()).toBe(NOW + 2 * HOUR_MS);
  });

  it("stay bounded in number, the oldest first out", () => {
    const store = newStore();
    const reports = MAX_RECORDS / 100 + 5;
    for (let n = 0; n < reports; n++) {
      const records = Array.from({ length: 100 }, (_, i) => record(n * 100 + i));
      store.add(records, NOW, HOUR_MS);
    }
    expect(store.find(idOf(499), NOW)).toBeUndefined();
    expect(store.find(idOf(500), NOW)).toBeDefined();
    expect(store.list({ limit: 2 * MAX_RECORDS }, NOW)).toHaveLength(MAX_RECORDS);
  });
});
