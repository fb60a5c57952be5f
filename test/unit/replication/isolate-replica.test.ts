import { exportJWK, generateKeyPair } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { policySchema } from "../../../src/policy/document.ts";
import { EMPTY_POLICY } from "../../../src/policy/stored-policy.ts";
import type { PublicKeyRecord } from "../../../src/protocol/jwk.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import type { LogEntry, SequencedEntry, Snapshot } from "../../../src/replication/entry.ts";
import { IsolateReplica, type LogReader } from "../../../src/replication/isolate-replica.ts";
import type { FilterManifest } from "../../../src/revocation/filter.ts";
import type { Revocation } from "../../../src/revocation/rule.ts";
import { FilterShelf, filterOf } from "../../support/filter.ts";

const rule = (id: string): Revocation => ({
  id,
  match: { jti: id },
  reason: "test",
  actor: "operator",
  created_at: 0,
});
const added = (id: string): LogEntry => ({ id, kind: "revocation.added", rule: rule(id) });
const lifted = (id: string): LogEntry => ({
  id: `lift-${id}`,
  kind: "revocation.lifted",
  revocation_id: id,
  actor: "o",
});
const facts = (jti: string) => ({ iss: "https://i", sub: "s", subject: "s", iat: 0, kid: "k", jti });

/** A log in memory with the behaviour of the real one, and switches for its faults. */
class MemoryLog implements LogReader {
  entries: SequencedEntry[] = [];
  kept = 0;
  down = false;
  calls = { since: 0, snapshot: 0 };
  /** Entries that one answer holds at most. */
  page = 1_000;

  append(entry: LogEntry) {
    this.entries.push({ seq: this.entries.length + 1, entry });
  }
  async since(seq: number) {
    this.calls.since++;
    if (this.down) return err(problem("unavailable", "down"));
    const head_seq = this.entries.length;
    if (seq < this.kept || seq > head_seq) return ok({ too_old: true as const });
    const entries = this.entries.slice(seq, seq + this.page);
    return ok({ too_old: false as const, head_seq, entries });
  }
  async snapshot() {
    this.calls.snapshot++;
    return this.down ? err(problem("unavailable", "down")) : ok(this.fold());
  }
  fold(at_ms = 0): Snapshot {
    const rules = new Map<string, Revocation>();
    let filter: FilterManifest | undefined;
    for (const { entry } of this.entries) {
      if (entry.kind === "revocation.added") rules.set(entry.rule.id, entry.rule);
      if (entry.kind === "revocation.lifted") rules.delete(entry.revocation_id);
      if (entry.kind === "filter.published") filter = entry.filter;
    }
    const base = { seq: this.entries.length, at_ms, policy: EMPTY_POLICY, keys: [] };
    return { ...base, rules: [...rules.values()], ...(filter ? { filter } : {}) };
  }
}

let log: MemoryLog;
let now: number;
let kvSnapshot: Snapshot | null;
let replica: IsolateReplica;
let filters: FilterShelf;

beforeEach(() => {
  log = new MemoryLog();
  now = 1_000_000;
  kvSnapshot = null;
  filters = new FilterShelf();
  const kv = { get: async () => kvSnapshot } as unknown as Pick<KVNamespace, "get">;
  replica = new IsolateReplica({ log, filter: filters, kv, clock: () => now, logger: () => {} });
});

const refuses = (jti: string) => replica.peek()?.revocations.find(facts(jti), 0) !== undefined;

