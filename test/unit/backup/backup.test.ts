import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type BackupPosition,
  type BackupSource,
  backupPage,
  newHeader,
} from "../../../src/backup/backup-page.ts";
import { INVENTORY } from "../../../src/backup/inventory.ts";
import { Restore } from "../../../src/backup/restore.ts";
import { BackupSeal } from "../../../src/backup/seal.ts";
import type { LoadedPart, StoredRow, TableCursor, TablePage } from "../../../src/platform/stored-tables.ts";
import { type BackupTrailer, backupKey, type RestorationState } from "../../../src/protocol/backup.ts";
import { BackupReader } from "../../../src/protocol/backup-reader.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import { Restoration } from "../../../src/replication/restoration.ts";
import { RESTORATION_SCHEMA } from "../../../src/replication/restoration-store.ts";
import { memorySql } from "../../support/memory-sql.ts";
import { expectValue } from "../../support/remote.ts";

const SECRETS = { PORTCULLIS_SECRET: "c2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0wMDAwMDA" };
const OTHER = { PORTCULLIS_SECRET: "b3RoZXItc2VjcmV0LW9ubHktZm9yLXRoZS10ZXN0cy0" };
const ISSUER = "https://auth.example.com";
const HEADER = newHeader({
  ...{ id: "bak_01m80vge8se3ps2w3e76kefsk1", issuer: ISSUER },
  ...{ taken_at: 1_800_000_000, taken_by: "operator" },
});
const SCHEMA = "a".repeat(64);

/** Objects of a deployment: rows by `<binding>/<name>`. */
type Objects = Map<string, StoredRow[]>;

let objects: Objects;
let policy: number;
let onRead: (binding: string) => void;

const text = (n: number) => "x".repeat(n);

/** Everything that an inventory names, and some of each kind that is listed. */
function populated(): Objects {
  const made: Objects = new Map();
  for (const { binding, names } of INVENTORY) {
    const all =
      names === "main"
        ? ["main"]
        : typeof names === "number"
          ? Array.from({ length: names }, (_, i) => `${i}`)
          : [];
    for (const name of all) made.set(`${binding}/${name}`, [["state", [binding, name]]]);
  }
  for (let i = 0; i < 450; i++) {
    const name = `ses_${String(i).padStart(4, "0")}`;
    made.set(`SESSION/${name}`, [["session", [name, text(3_000)]]]);
  }
  made.set("ENDPOINT/whe_1", [["outbox", [1, "webhook"]]]);
  made.set(
    "REGISTRY/main",
    Array.from({ length: 11 }, (_, i) => ["clients", [i, text(300_000)]]),
  );
  return made;
}

const source: BackupSource = {
  read: async (binding, name, maxChars, cursor?: TableCursor): Promise<Result<TablePage>> => {
    onRead(binding);
    const rows = objects.get(`${binding}/${name}`) ?? [];
    const from = Number(cursor?.after[0] ?? 0);
    let to = from;
    for (let chars = 0; to < rows.length && chars < maxChars; to++) chars += JSON.stringify(rows[to]).length;
    const page = {
      rows: rows.slice(from, to),
      schema: SCHEMA,
      columns: {},
      sequences: { outbox: rows.length },
    };
    return ok(to < rows.length ? { ...page, next: { table: "t", after: [to] } } : page);
  },
  names: async (of, { after, until, limit }) => {
    const bindings: Record<string, string> = { sessions: "SESSION", webhook_endpoints: "ENDPOINT" };
    const names = [...objects.keys()]
      .filter((key) => key.startsWith(`${bindings[of]}/`))
      .map((key) => key.slice(key.indexOf("/") + 1))
      .filter((name) => name > after && (until === "" || name <= until));
    return ok(names.sort().slice(0, limit));
  },
  idsUntil: (of) => (of === "sessions" ? "ses_0399" : ""),
  inForce: async () => ok(`policy ${policy}`),
  checkpoint: async () => ok(null),
};

async function pagesOf(seal: BackupSeal): Promise<string[]> {
  const pages: string[] = [];
  for (let at: unknown = HEADER; at; ) {
    const page = expectValue(await backupPage(at as BackupPosition, source, seal));
    pages.push(page);
    const { next } = JSON.parse(page.trimEnd().split("\n").at(-1)!);
    at = next && (await seal.openCursor(next));
  }
  return pages;
}

