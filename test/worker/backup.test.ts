import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { DirectoryObject } from "../../src/access/directory-object.ts";
import { INVENTORY } from "../../src/backup/inventory.ts";
import type { CausedObject } from "../../src/platform/caused-object.ts";
import type { LoadedPart, TableCursor, TablePage } from "../../src/platform/stored-tables.ts";
import type { PasskeyObject } from "../../src/registry/passkey-object.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import { expectValue, remote } from "../support/remote.ts";

const KINDS = INVENTORY.map(({ binding, object }) => ({ binding, object }));

const stubOf = (binding: string, name: string) =>
  (env[binding as keyof Env] as DurableObjectNamespace<CausedObject>).getByName(name);

/** The object as its storage is read, in pages of so many characters. */
async function pagesOf(binding: string, name: string, maxChars: number): Promise<TablePage[]> {
  const object = remote<CausedObject>(stubOf(binding, name));
  const pages: TablePage[] = [];
  for (let cursor: TableCursor | undefined; pages.length === 0 || cursor; cursor = pages.at(-1)!.next) {
    pages.push(expectValue(await object.readStorage(maxChars, cursor)) as TablePage);
  }
  return pages;
}

/** Brings the pages in as a restoration does: the first empties the object, the last makes it what it goes on from. */
async function load(
  binding: string,
  name: string,
  pages: readonly TablePage[],
  isWhole = true,
): Promise<void> {
  const object = remote<CausedObject>(stubOf(binding, name));
  for (const [i, { rows, schema, sequences, next }] of pages.entries()) {
    const part: LoadedPart = {
      rows,
      ...(i === 0 ? { schema } : {}),
      ...(isWhole && !next ? { sequences } : {}),
    };
    expectValue(await object.loadStorage(part));
  }
}

/** A delivery's columns must fit each other. */
const DEAD_LETTER: Record<string, SqlStorageValue> = {
  "delivery.state": "dead_letter",
  "delivery.next_at_ms": null,
};

/** Rows of every type in every table of an object, as far as its own constraints let them. */
async function fill(binding: string, name: string): Promise<number> {
  return runInDurableObject(stubOf(binding, name), (_object, { storage: { sql } }) => {
    const tables = sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*'",
      )
      .toArray()
      .map((row) => row.name)
      .filter((table) => table !== "schema_version" && !table.startsWith("restoration"));
    for (const table of tables) {
      const columns = sql
        .exec<{ name: string; type: string }>("SELECT name, type FROM pragma_table_info(?)", table)
        .toArray();
      const valuesOf = (row: number, whole: number) =>
        columns.map(({ name: column, type }, i) => {
          if (type === "BLOB") return new Uint8Array([row, 0, 255, i]).buffer;
          // What looks like an end of a line, a quote or a number is a text all the same.
          if (`${table}.${column}` in DEAD_LETTER) return DEAD_LETTER[`${table}.${column}`] ?? null;
          return type === "INTEGER" ? whole : `${row}${column}\u2028"\n`;
        });
      const insert = (values: SqlStorageValue[]) =>
        sql.exec(`INSERT INTO "${table}" VALUES (${columns.map(() => "?").join()})`, ...values);
      // Some have one row only, under a number of their own.
      for (const [row, whole] of [1_000, 2_000, 3_000, 0, 1].entries()) {
        try {
          insert(valuesOf(row, whole));
        } catch (fault) {
          if (!String(fault).includes("CHECK")) throw fault;
        }
      }
      if (sql.exec(`SELECT 1 FROM "${table}"`).toArray().length === 0) throw new Error(`${table} is empty`);
    }
    return tables.length;
  });
}

