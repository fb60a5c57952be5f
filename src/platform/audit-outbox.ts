import {
  type AuditActor,
  type AuditEntry,
  type AuditType,
  PORTCULLIS,
  TIME,
} from "../protocol/audit-record.ts";
import type { Json } from "../protocol/json.ts";
import type { Result } from "../protocol/result.ts";
import { type Cause, currentCause } from "./cause.ts";
import { type Clock, epochSeconds } from "./clock.ts";
import { newId } from "./ids.ts";
import { consoleLogger } from "./log.ts";
import type { Outbox } from "./outbox.ts";
import { type Namespace, objectPort } from "./rpc.ts";

/** A change of authority, as the object that makes it notes it down. Who called, and from where, is added. */
export type AuditNote = {
  type: AuditType;
  /** Who did it, where that is not who called: a person whose review came signed, `time`, `portcullis`. */
  by?: string;
  /** The person or client that it is about. */
  about?: string;
  /** As it was given. */
  reason?: string;
  /** Ids, names of the policy and numbers: what is personal has no place here. */
  data?: { [member: string]: Json | undefined };
};

/** Notes a change of authority down, in the transaction that makes it. */
export type TakeNote = (note: AuditNote) => void;

/** Who takes the entries of an object, and under which name: `registry`, `access_request/req_…`. */
export type AuditSink = {
  source: () => string;
  port: { append(entries: AuditEntry[]): Promise<Result<null>> };
};

/** The audit log as an object that notes changes down reaches it. */
export function auditSink(env: { AUDIT: Namespace }, source: () => string): AuditSink {
  return { source, port: objectPort<AuditSink["port"]>(env.AUDIT, "main", { log: consoleLogger }) };
}

/** Appended to the migrations of every object: its entries, numbered without a gap, until the audit log has them. */
export const AUDIT_OUTBOX_SCHEMA = `
  CREATE TABLE audit_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    entry TEXT NOT NULL
  );
`;

export const AUDIT_EFFECT = "audit.append";

/** Entries that one call hands over. */
const BATCH = 100;

/** The audit entries of one object, from its transaction to the audit log: in order, each at least once. */
export class AuditOutbox {
  readonly #sql: SqlStorage;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #sink: AuditSink | undefined;

  constructor(sql: SqlStorage, outbox: Outbox, clock: Clock, sink: AuditSink | undefined) {
    this.#sql = sql;
    this.#outbox = outbox;
    this.#clock = clock;
    this.#sink = sink;
  }

  /** To be called in the transaction of the change: without the note, there is no change. */
  note(note: AuditNote): void {
    if (!this.#sink) throw new Error(`"${note.type}" is noted by an object that has no audit sink`);
    const nowMs = this.#clock();
    const entry = auditEntry(note, this.#sink.source(), newId("evt", nowMs), epochSeconds(nowMs));
    this.#sql.exec("INSERT INTO audit_outbox (entry) VALUES (?)", JSON.stringify(entry));
    this.#outbox.put({ id: "audit", lane: "audit", kind: AUDIT_EFFECT, payload: null });
  }

  /** The delivery of the outbox's row: hands over everything that waits. */
  async handOver(): Promise<void> {
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) {
      const taken = await this.#sink!.port.append(batch.map(({ entry }) => entry));
      if (!taken.ok) throw new Error(taken.error.detail);
      this.#sql.exec("DELETE FROM audit_outbox WHERE seq <= ?", batch.at(-1)!.seq);
    }
  }

  #next(): { seq: number; entry: AuditEntry }[] {
    return this.#sql
      .exec<{ seq: number; entry: string }>("SELECT seq, entry FROM audit_outbox ORDER BY seq LIMIT ?", BATCH)
      .toArray()
      .map(({ seq, entry }) => ({ seq, entry: { ...JSON.parse(entry), source_seq: seq } }));
  }
}

/** The note with who caused it and from where. */
export function auditEntry(note: AuditNote, source: string, id: string, at: number): AuditEntry {
  const { type, by, about, reason, data } = note;
  // What happens by itself has no caller, also where a call is what made us see to it.
  const cause = by === TIME || by === PORTCULLIS ? undefined : currentCause();
  return {
    ...{ id, at, type, source },
    actor: actorOf(by, cause),
    ...(about === undefined ? {} : { about }),
    ...(reason === undefined ? {} : { reason }),
    ...(cause ? { request_id: cause.request_id, call: cause.call } : {}),
    ...(cause?.from ? { from: cause.from } : {}),
    ...(data ? { data: data as NonNullable<AuditEntry["data"]> } : {}),
  };
}

/** Where somebody else is named than who called, nothing of the caller's token is theirs. */
function actorOf(by: string | undefined, cause: Cause | undefined): AuditActor {
  const caller = cause?.actor;
  if (caller && (by === undefined || by === caller.subject)) return caller;
  return { subject: by ?? PORTCULLIS };
}
