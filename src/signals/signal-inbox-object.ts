import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import { type EndSessionsPorts, endSessions } from "../tokens/end-sessions.ts";
import type { BrowserSessionPort, SessionListPort } from "../tokens/session-ports.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import {
  endingOf,
  isSame,
  recordOf,
  ruleOf,
  type SessionEnding,
  type Signal,
  type SignalRecord,
  signalNote,
} from "./signal.ts";
import { SIGNAL_INBOX_MIGRATIONS, SignalInboxStore } from "./signal-inbox-store.ts";

/** `repeated`: it came before, and changed nothing now. */
export type Received = { signal: SignalRecord; repeated: boolean };
export type SignalQuery = { limit: number; cursor?: string };

type LogEntry =
  | { id: string; kind: "revocation.added"; rule: Revocation }
  | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string; reason: string };
type LogPort = { append(entry: LogEntry): Promise<Result<Receipt>> };
type DirectoryPort = SessionListPort & {
  noteHolder(kind: "signal_inboxes", name: string, holds: boolean): Promise<Result<null>>;
};
type Ending = { whose: SessionEnding; rule: Revocation };

/** Longer than the oldest token that any policy takes: one that is forgotten is too old to count again. */
const KEPT_SECONDS = 30 * 86_400;
const PRUNE_INTERVAL_MS = 3_600_000;

/**
 * What one transmitter has told (name: its `iss`): each token once, by its `jti`. What follows from it is committed
 * with it, and it is acknowledged when the log has it.
 */
export class SignalInboxObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: SignalInboxStore;
  readonly #durable: Durable;
  readonly #log: LogPort;
  readonly #directory: DirectoryPort;
  readonly #sessions: EndSessionsPorts;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const log = consoleLogger;
    this.#store = new SignalInboxStore(ctx.storage.sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log });
    this.#directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log });
    this.#sessions = {
      directory: this.#directory,
      session: (id) => objectPort<BrowserSessionPort>(env.SESSION, id, { log }),
    };
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log,
      migrations: SIGNAL_INBOX_MIGRATIONS,
      deliver: {
        "log.append": (row) => this.#append(row),
        "directory.holder": (row) => this.#tellDirectory(row.payload as string),
        "sessions.end": (row) => this.#endSessions(row.payload as Ending),
        "webhook.publish": (row) =>
          publishEvent(row.payload as WebhookEvent & { type: EventType }, publishPorts(env)),
      },
      audit: auditSink(env, () => `signals/${ctx.id}`),
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
  }

  /** Takes a signal and answers when the log has what follows from it; the same again is only waited for. */
  async receive(signal: Signal): Promise<Result<Received>> {
    const known = this.#store.find(signal.via, signal.jti);
    if (known && !isSame(known, signal)) {
      return err(problem("conflict", "The jti was used before, for something else."));
    }
    const repeated = known !== undefined && !this.#store.owes(known.id);
    const record = known ?? this.#take(signal);
    if (this.#store.owes(record.id)) await this.#durable.flush("log");
    if (!this.#store.owes(record.id)) return ok({ signal: record, repeated });
    const detail = "The signal is stored, but the log that tells the edges did not answer. Send it again.";
    return err(problem("unavailable", detail));
  }

  /** Newest first. */
  list({ limit, cursor }: SignalQuery): Result<SignalRecord[]> {
    return ok(this.#store.list(limit, cursor));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  /** The cron's visit. Nothing in here is sealed. */
  async sweep(): Promise<Result<{ rewrapped: number }>> {
    await this.#durable.sweep();
    return ok({ rewrapped: 0 });
  }

  #take(signal: Signal): SignalRecord {
    const nowMs = this.#clock();
    const now = epochSeconds(nowMs);
    const record = recordOf(signal, newId("sig", nowMs), now);
    const rule = ruleOf(signal, newId("rev", nowMs), now);
    return this.#durable.commit((note) => {
      if (rule) {
        record.revocation_id = rule.id;
        this.#putEntry(record.id, { id: rule.id, kind: "revocation.added", rule });
        if (!rule.effect) this.#putEnding(rule);
      }
      if (signal.action === "restore_subject") record.lifted = this.#lift(record, signal);
      if (this.#store.list(1, undefined).length === 0) this.#putHolder();
      const bans = rule !== undefined && rule.expires_at === undefined;
      this.#store.insert(record, bans ? rule.match.sub : undefined);
      if (signal.action !== "ignore") {
        this.#tell(record, nowMs);
        note(signalNote(record));
      }
      return record;
    });
  }

  /** Lifts what this transmitter had banned of the subject, and nothing that anybody else did. */
  #lift({ id, subject }: SignalRecord, { actor, event }: Signal): string[] {
    if (subject === undefined) return [];
    const bans = this.#store.bansOf(subject).map(({ revocation_id }) => revocation_id);
    for (const revocation_id of bans) {
      const entry = { id: newId("log", this.#clock()), kind: "revocation.lifted", revocation_id } as const;
      this.#putEntry(id, { ...entry, actor, reason: `${event} from ${actor}.` });
    }
    this.#store.forgetBans(subject);
    return bans;
  }

  #putEnding(rule: Revocation): void {
    const row = { id: `end:${rule.id}`, lane: "sessions", kind: "sessions.end" };
    this.#durable.outbox.put({ ...row, payload: endingOf(rule) });
  }

  /** The first signal tells the directory that there is this inbox. */
  #putHolder(): void {
    const row = { id: "holder", lane: "directory", kind: "directory.holder" };
    this.#durable.outbox.put({ ...row, payload: this.ctx.id.name });
  }

  async #tellDirectory(issuer: string): Promise<void> {
    const told = await this.#directory.noteHolder("signal_inboxes", issuer, true);
    if (!told.ok) throw new Error(told.error.detail);
  }

  #putEntry(signalId: string, entry: LogEntry): void {
    this.#store.owe(entry.id, signalId);
    this.#durable.outbox.put({ id: entry.id, lane: "log", kind: "log.append", payload: entry });
  }

  #tell(signal: SignalRecord, nowMs: number): void {
    const id = newId("evt", nowMs);
    const timestamp = new Date(nowMs).toISOString();
    const payload: WebhookEvent = { id, type: "signal.received", timestamp, data: { signal } };
    this.#durable.outbox.put({ id, lane: "events", kind: "webhook.publish", payload });
  }

  async #append(row: OutboxRow): Promise<void> {
    const entry = row.payload as LogEntry;
    const receipt = await this.#log.append(entry);
    if (!receipt.ok) throw new Error(receipt.error.detail);
    this.#store.settle(entry.id);
  }

  async #endSessions({ whose, rule }: Ending): Promise<void> {
    const ended = await endSessions(whose, rule, this.#sessions);
    if (!ended.ok) throw new Error(ended.error.detail);
  }

  #nextPruneMs(): number | undefined {
    const oldest = this.#store.oldestAt();
    return oldest === undefined ? undefined : (oldest + KEPT_SECONDS) * 1000 + PRUNE_INTERVAL_MS;
  }

  #prune(nowMs: number): void {
    this.#store.deleteReceivedBefore(epochSeconds(nowMs) - KEPT_SECONDS);
  }
}