describe("everything that an object stores", () => {
  it.each(KINDS)("$object is read in pages, and is the same once it is loaded elsewhere", async (kind) => {
    const { binding } = kind;
    const tables = await fill(binding, "backup-from");
    const whole = await pagesOf(binding, "backup-from", 1e9);
    expect(whole).toHaveLength(1);
    expect(Object.keys(whole[0]!.columns)).toHaveLength(tables);
    expect(new Set(whole[0]!.rows.map(([table]) => table)).size).toBe(tables);
    const pages = await pagesOf(binding, "backup-from", 400);
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flatMap(({ rows }) => rows)).toEqual(whole[0]!.rows);

    // After a crash a page comes twice, and the beginning of an object anew.
    await load(binding, "backup-to", pages.slice(0, 2), false);
    await load(binding, "backup-to", [pages[0]!, ...pages.slice(0, 2), ...pages.slice(1)], false);
    const [copy] = await pagesOf(binding, "backup-to", 1e9);
    expect(copy!.rows).toEqual(whole[0]!.rows);
  });

  it("goes on numbering where it had stopped, not where its rows end", async () => {
    const from = stubOf("REMEDIATION", "backup-from");
    await runInDurableObject(from, (_object, { storage: { sql } }) => {
      sql.exec("DELETE FROM audit_outbox");
    });
    const pages = await pagesOf("REMEDIATION", "backup-from", 1e9);
    expect(pages[0]!.sequences.audit_outbox).toBe(3_000);
    await load("REMEDIATION", "backup-to", pages);
    const [copy] = await pagesOf("REMEDIATION", "backup-to", 1e9);
    expect(copy!.sequences).toEqual(pages[0]!.sequences);
  });

  it("is refused by tables that are made otherwise, and where a row does not fit", async () => {
    const object = remote<CausedObject>(stubOf("MONITOR", "backup-other"));
    const [page] = await pagesOf("REGISTRY", "backup-other", 1e9);
    expect(await object.loadStorage({ schema: page!.schema, rows: [] })).toMatchObject({
      error: { code: "unprocessable" },
    });
    for (const rows of [[["elsewhere", [1]]], [["outbox", [1]]], [["audit_outbox", [1, { bytes: "=" }]]]]) {
      expect(await object.loadStorage({ rows } as LoadedPart)).toMatchObject({
        error: { code: "unprocessable" },
      });
    }
    expect(await object.loadStorage({ rows: [["audit_outbox", [1, "x"]]] })).toMatchObject({ ok: true });
  });
});

describe("objects are found by their names", () => {
  const directory = remote<DirectoryObject>(env.DIRECTORY.getByName("main"));
  const holders = async (after = "", until = "") =>
    expectValue(await directory.names({ of: "passkeys", after, until, limit: 2 }));

  it("in their order, from one to another", async () => {
    for (const name of ["corp|c", "corp|a", "corp|b", "corp|a"]) {
      expectValue(await directory.noteHolder("passkeys", name, true));
    }
    expect(await holders()).toEqual(["corp|a", "corp|b"]);
    expect(await holders("corp|b")).toEqual(["corp|c"]);
    expect(await holders("", "corp|a")).toEqual(["corp|a"]);
    expectValue(await directory.noteHolder("passkeys", "corp|a", false));
    expect(await holders()).toEqual(["corp|b", "corp|c"]);
  });

  it("those of passkeys for as long as their person has one", async () => {
    const subject = "corp|ann";
    const stub = env.PASSKEY.getByName(subject);
    const passkeys = remote<PasskeyObject>(stub);
    const isHolder = async () => (await holders("corp|am", subject)).includes(subject);
    await runInDurableObject(stub, (_object, { storage: { sql } }) => {
      sql.exec("INSERT INTO passkeys VALUES ('id', ?, '{}')", subject);
      sql.exec(
        "INSERT INTO outbox (id, lane, kind, payload, next_at_ms) VALUES ('holder', 'directory', 'directory.holder', ?, 1)",
        JSON.stringify(subject),
      );
    });
    expectValue(await passkeys.wake());
    await vi.waitFor(async () => expect(await isHolder()).toBe(true), { timeout: 10_000 });
    expectValue(await passkeys.reset(subject));
    await vi.waitFor(async () => expect(await isHolder()).toBe(false), { timeout: 10_000 });
  });
});

