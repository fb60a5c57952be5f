import type { StoredRow, TableCursor, TablePage } from "../platform/stored-tables.ts";
import {
  BACKUP_VERSION,
  type BackupHeader,
  type BackupLine,
  type BackupTrailer,
  EMPTY_DIGEST,
  pageDigest,
} from "../protocol/backup.ts";
import type { Json } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { fixedNames, INVENTORY, type Kind, type Listed } from "./inventory.ts";
import type { BackupSeal } from "./seal.ts";

export type NamesPage = { after: string; until: string; limit: number };

export type BackupSource = {
  /** A page of what an object stores. */
  read(binding: string, name: string, maxChars: number, cursor?: TableCursor): Promise<Result<TablePage>>;
  /** Names in their order. `until` may be empty. */
  names(of: Listed, page: NamesPage): Promise<Result<string[]>>;
  /** Above every id that was given so far, and below those that are given later. */
  idsUntil(of: Listed): string;
  /** Names the policy and the keys in force: what registry, key ring and log must agree on. */
  inForce(): Promise<Result<string>>;
  /** Signs the audit log as it is. */
  checkpoint(): Promise<Result<unknown>>;
};

/** How far a backup has come. Whoever takes it holds this, sealed. */
export type BackupPosition = {
  header: BackupHeader;
  page: number;
  digest: string;
  objects: number;
  rows: number;
  schemas: BackupTrailer["schemas"];
  /** The kind that is read, and the last name of it that was, or that is being read where `cursor` is there. */
  kind: number;
  name: string;
  until: string;
  cursor?: TableCursor;
  counts: Record<string, number>;
  inForce?: string;
};

/** A page has about so many characters, and not many more objects than this. */
const PAGE_CHARS = 1024 * 1024;
const PAGE_OBJECTS = 200;
/** Objects that are read at once, and what each of them may say then. */
const AT_ONCE = 20;
const SHARE_CHARS = 256 * 1024;
/** One that is read alone is read in one step up to here: it is of one moment. */
const ALONE_CHARS = 2 * 1024 * 1024;

const UNSETTLED = problem(
  "conflict",
  "The policy or the signing keys changed while the backup was taken, so that its parts do not fit. Take it again.",
);

/** Writes one page of a backup, and answers it with the position that it ends at, or the end of the backup. */
export async function backupPage(
  position: BackupPosition | BackupHeader,
  source: BackupSource,
  seal: BackupSeal,
): Promise<Result<string>> {
  const writer = new PageWriter("header" in position ? position : firstPosition(position), source);
  if (!("header" in position)) writer.write(position);
  const done = await writer.fill();
  if (!done.ok) return done;
  const at = writer.position;
  const page = at.page + 1;
  const digest = await pageDigest(at.digest, writer.text);
  const next = done.value ? {} : { next: await seal.closeCursor({ ...at, page, digest }) };
  const line = { page, digest, mac: await seal.page({ page, digest }), ...next };
  const lines = [JSON.stringify(line)];
  if (done.value) {
    const { id: backup, issuer, taken_at } = at.header;
    const { objects, rows, schemas } = at;
    const trailer = { backup, issuer, taken_at, pages: page, objects, rows, digest, schemas };
    lines.push(JSON.stringify({ ...trailer, mac: await seal.trailer(trailer) }));
  }
  return ok(`${writer.text}${lines.join("\n")}\n`);
}

export function newHeader(header: Omit<BackupHeader, "portcullis_backup">): BackupHeader {
  return { portcullis_backup: BACKUP_VERSION, ...header };
}

function firstPosition(header: BackupHeader): BackupPosition {
  const nothing = { page: 0, digest: EMPTY_DIGEST, objects: 0, rows: 0, schemas: {} };
  return { header, ...nothing, kind: 0, name: "", until: "", counts: {} };
}

class PageWriter {
  position: BackupPosition;
  text = "";
  readonly #source: BackupSource;
  #objects = 0;

