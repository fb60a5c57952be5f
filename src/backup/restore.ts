import { type Clock, epochSeconds } from "../platform/clock.ts";
import { siblingId } from "../platform/ids.ts";
import type { LoadedPart, StoredRow } from "../platform/stored-tables.ts";
import { type AuditEntry, PORTCULLIS } from "../protocol/audit-record.ts";
import {
  type BackupLine,
  type BackupTrailer,
  EMPTY_DIGEST,
  type PageLine,
  pageDigest,
  type RestorationState,
  type ToWake,
} from "../protocol/backup.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { kindOf } from "./inventory.ts";
import type { BackupSeal } from "./seal.ts";

/** The log as it sees to a restoration. */
export type RestorationPort = {
  restoration(): Promise<Result<RestorationState | null>>;
  beginRestoration(first: RestorationState): Promise<Result<RestorationState>>;
  pageLoaded(page: { page: number; digest: string; wake: ToWake[] }): Promise<Result<RestorationState>>;
  openRestored(): Promise<Result<RestorationState | null>>;
  toWake(limit: number): Promise<Result<ToWake[]>>;
  woken(objects: ToWake[]): Promise<Result<null>>;
  finishRestoration(): Promise<Result<RestorationState | null>>;
};

export type RestoreDeps = {
  issuer: string;
  clock: Clock;
  seal: BackupSeal;
  load(binding: string, name: string, part: LoadedPart): Promise<Result<null>>;
  schema(binding: string, name: string): Promise<Result<string>>;
  wake(binding: string, name: string): Promise<Result<null>>;
  /** Has an object forget what it has in memory. */
  restart(binding: string, name: string): Promise<unknown>;
  /** What is there already, in words; undefined where nothing is. */
  occupied(): Promise<Result<string | undefined>>;
  log: RestorationPort;
  audit: { append(entries: AuditEntry[]): Promise<Result<null>> };
  denylist: { publish(): Promise<Result<{ done: boolean }>> };
};

/** Objects that are loaded at once. */
const AT_ONCE = 20;
const WAKE_BATCH = 100;
/** What one call does at the end before it asks to be called again. */
const MAX_WOKEN = 500;
const MAX_PUBLICATION_STEPS = 50;
const ACTING = ["LOG", "DENYLIST", "AUDIT", "KEYRING", "REGISTRY", "DIRECTORY"];

type Part = { binding: string; name: string; part: LoadedPart };

/**
 * Takes a backup in, page by page, into a deployment that holds nothing. The end of the backup comes first: it proves
 * that there is a whole one, and of what. Each page is checked before any of it is written; nothing of it is in force
 * before the last one is. Every call may be repeated, and goes on where a crash has left it.
 */
export class Restore {
  readonly #o: RestoreDeps;

  constructor(options: RestoreDeps) {
    this.#o = options;
  }

  async state(): Promise<Result<RestorationState>> {
    const state = await this.#o.log.restoration();
    if (!state.ok) return state;
    return state.value ? ok(state.value) : err(problem("not_found", "Nothing is being restored."));
  }

  async begin(trailer: BackupTrailer): Promise<Result<RestorationState>> {
    const { issuer, seal, log } = this.#o;
    if (!(await seal.isTrailer(trailer))) {
      const detail =
        "The backup was changed, or made with another PORTCULLIS_SECRET than this deployment has.";
      return err(problem("unprocessable", detail));
    }
    if (trailer.issuer !== issuer) {
      return err(
        problem("conflict", `The backup is of ${trailer.issuer}, and this deployment is ${issuer}.`),
      );
    }
    const { backup, pages, digest: whole } = trailer;
    const known = await log.restoration();
    if (!known.ok) return known;
    if (known.value?.backup !== backup) {
      const free = await this.#mustBeFree(trailer);
      if (!free.ok) return free;
    }
    return log.beginRestoration({ backup, pages, whole, loaded: 0, digest: EMPTY_DIGEST });
  }

  /** Loads the next page; one that was loaded before changes nothing. */
  async page(number: number, text: string): Promise<Result<RestorationState>> {
    const state = await this.state();
    if (!state.ok || state.value.loaded >= number) return state;
    const { loaded, digest: before, pages, whole } = state.value;
    if (number !== loaded + 1) return err(problem("conflict", `Page ${loaded + 1} is the next one.`));
    const lines = text.trimEnd().split("\n");
    const last = parsed(lines.pop() ?? "") as PageLine | undefined;
    const content = lines.map((line) => `${line}\n`).join("");
    const digest = await pageDigest(before, content);
    const isWhole = number !== pages || digest === whole;
    if (last?.page !== number || last.digest !== digest || !isWhole || !(await this.#o.seal.isPage(last))) {
      return err(
        problem("unprocessable", `Page ${number} is not as it was written. Nothing of it was taken.`),
      );
    }
    const parts = partsOf(lines);
    if (!parts.ok) return parts;
    for (let at = 0; at < parts.value.length; at += AT_ONCE) {
      const batch = parts.value.slice(at, at + AT_ONCE);
      const done = await Promise.all(
        batch.map(({ binding, name, part }) => this.#o.load(binding, name, part)),
      );
      const failed = done.find((each) => !each.ok);
      if (failed) return failed as Result<never>;
    }
    return this.#o.log.pageLoaded({
      page: number,
      digest,
      wake: parts.value.filter(owesEffects).map(nameOf),
    });
  }

