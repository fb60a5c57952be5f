import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { Revocation } from "../../src/revocation/rule.ts";
import { expectValue, remote } from "../support/remote.ts";

let count = 0;
const newLog = () => {
  const stub = env.LOG.getByName(`pending-${count++}`);
  return Object.assign(remote<LogObject>(stub), { stub });
};
const now = () => Math.floor(Date.now() / 1000);
const WOULD_CUT = { tokens: 2_000, grants: 10, subjects: 5, clients: 1 };
const rule = (id: string, over: Partial<Revocation> = {}): Revocation => ({
  id,
  match: { client_id: `cli_${id}` },
  reason: "a leak",
  actor: "demo|olivia",
  created_at: now(),
  ...over,
});
const rulesOf = async (log: ReturnType<typeof newLog>) =>
  expectValue(await log.snapshot()).rules.map(({ id }) => id);

/** The runtime's clock cannot be moved, so the test moves what `Date.now()` says. */
function passSeconds(seconds: number): void {
  const from = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => from + seconds * 1000);
}
afterEach(() => vi.restoreAllMocks());

describe("a proposed revocation", () => {
  it("hits nothing until another person confirms it, and then has a receipt", async () => {
    const log = newLog();
    const proposed = expectValue(await log.propose(rule("rev_a"), WOULD_CUT, true));
    expect(proposed).toMatchObject({
      id: "rev_a",
      state: "awaiting_confirmation",
      confirmation: { would_cut: WOULD_CUT, exact: true },
      history: [{ event: "proposed", actor: "demo|olivia", reason: "a leak" }],
    });
    expect(proposed).not.toHaveProperty("seq");
    expect(proposed.confirmation!.expires_at).toBeGreaterThan(now() + 3_590);
    expect(await rulesOf(log)).toEqual([]);
    expect(expectValue(await log.since(0))).toMatchObject({ head_seq: 0 });
    expect(await log.revocationReceipt("rev_a")).toMatchObject({ error: { code: "not_found" } });

    const receipt = expectValue(await log.confirm("rev_a", "demo|bob", "seen it, too"));
    expect(receipt).toMatchObject({ id: "rev_a", seq: 1 });
    expect(await rulesOf(log)).toEqual(["rev_a"]);
    expect(expectValue(await log.revocationReceipt("rev_a"))).toEqual(receipt);
    expect(expectValue(await log.revocation("rev_a"))).toMatchObject({
      state: "in_force",
      seq: 1,
      actor: "demo|olivia",
      history: [
        { event: "proposed", actor: "demo|olivia", reason: "a leak" },
        { event: "confirmed", actor: "demo|bob", reason: "seen it, too" },
      ],
    });
  });

  it("cannot be confirmed by who proposed it", async () => {
    const log = newLog();
    await log.propose(rule("rev_a"), WOULD_CUT, true);
    expect(await log.confirm("rev_a", "demo|olivia")).toMatchObject({ error: { code: "forbidden" } });
    expect(await rulesOf(log)).toEqual([]);
    expect(await log.confirm("rev_a", "demo|bob")).toMatchObject({ ok: true });
  });

  it("is one, however often it is proposed or confirmed, and survives eviction", async () => {
    const log = newLog();
    const first = await log.propose(rule("rev_a"), WOULD_CUT, true);
    await evictDurableObject(log.stub);
    expect(await log.propose(rule("rev_a", { reason: "other" }), WOULD_CUT, true)).toEqual(first);
    const receipt = await log.confirm("rev_a", "demo|bob");
    await evictDurableObject(log.stub);
    expect(await log.confirm("rev_a", "demo|bob")).toEqual(receipt);
    expect(await log.confirm("rev_a", "demo|carol")).toMatchObject({ error: { code: "conflict" } });
    expect(await log.propose(rule("rev_a"), WOULD_CUT, true)).toMatchObject({ value: { state: "in_force" } });
    expect(expectValue(await log.since(0))).toMatchObject({ head_seq: 1 });
  });

  it("can be confirmed until its time is over, and not after", async () => {
    const log = newLog();
    await log.propose(rule("rev_a"), WOULD_CUT, true);
    await log.propose(rule("rev_b"), WOULD_CUT, true);
    passSeconds(3_590);
    expect(await log.confirm("rev_a", "demo|bob")).toMatchObject({ ok: true });
    passSeconds(20);
    expect(await log.revocation("rev_b")).toMatchObject({ value: { state: "confirmation_expired" } });
    expect(await log.confirm("rev_b", "demo|bob")).toMatchObject({ error: { code: "gone" } });
    expect(await log.cancel("rev_b", "demo|bob")).toMatchObject({ error: { code: "gone" } });
    expect(await rulesOf(log)).toEqual(["rev_a"]);
  });

  it("does not come into force where its own end has passed meanwhile", async () => {
    const log = newLog();
    await log.propose(rule("rev_a", { expires_at: now() + 60 }), WOULD_CUT, true);
    passSeconds(61);
    expect(await log.confirm("rev_a", "demo|bob")).toMatchObject({ error: { code: "gone" } });
  });

  it("can be cancelled, and stays listed with who did it and why", async () => {
    const log = newLog();
    await log.propose(rule("rev_a"), WOULD_CUT, true);
    expect(await log.cancel("rev_a", "demo|olivia", "a mistake")).toMatchObject({
      value: {
        state: "cancelled",
        history: [{ event: "proposed" }, { event: "cancelled", actor: "demo|olivia", reason: "a mistake" }],
      },
    });
    expect(await log.confirm("rev_a", "demo|bob")).toMatchObject({ error: { code: "gone" } });
    expect(await log.cancel("rev_none", "demo|bob")).toMatchObject({ error: { code: "not_found" } });
    expect(await rulesOf(log)).toEqual([]);
  });

  it("has a limit on how many wait at the same time", async () => {
    const log = newLog();
    await log.propose(rule("rev_a"), WOULD_CUT, true);
    await runInDurableObject(log.stub, (_object, { storage }) => {
      storage.sql.exec(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
         INSERT INTO proposals SELECT 'rev_' || i, body, 0, expires_at, 0 FROM n, proposals WHERE id = 'rev_a'`,
      );
    });
    expect(await log.propose(rule("rev_b"), WOULD_CUT, true)).toMatchObject({ error: { code: "conflict" } });
    await log.cancel("rev_a", "demo|bob");
    expect(await log.propose(rule("rev_b"), WOULD_CUT, true)).toMatchObject({ ok: true });
  });
});

describe("the list", () => {
  it("shows all of them in order, newest first, page by page, each once", async () => {
    const log = newLog();
    const add = (id: string) => log.append({ id, kind: "revocation.added", rule: rule(id) });
    await add("rev_1");
    await log.propose(rule("rev_2"), WOULD_CUT, true);
    await log.propose(rule("rev_3"), WOULD_CUT, true);
    await add("rev_4");
    await log.propose(rule("rev_5"), WOULD_CUT, true);
    await log.confirm("rev_2", "demo|bob");

    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = expectValue(await log.revocations(2, cursor));
      seen.push(...page.items.map(({ id, state }) => `${id} ${state}`));
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual([
      "rev_2 in_force",
      "rev_5 awaiting_confirmation",
      "rev_4 in_force",
      "rev_3 awaiting_confirmation",
      "rev_1 in_force",
    ]);
    expect(await log.revocations(2, "nonsense")).toMatchObject({ error: { code: "invalid_request" } });
  });
});

describe("the record of a revocation", () => {
  it("tells when, by whom and why it was lifted, and keeps its receipt when the log's entry is gone", async () => {
    const log = newLog();
    const entry = { id: "rev_a", kind: "revocation.added", rule: rule("rev_a") } as const;
    const receipt = await log.append(entry);
    const lift = { kind: "revocation.lifted", revocation_id: "rev_a", actor: "demo|bob" } as const;
    await log.append({ id: "log_1", ...lift, reason: "all clear" });
    // A second lift changes nothing of what is known of the first.
    await log.append({ id: "log_2", ...lift, actor: "demo|carol" });
    expect(expectValue(await log.revocation("rev_a"))).toMatchObject({
      state: "lifted",
      history: [{ event: "created" }, { event: "lifted", actor: "demo|bob", reason: "all clear" }],
    });
    await runInDurableObject(log.stub, (_object, { storage }) => {
      storage.sql.exec("DELETE FROM entries");
    });
    // The same call again must not put the lifted rule back.
    expect(await log.append(entry)).toEqual(receipt);
    expect(await log.append({ ...entry, rule: rule("rev_a", { reason: "other" }) })).toMatchObject({
      error: { code: "conflict" },
    });
    expect(await rulesOf(log)).toEqual([]);
  });
});
