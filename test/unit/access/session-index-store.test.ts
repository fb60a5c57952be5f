import { expect, it } from "vitest";
import { SESSION_INDEX_SCHEMA, SessionIndexStore } from "../../../src/access/session-index-store.ts";
import type { SessionRecord } from "../../../src/revocation/session-record.ts";
import { memorySql } from "../../support/memory-sql.ts";

const NOW = 1_700_000_000;
const WEEK_SECONDS = 7 * 86_400;

function record(n: number, over: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: `ses_${n}`,
    state: "active",
    subject: "idp|alice",
    client_id: "cli_1",
    issuer_id: "idp",
    audience: "urn:origin",
    scope: "",
    opened_at: NOW,
    refreshed_at: NOW,
    idle_end: NOW + 10,
    absolute_end: NOW + n,
    ...over,
  };
}

const storeOf = (max?: number) => new SessionIndexStore(memorySql([SESSION_INDEX_SCHEMA]), max);
const idsIn = (store: SessionIndexStore) => store.list({ limit: 10 }, NOW).map(({ id }) => id);

it("a session is found by the provider's session that it grew from, and by no other", () => {
  const store = storeOf();
  store.put(record(1, { provider_session: "s-1" }), 1);
  store.put(record(2), 1);
  store.put(record(3, { provider_session: "s-3" }), 1);
  const found = (provider_session: string) =>
    store.list({ limit: 10, provider_session }, NOW).map(({ id }) => id);
  expect([found("s-1"), found("s-3"), found("")]).toEqual([["ses_1"], ["ses_3"], []]);
  // A fresh token of the provider may be of another session there.
  store.put(record(1, { provider_session: "s-3" }), 2);
  expect([found("s-1"), found("s-3")]).toEqual([[], ["ses_3", "ses_1"]]);
});

it("a session is forgotten a week after its end, at most so many at a time", () => {
  const store = storeOf();
  for (const n of [1, 2, 3]) store.put(record(n), 1);
  store.put(record(3, { state: "revoked", ended: { at: NOW, by: "operator", reason: "r" } }), 2);
  expect(store.earliestForgotten()).toBe(NOW + WEEK_SECONDS);
  expect(store.prune(NOW + WEEK_SECONDS - 1, 10)).toBe(0);
  expect(store.prune(NOW + WEEK_SECONDS, 10)).toBe(1);
  expect(idsIn(store)).toEqual(["ses_2", "ses_1"]);
  expect(store.prune(NOW + WEEK_SECONDS + 5, 1)).toBe(1);
  expect(idsIn(store)).toEqual(["ses_2"]);
});

it("no more are kept than there is room for: those go that would be forgotten first", () => {
  const store = storeOf(2);
  for (const n of [4, 1, 3, 2]) store.put(record(n), 1);
  expect(store.prune(NOW, 1)).toBe(1);
  expect(idsIn(store)).toEqual(["ses_4", "ses_3", "ses_2"]);
  expect(store.prune(NOW, 10)).toBe(1);
  expect(store.prune(NOW, 10)).toBe(0);
  expect(idsIn(store)).toEqual(["ses_4", "ses_3"]);
});
