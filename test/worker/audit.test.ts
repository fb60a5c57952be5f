import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { AuditObject } from "../../src/audit/audit-object.ts";
import { exportLines } from "../../src/audit/export-stream.ts";
import { newId } from "../../src/platform/ids.ts";
import type { AuditEntry } from "../../src/protocol/audit-record.ts";
import { verifyExport } from "../../src/protocol/audit-verifier.ts";
import { fromBase64, sha256Bytes } from "../../src/protocol/encoding.ts";
import { rootOfInclusion, rootsOfConsistency } from "../../src/protocol/merkle.ts";
import { openCheckpoint, readVerifierKey } from "../../src/protocol/signed-note.ts";
import { expectValue, remote } from "../support/remote.ts";

const DAY_SECONDS = 86_400;
const now = () => Math.floor(Date.now() / 1000);
let count = 0;

function newLog() {
  const stub = env.AUDIT.getByName(`audit-${count++}`);
  return Object.assign(remote<AuditObject>(stub), { stub });
}

type Log = ReturnType<typeof newLog>;

let counted = 0;
const entry = (over: Partial<AuditEntry> = {}): AuditEntry => ({
  id: newId("evt", Date.now()),
  at: now(),
  type: "grant.revoked",
  source: "access_request/req_1",
  source_seq: ++counted,
  request_id: "dec_1",
  call: "POST /v1/grants/:id/revoke",
  actor: { subject: "demo|olivia", client_id: "cli_1" },
  about: "demo|alice",
  reason: "the ticket is closed",
  from: { country: "CH", asn: 559 },
  data: { grant: "grt_1" },
  ...over,
});

/** Entries of one object, numbered from 1. */
function entries(length: number, over: Partial<AuditEntry> = {}): AuditEntry[] {
  return Array.from({ length }, (_, i) => entry({ source_seq: i + 1, ...over }));
}

async function linesOf(log: Log, from = 0): Promise<string[]> {
  const plan = expectValue(await log.exportFrom(from));
  const port = { exportFrom: log.exportFrom, lines: (at: number, limit: number) => log.lines(at, limit) };
  const lines: string[] = [];
  for await (const line of exportLines(port as never, plan)) lines.push(JSON.stringify(line));
  return lines;
}

const verdictOf = async (log: Log, options = {}) => verifyExport(await linesOf(log), options);
const bytes = (text: string) => fromBase64(text)!;

async function noteOf(log: Log) {
  const key = (await readVerifierKey(expectValue(await log.verifierKey())))!;
  const opened = await openCheckpoint(expectValue(await log.checkpoint()), key);
  if ("fault" in opened) throw new Error(opened.fault);
  return opened.checkpoint;
}