describe("a cold isolate", () => {
  it("takes the snapshot of KV and only the delta from the log", async () => {
    log.append(added("a"));
    kvSnapshot = log.fold();
    log.append(added("b"));
    expect(await replica.refresh()).toMatchObject({ ok: true, value: { seq: 2, fetchedAtMs: now } });
    expect([refuses("a"), refuses("b"), refuses("c")]).toEqual([true, true, false]);
    expect(log.calls).toEqual({ since: 1, snapshot: 0 });
  });

  it("takes the log's snapshot where KV has none, or one that is too old", async () => {
    log.append(added("a"));
    kvSnapshot = log.fold();
    for (const id of ["b", "c"]) log.append(added(id));
    log.kept = 2;
    expect(await replica.refresh()).toMatchObject({ value: { seq: 3 } });
    expect([refuses("a"), refuses("c")]).toEqual([true, true]);
    expect(log.calls.snapshot).toBe(1);
  });

  it("with the log down keeps what KV knows, as old as it is, and says so", async () => {
    log.append(added("a"));
    kvSnapshot = log.fold(now - 30_000);
    log.down = true;
    expect(await replica.refresh()).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(replica.peek()).toMatchObject({ seq: 1, fetchedAtMs: now - 30_000 });
    expect(refuses("a")).toBe(true);
  });

  it("starts without KV where that does not answer within a second", async () => {
    log.append(added("a"));
    const kv = { get: () => new Promise(() => {}) } as unknown as Pick<KVNamespace, "get">;
    replica = new IsolateReplica({ log, filter: filters, kv, clock: () => now, logger: () => {} });
    expect(await replica.refresh()).toMatchObject({ ok: true, value: { seq: 1 } });
  });
});

describe("an isolate that the log does not answer", () => {
  it("takes a newer snapshot of KV, as old as it is, and looks again after ten seconds", async () => {
    await replica.refresh();
    log.append(added("a"));
    kvSnapshot = log.fold(now + 500);
    log.down = true;
    now += 2_000;
    expect((await replica.refresh()).ok).toBe(false);
    expect(replica.peek()).toMatchObject({ seq: 1, fetchedAtMs: now - 1_500 });
    log.append(added("b"));
    kvSnapshot = log.fold(now);
    now += 9_999;
    await replica.refresh();
    expect([refuses("a"), refuses("b")]).toEqual([true, false]);
    now += 1;
    await replica.refresh();
    expect(refuses("b")).toBe(true);
  });

  it("never takes an older one, and does not count as older by it", async () => {
    log.append(added("a"));
    kvSnapshot = log.fold(now - 50_000);
    log.append(added("b"));
    await replica.refresh();
    log.down = true;
    now += 60_000;
    await replica.refresh();
    expect(replica.peek()).toMatchObject({ seq: 2, fetchedAtMs: now - 60_000 });
    kvSnapshot = log.fold(now - 100_000);
    now += 60_000;
    await replica.refresh();
    expect(replica.peek()).toMatchObject({ seq: 2, fetchedAtMs: now - 120_000 });
    expect([refuses("a"), refuses("b")]).toEqual([true, true]);
  });
});

describe("a warm isolate", () => {
  it("folds what came since: added, lifted, in order", async () => {
    await replica.refresh();
    log.append(added("a"));
    log.append(added("b"));
    log.append(lifted("a"));
    await replica.refresh();
    expect([refuses("a"), refuses("b")]).toEqual([false, true]);
  });

  it("reads on until it has everything, and is only then as fresh as it was asked", async () => {
    log.page = 2;
    for (const id of ["a", "b", "c", "d", "e"]) log.append(added(id));
    kvSnapshot = { ...log.fold(), seq: 0, rules: [] };
    expect(await replica.refresh()).toMatchObject({ value: { seq: 5, fetchedAtMs: now } });
    expect(refuses("e")).toBe(true);
    expect(log.calls.since).toBe(3);
  });

  it("is as old as the moment it asked, not the moment it was answered", async () => {
    await replica.refresh();
    const since = log.since.bind(log);
    log.since = async (seq) => {
      const answer = await since(seq);
      now += 700;
      return answer;
    };
    const asked = now;
    await replica.refresh();
    expect(replica.peek()?.fetchedAtMs).toBe(asked);
  });

  it("keeps its age where the log does not answer", async () => {
    await replica.refresh();
    const before = replica.peek();
    now += 5_000;
    log.down = true;
    expect((await replica.refresh()).ok).toBe(false);
    expect(replica.peek()).toEqual(before);
  });

  it("never goes back: a slow answer does not undo a lift or a newer policy that came first", async () => {
    await replica.refresh();
    log.append(added("a"));
    const since = log.since.bind(log);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    log.since = async (seq) => {
      const answer = await since(seq);
      await gate;
      return answer;
    };
    const slow = replica.refresh();
    log.since = since;
    log.append(lifted("a"));
    log.append({ id: "p", kind: "policy.activated", version: 3, document: policySchema.parse({}) });
    await replica.refresh();
    release();
    await slow;
    expect(refuses("a")).toBe(false);
    expect(replica.peek()).toMatchObject({ seq: 3, policy: { version: 3 } });
  });

  it("swaps keys and policy", async () => {
    await replica.refresh();
    const { publicKey } = await generateKeyPair("ES256");
    const jwk = {
      ...(await exportJWK(publicKey)),
      kid: "k1",
      alg: "ES256",
      use: "sig",
    } as PublicKeyRecord["jwk"];
    log.append({ id: "k", kind: "keys.changed", keys: [{ kid: "k1", purpose: "access_token", jwk }] });
    log.append({ id: "p", kind: "policy.activated", version: 7, document: policySchema.parse({}) });
    await replica.refresh();
    expect(replica.peek()?.keys.get("k1")).toMatchObject({
      kid: "k1",
      purpose: "access_token",
      alg: "ES256",
    });
    expect(replica.peek()?.policy.version).toBe(7);
  });
});

