import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import type { Deliver, OutboxRow } from "../platform/outbox.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { tokenOfRule } from "../revocation/denied-token.ts";
import type { DenylistPort } from "../revocation/denylist-port.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Apply } from "./audit-notes.ts";
import type { CompactionStore } from "./compaction-store.ts";
import type { LogEntry } from "./entry.ts";
import type { LogStore } from "./log-store.ts";

export type CompactionOptions = {
  clock: Clock;
  rules: CompactionStore;
  log: Pick<LogStore, "entry" | "revocation">;
  durable: () => Pick<Durable, "commit" | "outbox" | "flush">;
  denylist: Pick<DenylistPort, "addBatch" | "removeBatch" | "publish">;
  /** Adds an entry to the log; called within a transaction. */
  apply: Apply;
  /** Rules for one token that replicas hold at most; beyond it the older half leaves. */
  maxRules?: number;
};

type Lift = Extract<LogEntry, { kind: "revocation.lifted" }>;
type SeqRange = { from_seq: number; to_seq: number };

/** About 14 MB of an isolate's memory, and 5 MB of the snapshot, which is one KV value. */
const MAX_RULES = 20_000;
const BATCH_RULES = 1_000;
const ACTOR = "portcullis";
/** One after the other: what is handed over first, the end of the move after it, lifts behind that. */
const LANE = "compaction";

/**
 * Keeps the number of rules that name one token bounded in the replicas, however many are made: the oldest are handed
 * to the list of denied tokens, and once the filter that knows them is in the log, an entry lets replicas drop them.
 * Their records stay where they are. All progress is in SQL and in outbox rows.
 */
export class Compaction {
  readonly #o: Required<CompactionOptions>;
  /** Rules that replicas hold, or a few more: what was lifted or is over is found out by counting. */
  #held: number | undefined;

  constructor(options: CompactionOptions) {
    this.#o = { maxRules: MAX_RULES, ...options };
  }

  readonly deliver: Deliver = {
    "denylist.take": (row) => this.#handOver(row.payload as SeqRange),
    "denylist.settle": () => this.#settle(),
    "denylist.release": (row) => this.#release(row.payload as Lift),
  };

  /** Begins a move where there are too many; called within the transaction that adds such a rule. */
  noteAdded(nowMs: number): void {
    const { rules, maxRules } = this.#o;
    const now = epochSeconds(nowMs);
    this.#held = this.#held === undefined ? rules.countInReplicas(now) : this.#held + 1;
    if (this.#held <= maxRules || rules.isMoving()) return;
    this.#held = rules.countInReplicas(now);
    if (this.#held <= maxRules) return;
    const seqs = rules.beginToMove(this.#held - Math.floor(maxRules / 2), now);
    for (let i = 0; i < seqs.length; i += BATCH_RULES) {
      const range: SeqRange = {
        from_seq: seqs[i]!,
        to_seq: seqs[Math.min(i + BATCH_RULES, seqs.length) - 1]!,
      };
      this.#put({ id: `compaction:take:${range.from_seq}`, kind: "denylist.take", payload: range });
    }
    this.#put({ id: `compaction:settle:${seqs.at(-1)}`, kind: "denylist.settle", payload: null });
    this.#held -= seqs.length;
  }

  /** Whether a lift has to go by {@link lift}. */
  hasLeft(revocationId: string): boolean {
    return this.#o.rules.hasLeft(revocationId);
  }

  /** Lifts a rule that left the replicas; the receipt comes once the filter without it is in the log. */
  async lift(entry: Lift): Promise<Result<Receipt>> {
    const { log } = this.#o;
    const durable = this.#o.durable();
    durable.commit(() => this.#put({ id: entry.id, kind: "denylist.release", payload: entry }));
    await durable.flush(LANE);
    const done = log.entry(entry.id);
    if (done) return ok(done.receipt);
    const detail = "The lift is stored, but the list of denied tokens does not answer. It goes on by itself.";
    return err(problem("unavailable", detail));
  }

  #put(row: Omit<OutboxRow, "lane">): void {
    this.#o.durable().outbox.put({ ...row, lane: LANE });
  }

  async #handOver({ from_seq, to_seq }: SeqRange): Promise<void> {
    const rules = this.#o.rules.moving(from_seq, to_seq);
    const tokens = rules.map((rule) => ({ ...tokenOfRule(rule), rule: rule.id }));
    unwrapped(await this.#o.denylist.addBatch({ tokens, actor: ACTOR, publish: false }));
  }

  /** Replicas drop the rules only by an entry that comes after the filter that knows them. */
  async #settle(): Promise<void> {
    await this.#published();
    const { clock, rules, apply } = this.#o;
    const nowMs = clock();
    this.#o.durable().commit((note) => {
      const ids = rules.moving().map(({ id }) => id);
      rules.endMove();
      for (let i = 0; i < ids.length; i += BATCH_RULES) {
        const entry = { id: newId("log", nowMs), kind: "rules.compacted" } as const;
        apply({ ...entry, ids: ids.slice(i, i + BATCH_RULES) }, nowMs, note);
      }
    });
  }

  async #release(entry: Lift): Promise<void> {
    const { clock, log, denylist, apply } = this.#o;
    const logged = log.revocation(entry.revocation_id);
    if (!logged || log.entry(entry.id)) return;
    const token = { ...tokenOfRule(logged.rule), rule: logged.rule.id };
    unwrapped(await denylist.removeBatch({ tokens: [token], actor: entry.actor, publish: true }));
    await this.#published();
    this.#o.durable().commit((note) => apply(entry, clock(), note));
  }

  /** Resolves when the log has a filter with everything that the list was told so far. */
  async #published(): Promise<void> {
    for (let upTo: number | undefined; ; ) {
      const step = unwrapped(await this.#o.denylist.publish(upTo));
      if (step.done) return;
      upTo = step.up_to;
    }
  }
}

/** In an outbox row what fails is thrown: the row is tried again. */
function unwrapped<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.detail);
  return result.value;
}