const linesOf = (pages: readonly string[]) => pages.join("").trimEnd().split("\n");
const trailerOf = (pages: readonly string[]): BackupTrailer => JSON.parse(linesOf(pages).at(-1)!);
/** The pages as they are sent: each with the line that ends it. */
const sent = (pages: readonly string[]) => {
  const last = pages.at(-1)!.trimEnd().split("\n").slice(0, -1);
  return [...pages.slice(0, -1), `${last.join("\n")}\n`];
};

async function readBack(lines: readonly string[], keys?: CryptoKey[]): Promise<BackupTrailer> {
  const reader = new BackupReader(keys ? { keys } : {});
  for (const line of lines) await reader.read(line);
  return reader.finish();
}

beforeEach(() => {
  objects = populated();
  policy = 3;
  onRead = () => {};
});

describe("a backup", () => {
  it("holds every object in pages of a bounded size, and says how many there are", async () => {
    const pages = await pagesOf(new BackupSeal(SECRETS));
    expect(pages.length).toBeGreaterThan(3);
    // One page's worth, and what a single object says in one step.
    for (const page of pages) expect(page.length).toBeLessThan(4 * 1024 * 1024);
    const trailer = await readBack(linesOf(pages), [await backupKey(SECRETS.PORTCULLIS_SECRET)]);
    // Sessions that began after the index was read are not among them.
    const kept = [...objects].filter(([key]) => key <= "SESSION/ses_0399" || !key.startsWith("SESSION/"));
    expect(trailer).toMatchObject({ backup: HEADER.id, pages: pages.length, objects: kept.length });
    expect(trailer.rows).toBe(kept.reduce((sum, [, rows]) => sum + rows.length, 0));
    expect(trailer.schemas.RegistryObject).toEqual({ name: "main", schema: SCHEMA });
  });

  it("is refused where policy or keys changed between those that must agree on them", async () => {
    onRead = (binding) => {
      if (binding === "KEYRING") policy++;
    };
    await expect(pagesOf(new BackupSeal(SECRETS))).rejects.toThrow("Take it again");
    policy = 3;
    onRead = (binding) => {
      // Before and after, they may.
      if (binding === "SESSION" || binding === "AUDIT") policy++;
    };
    expect(await pagesOf(new BackupSeal(SECRETS))).not.toEqual([]);
  });

  it("says what could not be read, and takes no other deployment's cursor", async () => {
    const failing = { ...source, read: async () => err(problem("unavailable", "gone")) };
    const seal = new BackupSeal(SECRETS);
    expect(await backupPage(HEADER, failing, seal)).toMatchObject({ error: { code: "unavailable" } });
    const cursor = await seal.closeCursor({ page: 1 });
    expect(await seal.openCursor(cursor)).toEqual({ page: 1 });
    expect(await new BackupSeal(OTHER).openCursor(cursor)).toBeUndefined();
    expect(await seal.openCursor("v1.x")).toBeUndefined();
  });

  it("is read with the secret that signed it, also after that was changed", async () => {
    const lines = linesOf(await pagesOf(new BackupSeal(OTHER)));
    await expect(readBack(lines, [await backupKey(SECRETS.PORTCULLIS_SECRET)])).rejects.toThrow(
      "another secret",
    );
    expect(await readBack(lines)).toMatchObject({ backup: HEADER.id });
    const changed = { ...SECRETS, PORTCULLIS_SECRET_PREVIOUS: OTHER.PORTCULLIS_SECRET };
    expect(await new BackupSeal(changed).isTrailer(JSON.parse(lines.at(-1)!))).toBe(true);
    expect(await new BackupSeal(SECRETS).isTrailer(JSON.parse(lines.at(-1)!))).toBe(false);
  });
});