describe("a background refresh", () => {
  it("runs once at a time, and again where one was lost with its request", async () => {
    await replica.refresh();
    log.calls.since = 0;
    const since = log.since.bind(log);
    log.since = (seq) => {
      void since(seq);
      return new Promise(() => {});
    };
    const started: Promise<unknown>[] = [];
    const waitUntil = (work: Promise<unknown>) => void started.push(work);
    replica.refreshInBackground(waitUntil);
    replica.refreshInBackground(waitUntil);
    expect(log.calls.since).toBe(1);
    now += 5_001;
    replica.refreshInBackground(waitUntil);
    expect(log.calls.since).toBe(2);
  });
});

describe("a filter of denied tokens", () => {
  const ISS = "https://i";
  const published = (id: string, jtis: string[], firstBuild: number): LogEntry => ({
    id,
    kind: "filter.published",
    filter: filters.put(
      filterOf(
        jtis.map((jti) => ({ jti, iss: ISS })),
        0,
        firstBuild,
      ),
    ),
  });
  const suspects = (jti: string) => replica.peek()?.filter?.mayContain(jti) ?? false;

  it("is loaded before the view moves on, from the delta and from a snapshot", async () => {
    await replica.refresh();
    log.append(published("f1", ["a"], 1));
    expect(await replica.refresh()).toMatchObject({ ok: true, value: { seq: 1 } });
    expect([suspects("a"), suspects("b")]).toEqual([true, false]);
    log.append(published("f2", ["b"], 2));
    kvSnapshot = log.fold(now);
    replica = new IsolateReplica({
      log,
      filter: filters,
      kv: { get: async () => kvSnapshot } as unknown as Pick<KVNamespace, "get">,
      clock: () => now,
      logger: () => {},
    });
    await replica.refresh();
    expect([suspects("a"), suspects("b")]).toEqual([false, true]);
  });

  it("that cannot be loaded is a refresh that failed: seq, age and rules stay until it can", async () => {
    log.append(published("f1", ["a"], 1));
    await replica.refresh();
    const before = replica.peek();
    now += 700;
    log.append(published("f2", ["a", "b"], 2));
    log.append(added("rule"));
    filters.down = true;
    expect(await replica.refresh()).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(replica.peek()).toEqual(before);
    expect([suspects("a"), suspects("b"), refuses("rule")]).toEqual([true, false, false]);
    filters.down = false;
    expect(await replica.refresh()).toMatchObject({ ok: true, value: { seq: 3, fetchedAtMs: now } });
    expect([suspects("a"), suspects("b"), refuses("rule")]).toEqual([true, true, true]);
  });

  it("of a cold isolate that cannot be loaded leaves it without a view", async () => {
    log.append(published("f1", ["a"], 1));
    filters.down = true;
    const filter = log.entries[0]!.entry;
    kvSnapshot = {
      ...log.fold(now),
      ...(filter.kind === "filter.published" ? { filter: filter.filter } : {}),
    };
    log.snapshot = async () => ok(kvSnapshot!);
    expect((await replica.refresh()).ok).toBe(false);
    expect(replica.peek()).toBeUndefined();
  });

  it("never goes back: one that was slow to load does not replace a later one", async () => {
    await replica.refresh();
    log.append(published("f1", ["a"], 1));
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    filters.whileLoading = () => gate;
    const slow = replica.refresh();
    await Promise.resolve();
    await Promise.resolve();
    filters.whileLoading = undefined;
    log.append(published("f2", ["a", "b"], 2));
    await replica.refresh();
    expect(suspects("b")).toBe(true);
    release();
    await slow;
    expect(suspects("b")).toBe(true);
    expect(filters.loads).toBe(2);
  });

  const compacted = (id: string, ids: string[]): LogEntry => ({ id, kind: "rules.compacted", ids });

  it("takes the place of rules in one step, and who holds the view before still finds them", async () => {
    for (const id of ["a", "b"]) log.append(added(id));
    await replica.refresh();
    const before = replica.peek()!;
    log.append(published("f1", ["a"], 1));
    log.append(compacted("c1", ["a", "unknown"]));
    await replica.refresh();
    expect([refuses("a"), suspects("a"), refuses("b")]).toEqual([false, true, true]);
    expect(before.filter).toBeUndefined();
    expect(before.revocations.find(facts("a"), 0)?.id).toBe("a");
  });

  it("is there when rules go, also where the delta comes in pages and its entry is a later one's mark", async () => {
    log.append(added("a"));
    await replica.refresh();
    log.append({ id: "f1", kind: "filter.superseded" });
    log.append(compacted("c1", ["a"]));
    log.append(published("f2", ["a"], 2));
    log.page = 2;
    const since = log.since.bind(log);
    const between: boolean[] = [];
    log.since = async (seq) => {
      between.push(refuses("a") || suspects("a"));
      return since(seq);
    };
    await replica.refresh();
    expect(between).toEqual([true, true]);
    expect([refuses("a"), suspects("a")]).toEqual([false, true]);
  });
});