describe("a log that was restored", () => {
  const log = remote<LogObject>(env.LOG.getByName("backup-log"));
  const rule = {
    ...{ id: "rev_1", match: { sub: "demo|mallory" }, reason: "a test", actor: "test" },
    created_at: 1_700_000_000,
  };

  it("goes on above everybody who knows an earlier one, and has them take the snapshot", async () => {
    const before = expectValue(
      await log.append({ id: rule.id, kind: "revocation.added", rule } as never),
    ) as { seq: number };
    await load("LOG", "backup-log", await pagesOf("LOG", "backup-log", 1e9));
    for (const seq of [0, before.seq - 1, before.seq, before.seq + 7]) {
      expect(await log.since(seq)).toEqual({ ok: true, value: { too_old: true } });
    }
    const snapshot = expectValue(await log.snapshot());
    expect(snapshot.rules).toMatchObject([{ id: "rev_1" }]);
    expect(snapshot.seq).toBeGreaterThan(before.seq + 1e11);
    const lift = {
      id: "log_lift",
      kind: "revocation.lifted",
      revocation_id: "rev_1",
      actor: "test",
    } as const;
    const next = expectValue(await log.append(lift)) as { seq: number };
    expect(next.seq).toBe(snapshot.seq + 1);
    expect(await log.since(snapshot.seq)).toMatchObject({ value: { entries: [{ seq: next.seq }] } });
  });

  it("tells KV all that is in force anew", async () => {
    await runInDurableObject(env.LOG.getByName("backup-log"), (_object, { storage: { sql } }) => {
      sql.exec("UPDATE revocations SET lifted_at = NULL");
      sql.exec("DELETE FROM outbox");
    });
    await load("LOG", "backup-log", await pagesOf("LOG", "backup-log", 1e9));
    const owed = await runInDurableObject(env.LOG.getByName("backup-log"), (_object, { storage: { sql } }) =>
      sql.exec("SELECT id, kind, payload FROM outbox ORDER BY id").toArray(),
    );
    expect(owed).toEqual([
      { id: "kv:deny:sub:demo|mallory", kind: "kv.deny", payload: '"sub:demo|mallory"' },
      { id: "kv:snapshot", kind: "kv.snapshot", payload: "null" },
    ]);
  });

  it("says nothing from the first page until it is opened", async () => {
    const first = { backup: "bak_1", pages: 2, loaded: 0, digest: "0", whole: "2" };
    expectValue(await log.beginRestoration(first));
    expect(await log.beginRestoration(first)).toMatchObject({ ok: true, value: first });
    expect(await log.beginRestoration({ ...first, backup: "bak_2" })).toMatchObject({
      error: { code: "conflict" },
    });
    for (const answer of [await log.since(0), await log.snapshot()]) {
      expect(answer).toMatchObject({ ok: false, error: { code: "unavailable" } });
    }
    expect(
      await log.append({ id: "log_x", kind: "revocation.lifted", revocation_id: "rev_x", actor: "x" }),
    ).toMatchObject({ error: { code: "unavailable" } });
    const wake = [{ binding: "SESSION", name: "ses_1" }];
    expect(await log.pageLoaded({ page: 2, digest: "2", wake })).toMatchObject({
      error: { code: "conflict" },
    });
    expectValue(await log.pageLoaded({ page: 1, digest: "1", wake }));
    // The state of the restoration is no part of what is restored.
    await load("LOG", "backup-log", await pagesOf("LOG", "backup-log", 1e9));
    expect(await log.restoration()).toMatchObject({ value: { backup: "bak_1", loaded: 1, digest: "1" } });
    expect(await log.toWake(10)).toEqual({ ok: true, value: wake });
    expectValue(await log.openRestored());
    expect(await log.snapshot()).toMatchObject({ ok: true });
    expectValue(await log.woken(wake));
    expect(await log.toWake(10)).toEqual({ ok: true, value: [] });
    expect(await log.finishRestoration()).toMatchObject({ value: { finished_at: expect.any(Number) } });
    expect(await log.beginRestoration({ ...first, backup: "bak_2" })).toMatchObject({ ok: true });
  });
});
