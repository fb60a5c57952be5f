import type { AuditNote } from "../platform/audit-outbox.ts";
import { newId } from "../platform/ids.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import type { AuditPolicy } from "../policy/audit-policy.ts";
import { type AuditEntry, type DisclosedMember, PORTCULLIS } from "../protocol/audit-record.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import type { AuditLog } from "./audit-log.ts";
import type { AuditStore, CheckpointRow } from "./audit-store.ts";
import type { RefusalStore } from "./refusal-store.ts";

export type UpkeepOptions = {
  store: AuditStore;
  refusals: RefusalStore;
  log: AuditLog;
  /** What the policy in force says of the audit log. */
  policy(): AuditPolicy;
  /** An entry of the audit log's own. */
  entry(note: AuditNote, nowMs: number): AuditEntry;
  /** Runs a change in a transaction. */
  commit(change: () => void): void;
  put(row: OutboxRow): void;
};

/** The same refusal of the same caller is recorded once in this time, and counted. */
const REPEAT_SECONDS = 60;
/** Records that one transaction takes the text of. */
const PRUNE_BATCH = 1_000;
const ERASE_BATCH = 200;
const DAY_SECONDS = 86_400;
/** Checkpoints that are older stay one a day. */
const ALL_CHECKPOINTS_SECONDS = DAY_SECONDS;

/** The KV key of the newest checkpoint; one of each day stands beside it under `<key>:<date>`. */
const CHECKPOINT_KEY = "audit:checkpoint";

/** Who names a person in `actor` also says where they were and what they wrote. */
const GOES_WITH: Record<DisclosedMember, DisclosedMember[]> = {
  actor: ["actor", "from", "reason"],
  about: ["about", "reason"],
  reason: ["reason"],
  from: ["from"],
};

/** What time and operators do to the audit log: anchors, retention, erasure, refusals that repeat. */
export class AuditUpkeep {
  readonly #o: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.#o = options;
  }

  nextDueMs(): number | undefined {
    const times = [this.#anchorDue(), this.#pruneDue(), this.#o.refusals.nextEnd()];
    const known = times.filter((at) => at !== undefined);
    return known.length ? 1000 * Math.min(...known) : undefined;
  }

  async onDue(nowMs: number): Promise<void> {
    const now = Math.floor(nowMs / 1000);
    await this.#endRefusals(nowMs);
    if ((this.#pruneDue() ?? Infinity) <= now) await this.#prune(nowMs);
    if ((this.#anchorDue() ?? Infinity) <= now) await this.#anchor(nowMs);
  }

  /** Records a refused call, or counts it with the one before. */
  async refused(entry: AuditEntry, nowSeconds: number): Promise<void> {
    const { refusals, log } = this.#o;
    const key = JSON.stringify([entry.actor?.subject, entry.call, entry.data]);
    let counted = false;
    this.#o.commit(() => {
      counted = refusals.repeat(key, nowSeconds);
    });
    if (counted) return;
    await log.append(
      () => [entry],
      () => refusals.open(key, entry, nowSeconds + REPEAT_SECONDS),
    );
  }

  /** Takes away every word about a subject. The log stays whole: it commits to salted hashes of them. */
  async erase(subject: string, reason: string, nowMs: number): Promise<Result<{ records: number }>> {
    const { store, log } = this.#o;
    let records = 0;
    for (let found = store.naming(subject, 1); found.length > 0; found = store.naming(subject, 1)) {
      let batch: ReturnType<AuditStore["naming"]> = [];
      const erased = await log.append(
        () => {
          batch = store.naming(subject, ERASE_BATCH);
          const members = namesOf(batch, store);
          return members.length ? [this.#o.entry(noteOfErasure(members, reason), nowMs)] : [];
        },
        () => {
          for (const { seq, member } of batch) store.erase(seq, GOES_WITH[member]);
        },
      );
      if (erased === 0 && batch.length === 0) break;
      records += new Set(batch.map(({ seq }) => seq)).size;
    }
    return records > 0 ? ok({ records }) : err(problem("not_found", "No record names this subject."));
  }

  #anchorDue(): number | undefined {
    const { store, policy } = this.#o;
    if (store.size() <= (store.state<number>("anchored_size") ?? 0)) return undefined;
    return (store.state<number>("anchored_at") ?? 0) + policy().checkpoint_seconds;
  }

  async #anchor(nowMs: number): Promise<void> {
    const { store, log, commit, put } = this.#o;
    const now = Math.floor(nowMs / 1000);
    const made = await log.checkpoint(now);
    if (!made.ok) throw new Error(made.error.detail);
    commit(() => {
      store.setState("anchored_size", made.value.size);
      store.setState("anchored_at", now);
      store.thinCheckpoints(now - ALL_CHECKPOINTS_SECONDS);
      for (const row of anchorsOf(made.value, nowMs)) put(row);
    });
  }

  /** When the oldest record that has its text is old enough to lose it. */
  #pruneDue(): number | undefined {
    const { store, policy } = this.#o;
    const { retain_days: days } = policy();
    const at = days === undefined ? undefined : store.atOf(store.state<number>("pruned_before") ?? 0);
    // A day later: what is old enough goes together, once a day.
    return at === undefined ? undefined : at + (days! + 1) * DAY_SECONDS;
  }

  async #prune(nowMs: number): Promise<void> {
    const { store, log, policy } = this.#o;
    const cutoff = Math.floor(nowMs / 1000) - policy().retain_days! * DAY_SECONDS;
    const from = store.state<number>("pruned_before") ?? 0;
    const before = store.firstSince(from, cutoff, PRUNE_BATCH);
    const note: AuditNote = { type: "audit.pruned", by: PORTCULLIS, data: { before } };
    await log.append(
      () => [this.#o.entry(note, nowMs)],
      () => {
        store.prune(from, before);
        store.setState("pruned_before", before);
      },
    );
  }

  async #endRefusals(nowMs: number): Promise<void> {
    const { refusals, log } = this.#o;
    const now = Math.floor(nowMs / 1000);
    if ((refusals.nextEnd() ?? Infinity) > now) return;
    await log.append(
      () =>
        refusals
          .ended(now)
          .filter(({ repeats }) => repeats > 0)
          .map(({ entry, repeats }) => ({
            ...entry,
            ...{ id: newId("evt", nowMs), at: now, data: { ...entry.data, repeated: repeats } },
          })),
      () => refusals.close(now),
    );
  }
}

function noteOfErasure(members: string[], reason: string): AuditNote {
  return { type: "audit.erased", reason, data: { members } };
}

/** `<seq>.<member>` of everything that says something and goes. */
function namesOf(batch: ReturnType<AuditStore["naming"]>, store: AuditStore): string[] {
  const names = batch.flatMap(({ seq, member }) =>
    store.disclosed(seq, GOES_WITH[member]).map((gone) => `${seq}.${gone}`),
  );
  return [...new Set(names)];
}

function anchorsOf({ size, note }: CheckpointRow, nowMs: number): OutboxRow[] {
  const timestamp = new Date(nowMs).toISOString();
  const keys = [CHECKPOINT_KEY, `${CHECKPOINT_KEY}:${timestamp.slice(0, 10)}`];
  const event: WebhookEvent & { type: EventType } = {
    ...{ id: newId("evt", nowMs), type: "audit.checkpoint", timestamp },
    data: { size, checkpoint: note },
  };
  return [
    ...keys.map((key) => ({ id: `kv:${key}`, lane: "kv:audit", kind: "kv.put", payload: { key, note } })),
    { id: event.id, lane: "events", kind: "webhook.publish", payload: event },
  ];
}