describe("a reader of a backup finds", () => {
  let lines: string[];

  beforeAll(async () => {
    objects = populated();
    lines = linesOf(await pagesOf(new BackupSeal(SECRETS)));
  });

  it.each<[string, (lines: string[]) => string[], string]>([
    ["a row more", (l) => l.toSpliced(2, 0, l[2]!), "rows in"],
    ["a row less", (l) => l.filter((line) => !line.includes("DIRECTORY")), "rows in"],
    ["an object without its end", (l) => l.toSpliced(3, 1), "has no end"],
    ["an end without its object", (l) => l.toSpliced(1, 2), "has no beginning"],
    ["a row of no object", (l) => l.toSpliced(1, 1), "belongs to no object"],
    ["another text", (l) => l.map((line) => line.replace("xxx", "xyx")), "page 1 is not as it was written"],
    ["an unknown line", (l) => l.toSpliced(1, 0, "{}"), "no line of a backup"],
    ["no JSON", (l) => l.toSpliced(1, 0, "nothing"), "no JSON object"],
    ["an end of another backup", (l) => l.with(-1, l.at(-1)!.replace("bak_", "bak_1")), "another backup"],
    [
      "other counts",
      (l) => l.with(-1, l.at(-1)!.replace(/"objects":\d+/, '"objects":1')),
      "the backup had 1 objects",
    ],
    ["something after the end", (l) => [...l, l[1]!], "something follows"],
    ["no end", (l) => l.slice(0, -1), "was cut off"],
    [
      "an object that goes on without a beginning",
      (l) => l.with(1, l[1]!.replace('"name"', '"continues":true,"name"')),
      "has no beginning",
    ],
  ])("%s", async (_what, change, fault) => {
    await expect(readBack(change(lines))).rejects.toThrow(fault);
  });

  it("a code of somebody who has not the secret, though every digest fits", async () => {
    const key = await backupKey(SECRETS.PORTCULLIS_SECRET);
    const forged = lines.map((line) => line.replace(/"mac":"[^"]+"/, `"mac":"${"A".repeat(43)}"`));
    expect(await readBack(forged)).toMatchObject({ backup: HEADER.id });
    await expect(readBack(forged, [key])).rejects.toThrow("another secret");
    await expect(readBack(lines.with(-1, forged.at(-1)!), [key])).rejects.toThrow("another secret");
  });
});

describe("a restoration", () => {
  let loaded: Objects;
  let steps: string[];
  let occupied: string | undefined;
  let restoration: Restoration;
  let restore: Restore;
  let pages: string[];
  let left: number;

  const state = (value: RestorationState | null): Result<RestorationState | null> => ok(value);

  beforeEach(async () => {
    loaded = new Map();
    steps = [];
    occupied = undefined;
    left = 3;
    restoration = new Restoration(memorySql([RESTORATION_SCHEMA]));
    pages = await pagesOf(new BackupSeal(SECRETS));
    restore = new Restore({
      issuer: ISSUER,
      clock: () => 1_800_000_100_000,
      seal: new BackupSeal(SECRETS),
      load: async (binding, name, { schema, rows }: LoadedPart) => {
        const key = `${binding}/${name}`;
        const before = schema === undefined ? (loaded.get(key) ?? []) : [];
        loaded.set(key, [...before, ...rows]);
        return ok(null);
      },
      schema: async () => ok(SCHEMA),
      restart: async (binding) => steps.push(`restart ${binding}`),
      wake: async (binding, name) => {
        steps.push(`wake ${binding}/${name}`);
        return ok(null);
      },
      occupied: async () => ok(occupied),
      log: {
        restoration: async () => state(restoration.read()),
        beginRestoration: async (first) => restoration.begin(first),
        pageLoaded: async (page) => restoration.loaded(page),
        openRestored: async () => {
          steps.push("open");
          return state(restoration.open(1));
        },
        toWake: async (limit) => ok(restoration.toWake(limit)),
        woken: async (names) => {
          restoration.woken(names);
          return ok(null);
        },
        finishRestoration: async () => state(restoration.finish(2)),
      },
      audit: {
        append: async ([entry]) => {
          steps.push(`audit ${entry?.type}`);
          return ok(null);
        },
      },
      denylist: { publish: async () => ok({ done: --left <= 0 }) },
    });
  });

  const begin = () => restore.begin(trailerOf(pages));

  it("gives every object what it had, and opens the log once all is there", async () => {
    expectValue(await begin());
    expect(restoration.problem()).toMatchObject({ code: "unavailable" });
    for (const [i, page] of sent(pages).entries()) {
      expect(await restore.finish()).toMatchObject({ error: { code: "conflict" } });
      expect(expectValue(await restore.page(i + 1, page)).loaded).toBe(i + 1);
    }
    expect(restoration.problem()).toBeDefined();
    const kept = [...objects].filter(([key]) => key <= "SESSION/ses_0399" || !key.startsWith("SESSION/"));
    expect(new Map([...loaded].toSorted())).toEqual(new Map(kept.toSorted()));
    expect(expectValue(await restore.finish()).finished_at).toBe(2);
    expect(restoration.problem()).toBeUndefined();
    // The record that it was restored comes before anything that was restored may act.
    const restarts = steps.filter((each) => each.startsWith("restart"));
    expect(restarts).toContain("restart AUDIT");
    expect(steps.slice(0, restarts.length + 3)).toEqual([
      ...restarts,
      "audit backup.restored",
      "open",
      "wake LOG/main",
    ]);
    expect(steps).toContain("wake ENDPOINT/whe_1");
    expect(steps.some((each) => each.startsWith("wake SESSION"))).toBe(false);
    const done = steps.length;
    expectValue(await restore.finish());
    expect(steps).toHaveLength(done);
  });

  it("takes each page once, whole and in its turn", async () => {
    const [first, second] = sent(pages) as [string, string];
    expect(await restore.page(1, first)).toMatchObject({ error: { code: "not_found" } });
    expectValue(await begin());
    expect(await restore.page(2, second)).toMatchObject({ error: { code: "conflict" } });
    for (const changed of [
      first.replace("xxx", "xyx"),
      first.split("\n").toSpliced(4, 1).join("\n"),
      second,
      "",
      first.replace(/"mac":"[^"]+"/, `"mac":"${"A".repeat(43)}"`),
    ]) {
      expect(await restore.page(1, changed)).toMatchObject({ error: { code: "unprocessable" } });
    }
    expect(loaded.size).toBe(0);
    expectValue(await restore.page(1, first));
    const had = new Map(loaded);
    expect(expectValue(await restore.page(1, "anything")).loaded).toBe(1);
    expect(loaded).toEqual(had);
  });

  it("goes on where it stopped, and begins no other beside it", async () => {
    expectValue(await begin());
    expectValue(await restore.page(1, sent(pages)[0]!));
    expect(expectValue(await begin()).loaded).toBe(1);
    const seal = new BackupSeal(SECRETS);
    const { mac: _mine, ...trailer } = { ...trailerOf(pages), backup: `bak_${"0".repeat(26)}` };
    const other = { ...trailer, mac: await seal.trailer(trailer) };
    expect(await restore.begin(other)).toMatchObject({ error: { code: "conflict" } });
  });

  it("refuses what it did not sign, another issuer, a deployment in use and other tables", async () => {
    const trailer = trailerOf(pages);
    expect(await restore.begin({ ...trailer, rows: 1 })).toMatchObject({ error: { code: "unprocessable" } });
    const signed = async (change: object) => {
      const { mac: _old, ...rest } = { ...trailer, ...change };
      return { ...rest, mac: await new BackupSeal(SECRETS).trailer(rest) };
    };
    expect(await restore.begin(await signed({ issuer: "https://other.example" }))).toMatchObject({
      error: { code: "conflict", detail: expect.stringContaining("https://other.example") },
    });
    for (const [object, schema] of [
      ["LogObject", "b".repeat(64)],
      ["GoneObject", SCHEMA],
    ] as const) {
      const schemas = { [object]: { name: "main", schema } };
      expect(await restore.begin(await signed({ schemas }))).toMatchObject({
        error: { code: "unprocessable", detail: expect.stringContaining(object) },
      });
    }
    occupied = "clients";
    expect(await begin()).toMatchObject({ error: { code: "conflict" } });
    occupied = undefined;
    expect(await begin()).toMatchObject({ ok: true });
    // What it has loaded itself is no reason to refuse to go on.
    occupied = "clients";
    expect(await begin()).toMatchObject({ ok: true });
  });
});
