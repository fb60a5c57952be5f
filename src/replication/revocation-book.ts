import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import type { Logger } from "../platform/log.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { WouldCut } from "../revocation/live-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import {
  CONFIRMATION_SECONDS,
  type Proposal,
  presentLogged,
  presentProposal,
  proposalState,
  type RevocationPage,
  type RevocationRecord,
} from "../revocation/record.ts";
import { PROBE_ACTOR, type Revocation } from "../revocation/rule.ts";
import { isLike, type RevocationSearch } from "../revocation/search.ts";
import { type Apply, aboutRule } from "./audit-notes.ts";
import type { LogStore } from "./log-store.ts";
import type { PendingStore, Position } from "./pending-store.ts";
import {
  confirmationNeededEvent,
  createdEvents,
  emergencyImportEvent,
  liftedEvent,
} from "./revocation-events.ts";

export type RevocationBookOptions = {
  clock: Clock;
  log: Logger;
  store: LogStore;
  pending: PendingStore;
  durable: Pick<Durable, "commit" | "outbox">;
  /** Adds an entry to the log; called within a transaction. */
  apply: Apply;
};

/** A revocation and where it stands in lists. */
type Placed = { position: Position; record: RevocationRecord };

/** More that wait at the same time are a fault of whoever sends them. */
const MAX_OPEN_PROPOSALS = 1_000;
/** What was not confirmed stays listed this long. */
const KEPT_SECONDS = 30 * 86_400;
/** A search reads so many rows at a time, and so many for one page: the log has others to answer. */
const SEARCH_READ = 200;
const MAX_SEARCHED = 2_000;
const NEWEST: Position = { seq: Number.MAX_SAFE_INTEGER, id: "" };

/** Revocations as people handle them: those in the log and those that wait for a second person. */
export class RevocationBook {
  readonly #o: RevocationBookOptions;

  constructor(options: RevocationBookOptions) {
    this.#o = options;
  }