describe("the log", () => {
  it("takes each entry once, in order, also when they come again and at the same time", async () => {
    const log = newLog();
    const all = entries(20);
    await Promise.all([log.append(all.slice(0, 12)), log.append(all.slice(0, 12)), log.append(all.slice(5))]);
    const { items } = expectValue(await log.events({ limit: 200 }));
    expect(items.map(({ id }) => id)).toEqual(all.map(({ id }) => id).reverse());
    expect(items.map(({ seq }) => seq)).toEqual([...all.keys()].reverse());
    expect(items.at(-1)).toEqual({ seq: 0, ...all[0] });
    await evictDurableObject(log.stub);
    await log.append(all);
    expect((await noteOf(log)).size).toBe(20);
    expect(await verdictOf(log)).toMatchObject({ intact: true, size: 20, pruned: 0, erased: 0 });
  });

  it("signs nothing but what it has, with a key for its whole life", async () => {
    const log = newLog();
    expect((await noteOf(log)).size).toBe(0);
    const key = expectValue(await log.verifierKey());
    expect(key).toMatch(/^localhost:8787\/v1\/audit\+[0-9a-f]{8}\+/);
    await log.append(entries(3));
    await evictDurableObject(log.stub);
    expect(await noteOf(log)).toMatchObject({ origin: "localhost:8787/v1/audit", size: 3 });
    expect(expectValue(await log.verifierKey())).toBe(key);
    const stored = await runInDurableObject(log.stub, (_object, state) =>
      JSON.stringify(state.storage.sql.exec("SELECT value FROM state WHERE name = 'key'").toArray()),
    );
    expect(stored).toMatch(/v1\.[\w-]+\.[\w-]+/);
  });

  it("lists by who, whom, what, where and when, page by page", async () => {
    const log = newLog();
    const [revoked, opened, refused] = [
      entry(),
      entry({ type: "session.opened", source: "session/ses_1", actor: { subject: "demo|alice" }, at: 1_000 }),
      entry({ type: "call.refused", source: "control", request_id: "dec_2", about: undefined } as never),
    ];
    await log.append([revoked, opened, refused]);
    const ids = async (query: object) =>
      expectValue(await log.events({ limit: 50, ...query })).items.map(({ id }) => id);
    expect(await ids({ type: "grant.revoked" })).toEqual([revoked.id]);
    expect(await ids({ type: "session.*" })).toEqual([opened.id]);
    expect(await ids({ actor: "demo|alice" })).toEqual([opened.id]);
    expect(await ids({ about: "demo|alice" })).toEqual([opened.id, revoked.id]);
    expect(await ids({ source: "control" })).toEqual([refused.id]);
    expect(await ids({ request_id: "dec_1" })).toEqual([opened.id, revoked.id]);
    expect(await ids({ until: 1_001 })).toEqual([opened.id]);
    expect(await ids({ since: 1_001, type: "grant.*" })).toEqual([revoked.id]);
    expect(await ids({ actor: "demo|nobody" })).toEqual([]);
    const first = expectValue(await log.events({ limit: 2 }));
    expect(first.items.map(({ id }) => id)).toEqual([refused.id, opened.id]);
    expect(await ids({ before: Number(first.next_cursor) })).toEqual([revoked.id]);
  });

  it("says of an actor's company in delegation who it was", async () => {
    const log = newLog();
    await log.append([entry({ actor: { subject: "demo|alice", actors: ["cli_agent"] } })]);
    expect(expectValue(await log.events({ limit: 5, actor: "cli_agent" })).items).toHaveLength(1);
  });
});

describe("proofs", () => {
  it("show each record in the checkpoint, and the log of before in the log of now", async () => {
    const log = newLog();
    await log.append(entries(5));
    const before = await noteOf(log);
    await log.append(entries(6, { source: "registry" }));
    const { size, rootHash } = await noteOf(log);
    for (let seq = 0; seq < size; seq++) {
      const proof = expectValue(await log.inclusion(seq));
      const leaf = { seq, hash: bytes(proof.leaf_hash) };
      const root = await rootOfInclusion(leaf, size, proof.hashes.map(bytes), sha256Bytes);
      expect(root).toEqual(rootHash);
      expect(bytes(proof.root_hash)).toEqual(rootHash);
    }
    const { hashes, from_root_hash } = expectValue(await log.consistency(5));
    expect(bytes(from_root_hash)).toEqual(before.rootHash);
    const roots = await rootsOfConsistency([5, size], before.rootHash, hashes.map(bytes), sha256Bytes);
    expect(roots).toEqual({ from: before.rootHash, to: rootHash });
    expect(await log.inclusion(size)).toMatchObject({ ok: false, error: { code: "not_found" } });
    expect(await log.consistency(size + 1)).toMatchObject({ ok: false, error: { code: "not_found" } });
  });

  it("can be made from tiles, whose leaves are the records' texts", async () => {
    const log = newLog();
    for (let i = 0; i < 3; i++) await log.append(entries(100, { source: `session/ses_${i}` }));
    const full = expectValue(await log.tile(0, { index: 0, width: 256 }));
    const rest = expectValue(await log.tile(0, { index: 1, width: 44 }));
    expect([full.length, rest.length]).toEqual([256 * 32, 44 * 32]);
    const above = expectValue(await log.tile(1, { index: 0, width: 1 }));
    const { hashes } = expectValue(await log.inclusion(256 + 7));
    expect(bytes(hashes.at(-1)!)).toEqual(above);
    for (const [level, index, width] of [
      [0, 1, 45],
      [0, 2, 1],
      [1, 0, 2],
      [2, 0, 1],
    ] as const) {
      expect(await log.tile(level, { index, width })).toMatchObject({
        ok: false,
        error: { code: "not_found" },
      });
    }
    const bundle = expectValue(await log.entries({ index: 1, width: 44 }));
    const length = bundle[0]! * 256 + bundle[1]!;
    const leaf = bundle.slice(2, 2 + length);
    expect(JSON.parse(new TextDecoder().decode(leaf))).toMatchObject({ seq: 256, type: "grant.revoked" });
    expect(await sha256Bytes(new Uint8Array([0, ...leaf]))).toEqual(rest.slice(0, 32));
    expect(await log.entries({ index: 1, width: 45 })).toMatchObject({ ok: false });
  });

  it("hold for an export that begins anywhere", async () => {
    const log = newLog();
    await log.append(entries(7));
    const anchors = [expectValue(await log.checkpoint())];
    await log.append(entries(6, { source: "registry" }));
    for (const from of [0, 1, 6, 7, 12, 13]) {
      const verdict = await verifyExport(await linesOf(log, from), { anchors });
      expect(verdict).toMatchObject({ intact: true, from, size: 13 });
    }
    expect(await log.exportFrom(14)).toMatchObject({ ok: false, error: { code: "not_found" } });
  });
});