describe("our own keys in the view", () => {
  async function recordOf(alg: PublicKeyRecord["jwk"]["alg"], kid: string): Promise<PublicKeyRecord> {
    const { publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } as PublicKeyRecord["jwk"];
    return { kid, purpose: "access_token", jwk };
  }
  const changed = (id: string, keys: PublicKeyRecord[], banned?: Revocation): LogEntry => {
    return { id, kind: "keys.changed", keys, ...(banned ? { rule: banned } : {}) };
  };
  const keyOf = (kid: string) => replica.peek()?.keys.get(kid)?.key;

  it("are of every algorithm that signs, and one that stays is the same object", async () => {
    const [es, ed, rs] = await Promise.all([
      recordOf("ES256", "es"),
      recordOf("EdDSA", "ed"),
      recordOf("RS256", "rs"),
    ]);
    log.append(added("a"));
    await replica.refresh();
    log.append(changed("k1", [es, ed]));
    await replica.refresh();
    const first = keyOf("es");
    expect([keyOf("es")?.algorithm.name, keyOf("ed")?.algorithm.name]).toEqual(["ECDSA", "Ed25519"]);
    log.append(changed("k2", [es, rs]));
    await replica.refresh();
    expect(keyOf("es")).toBe(first);
    expect(keyOf("ed")).toBeUndefined();
    expect(keyOf("rs")?.algorithm.name).toBe("RSASSA-PKCS1-v1_5");
  });

  it("lose a compromised one together with all that it signed", async () => {
    const [leaked, made] = await Promise.all([recordOf("ES256", "leaked"), recordOf("ES256", "made")]);
    log.append(changed("k1", [leaked]));
    await replica.refresh();
    const signed = { ...facts("any"), kid: "leaked" };
    expect(replica.peek()?.revocations.find(signed, 0)).toBeUndefined();
    log.append(changed("rev_k", [made], { ...rule("rev_k"), match: { kid: "leaked" } }));
    await replica.refresh();
    expect([...(replica.peek()?.keys.keys() ?? [])]).toEqual(["made"]);
    expect(replica.peek()?.revocations.find(signed, 0)).toMatchObject({ id: "rev_k" });
    expect(replica.peek()?.revocations.find({ ...signed, kid: "made" }, 0)).toBeUndefined();
  });
});