  read(id: string): Result<RevocationRecord> {
    const logged = this.#o.store.revocation(id);
    if (logged) return ok(presentLogged(logged, this.#now()));
    const proposal = this.#o.pending.read(id);
    return proposal ? ok(presentProposal(proposal, this.#now())) : notFound(id);
  }

  /** What acknowledged a revocation that is, or was, in force. */
  receipt(id: string): Result<Receipt> {
    const receipt = this.#o.store.revocationReceipt(id);
    return receipt ? ok(receipt) : notFound(id);
  }

  /**
   * Newest first; a proposal stands where it was made. A search looks at a bounded number of them, so that its page
   * may be short, or empty, and others follow.
   */
  list(limit: number, cursor?: string, search?: RevocationSearch): Result<RevocationPage> {
    const before = cursor === undefined ? NEWEST : positionOf(cursor);
    if (!before) return err(problem("invalid_request", "cursor: take it from next_cursor as it is."));
    const items: RevocationRecord[] = [];
    const most = search ? MAX_SEARCHED : limit;
    let searched = 0;
    let last: Position | undefined;
    for (const { position, record } of this.#before(before, search ? SEARCH_READ : limit)) {
      searched++;
      if (!search || isLike(record, search)) items.push(record);
      if (items.length < limit && searched < most) continue;
      last = position;
      break;
    }
    const next = last ? { next_cursor: `${last.seq}.${last.id}` } : {};
    return ok({ items, ...next, ...(search ? { searched } : {}) });
  }

  /** All before the position, newest first, read so many at a time. */
  *#before(position: Position, readSize: number): Generator<Placed> {
    const now = this.#now();
    for (let before = position; ; ) {
      const rows = this.#read(before, readSize, now);
      yield* rows;
      if (rows.length < readSize) return;
      before = rows[readSize - 1]!.position;
    }
  }

  #read(before: Position, limit: number, now: number): Placed[] {
    const logged = this.#o.store.listRevocations(limit, before).map((each) => ({
      position: { seq: each.seq, id: each.rule.id },
      record: presentLogged(each, now),
    }));
    const proposed = this.#o.pending.list(limit, before).map(({ seq, proposal }) => ({
      position: { seq, id: proposal.rule.id },
      record: presentProposal(proposal, now),
    }));
    return [...logged, ...proposed]
      .sort((a, b) => b.position.seq - a.position.seq || (a.position.id < b.position.id ? 1 : -1))
      .slice(0, limit);
  }

  /** Keeps a rule back until a second person confirms it. Idempotent by its id. */
  propose(rule: Revocation, wouldCut: WouldCut, exact: boolean): Result<RevocationRecord> {
    const { store, pending, durable } = this.#o;
    const known = this.read(rule.id);
    if (known.ok) return known;
    const nowMs = this.#o.clock();
    if (pending.countOpen(this.#now()) >= MAX_OPEN_PROPOSALS) {
      const detail = `${MAX_OPEN_PROPOSALS} revocations await confirmation already: confirm or cancel some first.`;
      return err(problem("conflict", detail));
    }
    const expires_at = this.#now() + CONFIRMATION_SECONDS;
    const proposal: Proposal = { rule, would_cut: wouldCut, exact, expires_at };
    durable.commit((note) => {
      pending.deleteExpiredBefore(this.#now() - KEPT_SECONDS);
      pending.insert(proposal, store.headSeq());
      durable.outbox.put(confirmationNeededEvent(proposal, nowMs));
      note({ ...aboutRule("revocation.proposed", rule), by: rule.actor, reason: rule.reason });
    });
    return ok(presentProposal(proposal, this.#now()));
  }

  /** Puts a proposed rule into force. `forbidden` for who proposed it; a repeat answers the first receipt. */
  confirm(id: string, actor: string, comment?: string): Result<Receipt> {
    const { pending, durable } = this.#o;
    const proposal = pending.read(id);
    if (!proposal) return this.#confirmed(id, actor);
    const closed = this.#closed(proposal);
    if (closed) return closed;
    if (proposal.rule.actor === actor) {
      return err(problem("forbidden", "You proposed this revocation: another person has to confirm it."));
    }
    const nowMs = this.#o.clock();
    const at = epochSeconds(nowMs);
    const confirmation = { actor, at, ...(comment === undefined ? {} : { comment }) };
    const rule: Revocation = { ...proposal.rule, confirmation };
    if (rule.expires_at !== undefined && rule.expires_at <= at) {
      return err(problem("gone", "The revocation's own expires_at has passed: make a new one."));
    }
    return durable.commit((note) => {
      pending.remove(id);
      return ok(this.#o.apply({ id, kind: "revocation.added", rule }, nowMs, note));
    });
  }

  /** Gives a proposal up. */
  cancel(id: string, by: string, reason?: string): Result<RevocationRecord> {
    const { pending, durable } = this.#o;
    const proposal = pending.read(id);
    if (!proposal) return notFound(id);
    const closed = this.#closed(proposal);
    if (closed) return closed;
    const cancelled = { at: this.#now(), by, ...(reason === undefined ? {} : { reason }) };
    durable.commit((note) => {
      pending.cancel(id, cancelled);
      const why = reason === undefined ? {} : { reason };
      note({ ...aboutRule("revocation.cancelled", proposal.rule), by, ...why });
    });
    return this.read(id);
  }

  /** Records what acknowledged a new revocation, and tells of it; called within the transaction that adds it. */
  tellCreated(id: string, receipt: Receipt, nowMs: number): void {
    const { store, durable } = this.#o;
    store.setRevocationReceipt(id, receipt);
    const logged = store.revocation(id);
    if (!logged || logged.rule.actor === PROBE_ACTOR) return;
    const { actor, emergency } = logged.rule;
    if (emergency) this.#o.log("warn", "revocation.emergency", { id, actor, seq: logged.seq });
    for (const row of createdEvents(logged, receipt, nowMs)) durable.outbox.put(row);
  }

  /** Tells everybody of an import in an emergency, once for each event id. */
  tellEmergencyImport(eventId: string, actor: string): void {
    this.#o.log("warn", "revocation.emergency_import", { event: eventId, actor });
    const row = emergencyImportEvent(eventId, actor, this.#o.clock());
    this.#o.durable.commit((note) => {
      this.#o.durable.outbox.put(row);
      note({ type: "revocation.emergency_import", by: actor, data: { event: eventId } });
    });
  }

  tellLifted(id: string, receipt: Receipt, nowMs: number): void {
    const logged = this.#o.store.revocation(id);
    if (logged) this.#o.durable.outbox.put(liftedEvent(logged, receipt, nowMs));
  }

  #confirmed(id: string, actor: string): Result<Receipt> {
    const logged = this.#o.store.revocation(id);
    if (!logged) return notFound(id);
    if (logged.rule.confirmation?.actor === actor) return this.receipt(id);
    return err(problem("conflict", "This revocation is in the log already: nothing is left to confirm."));
  }

  #closed(proposal: Proposal): Result<never> | undefined {
    const state = proposalState(proposal, this.#now());
    if (state === "awaiting_confirmation") return undefined;
    const how = state === "cancelled" ? "was cancelled" : "was not confirmed in time";
    return err(problem("gone", `This revocation ${how}: make a new one.`));
  }

  #now(): number {
    return epochSeconds(this.#o.clock());
  }
}

function positionOf(cursor: string): Position | undefined {
  const [, seq, id] = /^(\d{1,15})\.(.{1,64})$/.exec(cursor) ?? [];
  return seq === undefined || id === undefined ? undefined : { seq: Number(seq), id };
}

function notFound(id: string): Result<never> {
  return err(problem("not_found", `There is no revocation ${id}.`));
}