describe("personal data", () => {
  it("of an erased subject is gone, from the tables too, and the log verifies all the same", async () => {
    const log = newLog();
    const others = entry({
      actor: { subject: "demo|bob" },
      about: "demo|carol",
      reason: "hers",
      source_seq: 2,
    });
    const hers = { actor: { subject: "demo|alice" }, reason: "mine alone", source_seq: 3 };
    await log.append([entry({ source_seq: 1 }), others, entry(hers)]);
    const anchors = [expectValue(await log.checkpoint())];
    expect(expectValue(await log.erase("demo|alice", "she asked for it"))).toEqual({ records: 2 });
    const { items } = expectValue(await log.events({ limit: 10 }));
    expect(items[0]).toMatchObject({ type: "audit.erased", reason: "she asked for it" });
    const [asActor, kept, asSubject] = [items[1]!, items[2]!, items[3]!];
    expect(asActor.erased).toEqual(["actor", "about", "reason", "from"]);
    expect(asSubject.erased).toEqual(["about", "reason"]);
    expect(asSubject.actor).toEqual({ subject: "demo|olivia", client_id: "cli_1" });
    expect(kept).toEqual({ seq: 1, ...others });
    const stored = await runInDurableObject(log.stub, (_object, state) =>
      ["records", "persons"].map((t) =>
        JSON.stringify(state.storage.sql.exec(`SELECT * FROM ${t}`).toArray()),
      ),
    );
    for (const table of stored) expect(table).not.toMatch(/alice|mine alone/);
    expect(stored[0]).toContain("demo|carol");
    expect(await verdictOf(log, { anchors })).toMatchObject({ intact: true, erased: 6, size: 4 });
    expect(await log.erase("demo|alice", "again")).toMatchObject({ ok: false, error: { code: "not_found" } });
  });

  it("is erased from hundreds of records", async () => {
    const log = newLog();
    for (let i = 0; i < 5; i++) await log.append(entries(100, { source: `session/ses_${i}` }));
    expect(expectValue(await log.erase("demo|alice", "r"))).toEqual({ records: 500 });
    expect(expectValue(await log.events({ limit: 1, about: "demo|alice" })).items).toEqual([]);
    expect(await verdictOf(log)).toMatchObject({ intact: true, erased: 1_000 });
  });
});

