import {
  AUDIT_EFFECT,
  AUDIT_OUTBOX_SCHEMA,
  AuditOutbox,
  type AuditSink,
  type TakeNote,
} from "./audit-outbox.ts";
import type { Clock } from "./clock.ts";
import { faultText, type Logger } from "./log.ts";
import { migrate } from "./migrations.ts";
import { type Deliver, OUTBOX_SCHEMA, Outbox } from "./outbox.ts";

export type DurableOptions = {
  clock: Clock;
  log: Logger;
  /** The object's own migrations; the outbox's come first. */
  migrations: readonly string[];
  deliver: Deliver;
  /** Where the changes of authority that it notes down go; absent in an object that makes none. */
  audit?: AuditSink;
  /** Effects that one pass of the outbox tries at most. */
  maxAttempts?: number;
  /** The longest pause between two attempts, before jitter; the outbox has a default. */
  longestRetryMs?: number;
  /** The earliest moment at which time itself changes the object, in epoch milliseconds. */
  nextDueMs?: () => number | undefined;
  /** What time changes; called by the alarm with everything that is due. */
  onDue?: (nowMs: number) => void | Promise<void>;
};

/** How an object was found by the cron: the effects that it still owes, and metrics of its own by their name with labels. */
export type Swept = { outbox_rows: number; gauges?: Record<string, number> };

/** Alarms in the past fire at once; this keeps a fault from becoming a busy loop. */
const ALARM_AFTER_FAULT_MS = 5_000;

/**
 * What every Durable Object of ours is made of: migrated SQLite, a transactional outbox and one alarm that
 * is always set to the earliest moment at which something is due.
 */
export class Durable {
  readonly outbox: Outbox;
  readonly #ctx: DurableObjectState;
  readonly #o: DurableOptions;
  readonly #note: TakeNote;
  /** While the alarm makes its changes, their effects are left to the drain that follows them. */
  #drainFollows = false;

  constructor(ctx: DurableObjectState, options: DurableOptions) {
    this.#ctx = ctx;
    this.#o = options;
    const { sql } = ctx.storage;
    migrate(ctx.storage, [OUTBOX_SCHEMA, AUDIT_OUTBOX_SCHEMA, ...options.migrations]);
    const deliver: Deliver = { ...options.deliver, [AUDIT_EFFECT]: () => notes.handOver() };
    this.outbox = new Outbox(sql, { ...options, deliver });
    const notes = new AuditOutbox(sql, this.outbox, options.clock, options.audit);
    this.#note = (note) => notes.note(note);
  }

  get sql(): SqlStorage {
    return this.#ctx.storage.sql;
  }

  /**
   * Runs one change of state: its rows, its events and its outbox rows in one transaction, the alarm in the
   * same commit, and then the first try of each effect, which does not hold up the answer. A change of authority
   * takes the note for the audit log that the change is given; a change that takes none is upkeep.
   */
  commit<T>(change: (note: TakeNote) => T): T {
    const value = this.#ctx.storage.transactionSync(() => change(this.#note));
    this.#arm();
    if (!this.#drainFollows) this.#ctx.waitUntil(this.#drain());
    return value;
  }

  /** Tries the effects of one lane at once and awaits them, for answers that must not be given before them. */
  async flush(lane: string): Promise<void> {
    await this.outbox.flush(lane, true);
    this.#arm();
  }

  /** The body of `alarm()`. Catches everything: the runtime drops an alarm for good after seven faults. */
  async alarm(): Promise<void> {
    try {
      await this.#change();
      await this.#drain();
    } catch (fault) {
      this.#o.log("error", "alarm.failed", { fault: faultText(fault) });
      await this.#ctx.storage.setAlarm(this.#o.clock() + ALARM_AFTER_FAULT_MS);
      this.#ctx.waitUntil(this.outbox.drain());
    }
  }

  /** Called by the cron: sets the alarm again if it was lost, and runs it if it is overdue. */
  async sweep(): Promise<Swept> {
    const due = this.#dueMs();
    if (due !== undefined && due < this.#o.clock()) await this.alarm();
    else this.#arm();
    return { outbox_rows: this.outbox.size() };
  }

  async #change(): Promise<void> {
    this.#drainFollows = true;
    try {
      await this.#o.onDue?.(this.#o.clock());
    } finally {
      this.#drainFollows = false;
    }
  }

  #dueMs(): number | undefined {
    const times = [this.outbox.nextDueMs(), this.#o.nextDueMs?.()].filter((at) => at !== undefined);
    return times.length ? Math.min(...times) : undefined;
  }

  #arm(): void {
    const due = this.#dueMs();
    // Not awaited: the write joins the commit of this turn, and the output gate waits for it.
    if (due === undefined) void this.#ctx.storage.deleteAlarm();
    else void this.#ctx.storage.setAlarm(due);
  }

  async #drain(): Promise<void> {
    await this.outbox.drain();
    this.#arm();
  }
}