  /** Puts what was loaded into force. To be called until `finished_at` is there. */
  async finish(): Promise<Result<RestorationState>> {
    const { log, audit, clock } = this.#o;
    const state = await this.state();
    if (!state.ok || state.value.finished_at !== undefined) return state;
    const { backup, loaded, pages } = state.value;
    if (loaded < pages) return err(problem("conflict", `Page ${loaded + 1} of ${pages} is the next one.`));
    // Those that act before the deployment is deployed anew.
    if (state.value.opened_at === undefined) {
      await Promise.all(ACTING.map((binding) => this.#o.restart(binding, "main")));
    }
    const noted = await audit.append([restoredEntry(backup, epochSeconds(clock()))]);
    if (!noted.ok) return noted;
    const opened = await log.openRestored();
    if (!opened.ok) return opened;
    const done = await this.#settle();
    if (!done.ok) return done;
    if (!done.value) return this.state();
    const finished = await log.finishRestoration();
    return finished.ok ? ok(finished.value!) : finished;
  }

  /** True once the denied tokens are published anew, and all that owed something are awake. */
  async #settle(): Promise<Result<boolean>> {
    const { log, wake, denylist } = this.#o;
    for (const binding of ACTING) {
      const woken = await wake(binding, "main");
      if (!woken.ok) return woken;
    }
    let published = false;
    for (let step = 0; step < MAX_PUBLICATION_STEPS && !published; step++) {
      const publication = await denylist.publish();
      if (!publication.ok) return publication;
      published = publication.value.done;
    }
    for (let done = 0; done < MAX_WOKEN; done += WAKE_BATCH) {
      const batch = await log.toWake(WAKE_BATCH);
      if (!batch.ok) return batch;
      if (batch.value.length === 0) return ok(published);
      const woken = await Promise.all(batch.value.map(({ binding, name }) => wake(binding, name)));
      const failed = woken.find((each) => !each.ok);
      if (failed) return failed as Result<never>;
      const noted = await log.woken(batch.value);
      if (!noted.ok) return noted;
    }
    return ok(false);
  }

  async #mustBeFree({ schemas }: BackupTrailer): Promise<Result<null>> {
    const occupied = await this.#o.occupied();
    if (!occupied.ok) return occupied;
    if (occupied.value !== undefined) {
      const detail = `A backup is restored into a deployment that holds nothing, and this one has ${occupied.value}.`;
      return err(problem("conflict", detail));
    }
    for (const [object, { name, schema }] of Object.entries(schemas)) {
      const kind = kindOf(object);
      const own = kind && (await this.#o.schema(kind.binding, name));
      if (own && !own.ok) return own;
      if (own?.value === schema) continue;
      const detail = `The tables of ${object} are made otherwise here. Restore with the release that made the backup, then upgrade.`;
      return err(problem("unprocessable", detail));
    }
    return ok(null);
  }
}

/** What a page says of each object, in its order. */
function partsOf(lines: readonly string[]): Result<Part[]> {
  const parts: Part[] = [];
  for (const text of lines) {
    const line = parsed(text);
    if (!line) return err(problem("unprocessable", "A line of the page cannot be read."));
    if ("object" in line) {
      const kind = kindOf(line.object);
      if (!kind) return err(problem("unprocessable", `This release has no objects ${line.object}.`));
      const part: LoadedPart = { rows: [], ...(line.schema === undefined ? {} : { schema: line.schema }) };
      parts.push({ binding: kind.binding, name: line.name, part });
    } else if ("table" in line) parts.at(-1)?.part.rows.push([line.table, line.row] as StoredRow);
    else if ("end" in line) parts.at(-1)!.part.sequences = line.sequences;
  }
  return ok(parts);
}

function parsed(text: string): BackupLine | undefined {
  try {
    return JSON.parse(text) as BackupLine;
  } catch {
    return undefined;
  }
}

function owesEffects({ part }: Part): boolean {
  return part.rows.some(([table]) => table === "outbox");
}

function nameOf({ binding, name }: Part): ToWake {
  return { binding, name };
}

/** From here on, what objects number in the audit log may begin anew: they are back at an earlier moment. */
function restoredEntry(backup: string, at: number): AuditEntry {
  const what = { type: "backup.restored", source: "control", actor: { subject: PORTCULLIS } } as const;
  return { id: siblingId("evt", backup), at, ...what, data: { backup } };
}