describe("retention", () => {
  it("takes the text of old records and leaves their hashes, and the log says so itself", async () => {
    const log = newLog();
    const old = now() - 40 * DAY_SECONDS;
    await log.append([...entries(5, { at: old }), ...entries(3, { source: "registry" })]);
    const before = await noteOf(log);
    const proof = expectValue(await log.inclusion(2));
    const anchors = [proof.checkpoint];
    await runInDurableObject(log.stub, (_object, state) => {
      const policy = { retain_days: 30, record_addresses: false, checkpoint_seconds: 60 };
      state.storage.sql.exec("INSERT INTO state VALUES ('policy', ?)", JSON.stringify(policy));
      // The registry of this test has no policy that says so.
      state.storage.sql.exec(
        "CREATE TRIGGER keep BEFORE UPDATE ON state WHEN NEW.name = 'policy' BEGIN SELECT RAISE(IGNORE); END",
      );
    });
    await runDurableObjectAlarm(log.stub);
    const { items } = expectValue(await log.events({ limit: 50 }));
    expect(items.map(({ type }) => type)).toEqual(["audit.pruned", ...Array(3).fill("grant.revoked")]);
    expect(items[0]).toMatchObject({ actor: { subject: "portcullis" }, data: { before: 5 } });
    expect(expectValue(await log.events({ limit: 50, about: "demo|alice" })).items).toHaveLength(3);
    expect(expectValue(await log.inclusion(2)).leaf_hash).toBe(proof.leaf_hash);
    expect(bytes(expectValue(await log.consistency(8)).from_root_hash)).toEqual(before.rootHash);
    expect(await log.entries({ index: 0, width: 9 })).toMatchObject({ ok: false, error: { code: "gone" } });
    expect(await verdictOf(log, { anchors })).toMatchObject({ intact: true, pruned: 5, size: 9 });
    const dropped = (await linesOf(log)).filter((line) => !line.includes("audit.pruned"));
    expect(await verifyExport(dropped)).toMatchObject({ intact: false });
  });
});

describe("refused calls", () => {
  it("are recorded at once, and those that repeat are counted", async () => {
    const log = newLog();
    const refusal = (over: object = {}) =>
      entry({ type: "call.refused", source: "control", data: { status: 403 }, ...over });
    await log.refused(refusal());
    for (let i = 0; i < 4; i++) await log.refused(refusal());
    await log.refused(refusal({ actor: { subject: "demo|mallory" } }));
    const listed = async () =>
      expectValue(await log.events({ limit: 50 })).items.map(({ actor, data }) => [actor?.subject, data]);
    expect(await listed()).toEqual([
      ["demo|mallory", { status: 403 }],
      ["demo|olivia", { status: 403 }],
    ]);
    await runInDurableObject(log.stub, (_object, state) => {
      state.storage.sql.exec("UPDATE refusals SET until = until - 61");
    });
    await runDurableObjectAlarm(log.stub);
    expect((await listed())[0]).toEqual(["demo|olivia", { status: 403, repeated: 4 }]);
    await log.refused(refusal());
    expect(await listed()).toHaveLength(4);
  });
});

describe("a call on behalf of somebody", () => {
  const cause = {
    request_id: "dec_9",
    call: "POST /v1/audit/erasures",
    actor: { subject: "demo|olivia", client_id: "cli_1" },
  };

  it("is recorded as theirs", async () => {
    const log = newLog();
    await log.append([entry({ source_seq: 1 })]);
    await log.callCausedBy(cause, "erase", ["demo|alice", "she asked"]);
    const { items } = expectValue(await log.events({ limit: 1 }));
    expect(items).toMatchObject([
      { type: "audit.erased", actor: cause.actor, request_id: "dec_9", call: cause.call },
    ]);
  });

  it("reaches the object's own methods, and nothing else", async () => {
    await runInDurableObject(newLog().stub, (object) => {
      for (const method of [
        "constructor",
        "toString",
        "callCausedBy",
        "hasOwnProperty",
        "ctx",
        "nothing",
        "__proto__",
      ]) {
        expect(() => (object as unknown as AuditObject).callCausedBy(cause, method, []), method).toThrow(
          TypeError,
        );
      }
    });
  });
});

describe("checkpoints", () => {
  it("are anchored in KV by the alarm, the newest and one for each day", async () => {
    const log = newLog();
    await log.append(entries(2));
    await runDurableObjectAlarm(log.stub);
    const note = expectValue(await log.checkpoint());
    await expect.poll(() => env.KV.get("audit:checkpoint")).toBe(note);
    const day = new Date().toISOString().slice(0, 10);
    expect(await env.KV.get(`audit:checkpoint:${day}`)).toBe(note);
    await runInDurableObject(log.stub, (_object, state) => {
      // Nothing new: nothing is anchored.
      expect(state.storage.sql.exec("SELECT * FROM outbox WHERE lane = 'kv:audit'").toArray()).toEqual([]);
    });
  });
});