  constructor(position: BackupPosition, source: BackupSource) {
    this.position = { ...position };
    this.#source = source;
  }

  /** True once nothing is left to read. */
  async fill(): Promise<Result<boolean>> {
    while (this.text.length < PAGE_CHARS && this.#objects < PAGE_OBJECTS) {
      const kind = INVENTORY[this.position.kind];
      if (!kind) return ok(true);
      const step = this.position.cursor ? await this.#goOn(kind) : await this.#nextOf(kind);
      if (!step.ok) return step;
    }
    return ok(INVENTORY[this.position.kind] === undefined);
  }

  write(line: BackupLine): void {
    this.text += `${JSON.stringify(line)}\n`;
  }

  /** The next objects of a kind, or the next kind where there are none. */
  async #nextOf(kind: Kind): Promise<Result<null>> {
    if (this.position.name === "") {
      const entered = await this.#enter(kind);
      if (!entered.ok) return entered;
    }
    const names = await this.#names(kind);
    if (!names.ok) return names;
    if (names.value.length === 0) return this.#leave(kind);
    const share = names.value.length === 1 ? ALONE_CHARS : SHARE_CHARS;
    const pages = await Promise.all(names.value.map((name) => this.#source.read(kind.binding, name, share)));
    for (const [i, page] of pages.entries()) {
      if (!page.ok) return page;
      this.#add(kind, names.value[i]!, page.value, true);
      // What was read of the others is read again, after this one.
      if (page.value.next) break;
    }
    return ok(null);
  }

  /** The object that the last read did not come to the end of. */
  async #goOn(kind: Kind): Promise<Result<null>> {
    const { name, cursor } = this.position;
    const page = await this.#source.read(kind.binding, name, PAGE_CHARS, cursor);
    if (!page.ok) return page;
    this.#add(kind, name, page.value, false);
    return ok(null);
  }

  #add({ object }: Kind, name: string, page: TablePage, first: boolean): void {
    const { schema, columns, next, sequences } = page;
    if (first) this.write({ object, name, schema, columns });
    else if (this.#opensPage()) this.write({ object, name, continues: true });
    const { cursor: _read, counts: before, ...position } = this.position;
    const counts = first ? {} : { ...before };
    for (const [table, row] of page.rows as StoredRow[]) {
      this.write({ table, row: row as Json[] });
      counts[table] = (counts[table] ?? 0) + 1;
    }
    this.#objects++;
    this.position = { ...position, name, counts, ...(next ? { cursor: next } : {}) };
    this.position.rows += page.rows.length;
    this.position.schemas = { [object]: { name, schema }, ...this.position.schemas };
    if (next) return;
    this.write({ end: object, name, rows: counts, sequences });
    this.position.objects++;
  }

  #opensPage(): boolean {
    return this.text === "";
  }

  async #enter({ binding, names }: Kind): Promise<Result<unknown>> {
    const isListed = typeof names === "string" && names !== "main";
    this.position.until = isListed ? this.#source.idsUntil(names) : "";
    if (binding === "AUDIT") return this.#source.checkpoint();
    if (binding !== "REGISTRY") return ok(null);
    const inForce = await this.#source.inForce();
    if (inForce.ok) this.position.inForce = inForce.value;
    return inForce;
  }

  async #leave({ binding }: Kind): Promise<Result<null>> {
    const { cursor: _none, ...position } = this.position;
    this.position = { ...position, kind: position.kind + 1, name: "" };
    if (binding !== "LOG") return ok(null);
    const inForce = await this.#source.inForce();
    if (!inForce.ok) return inForce;
    return inForce.value === this.position.inForce ? ok(null) : err(UNSETTLED);
  }

  async #names(kind: Kind): Promise<Result<string[]>> {
    const { name: after, until } = this.position;
    const fixed = fixedNames(kind);
    if (fixed) return ok(fixed.filter((name) => name > after).slice(0, AT_ONCE));
    return this.#source.names(kind.names as Listed, { after, until, limit: AT_ONCE });
  }
}
