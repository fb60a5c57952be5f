import { auditSink, type TakeNote } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { type Clock, epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import { boundsOf } from "../policy/compiled.ts";
import type { RestorationState, ToWake } from "../protocol/backup.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { LONGEST_KV_RETRY_MS } from "../revocation/denylist.ts";
import type { DenylistPort } from "../revocation/denylist-port.ts";
import type { WouldCut } from "../revocation/live-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { RevocationPage, RevocationRecord } from "../revocation/record.ts";
import { hits, probeKeys, type Revocation, type TokenFacts } from "../revocation/rule.ts";
import type { RevocationSearch } from "../revocation/search.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import { type Apply, notesOf } from "./audit-notes.ts";
import { boundsAt, receiptFor, replaceBounds } from "./bounds.ts";
import { Compaction, type CompactionOptions } from "./compaction.ts";
import { CompactionStore } from "./compaction-store.ts";
import { checkDrift, type DriftReport } from "./drift.ts";
import { DriftStore } from "./drift-store.ts";
import type { Delta, LogEntry, Snapshot } from "./entry.ts";
import { KvProjection } from "./kv-projection.ts";
import { LOG_MIGRATIONS, LOG_RESTORING, LogStore } from "./log-store.ts";
import { ManifestStore } from "./manifest-store.ts";
import { PendingStore } from "./pending-store.ts";
import { type LoadedPage, Restoration } from "./restoration.ts";
import { RevocationBook } from "./revocation-book.ts";
import type { RevocationEvent } from "./revocation-events.ts";

const MAX_DELTA_ENTRIES = 1_000;
/** Revocations stay listed this long after no token can match them any more. */
const HISTORY_SECONDS = 30 * 86_400;
const PRUNE_INTERVAL_MS = 3_600_000;

export type LogLimits = Pick<CompactionOptions, "maxRules">;

/**
 * The ordered log through which every edge learns of revocations, keys and policy. One for a deployment
 * (`main`). Durable before it is acknowledged; its projections into KV are outbox rows.
 */
export class LogObject extends CausedObject {
  readonly #clock: Clock;
  readonly #store: LogStore;
  readonly #manifests: ManifestStore;
  readonly #durable: Durable;
  readonly #book: RevocationBook;
  readonly #compaction: Compaction;
  readonly #projection: KvProjection;
  readonly #restoration: Restoration;
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock, limits: LogLimits = {}) {
    super(ctx, env, LOG_RESTORING);
    this.#clock = clock;
    this.#store = new LogStore(ctx.storage.sql);
    this.#manifests = new ManifestStore(ctx.storage.sql);
    this.#restoration = new Restoration(ctx.storage.sql);
    const apply: Apply = (entry, nowMs, note) => this.#apply(entry, nowMs, note);
    this.#compaction = new Compaction({
      clock,
      rules: new CompactionStore(ctx.storage.sql),
      log: this.#store,
      durable: () => this.#durable,
      denylist: objectPort<DenylistPort>(env.DENYLIST, "main", { log: consoleLogger }),
      apply,
      ...limits,
    });
    this.#projection = new KvProjection({
      clock,
      kv: env.KV,
      store: this.#store,
      outbox: () => this.#durable.outbox,
    });
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: LOG_MIGRATIONS,
      longestRetryMs: LONGEST_KV_RETRY_MS,
      deliver: {
        ...this.#projection.deliver,
        ...this.#compaction.deliver,
        "webhook.publish": (row) => publishEvent(row.payload as RevocationEvent, publishPorts(env)),
      },
      audit: auditSink(env, () => "log"),
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
    this.#book = new RevocationBook({
      clock: this.#clock,
      log: consoleLogger,
      store: this.#store,
      pending: new PendingStore(ctx.storage.sql),
      durable: this.#durable,
      apply,
    });
  }

  /** Adds an entry, once for each id: a repeat answers the first receipt, another entry under the id is refused. */
  async append(entry: LogEntry): Promise<Result<Receipt>> {
    const closed = this.#restoration.problem();
    if (closed) return err(closed);
    const known = this.#store.entry(entry.id);
    if (known) {
      if (known.body === JSON.stringify(entry)) return ok(known.receipt);
      return err(problem("conflict", `The log holds another entry with the id ${entry.id}.`));
    }
    if (entry.kind === "filter.published") {
      const later = this.#manifests.laterThan(entry.filter);
      if (later) return err(problem("conflict", "The log holds a later filter.", { build: later }));
    }
    if (entry.kind === "revocation.lifted" && this.#compaction.hasLeft(entry.revocation_id)) {
      return this.#compaction.lift(entry);
    }
    return ok(this.#durable.commit((note) => this.#apply(entry, this.#clock(), note)));
  }

  since(seq: number): Result<Delta> {
    const closed = this.#restoration.problem();
    if (closed) return err(closed);
    const entries = this.#store.since(seq, MAX_DELTA_ENTRIES);
    return ok(entries ? { too_old: false, head_seq: this.#store.headSeq(), entries } : { too_old: true });
  }

  snapshot(): Result<Snapshot> {
    const closed = this.#restoration.problem();
    if (closed) return err(closed);
    return ok(this.#store.snapshot(this.#clock()));
  }

  revocation(id: string): Result<RevocationRecord> {
    return this.#book.read(id);
  }

  revocations(limit: number, cursor?: string, search?: RevocationSearch): Result<RevocationPage> {
    return this.#book.list(limit, cursor, search);
  }

  revocationReceipt(id: string): Result<Receipt> {
    return this.#book.receipt(id);
  }

  /**
   * The revocation that refuses one of these tokens, or null; read from the log itself. One that was made since
   * the moment counts also when it is over: a session lives longer than the token that it grew from.
   */
  hit(tokens: TokenFacts[], since: number): Result<Revocation | null> {
    const now = epochSeconds(this.#clock());
    for (const facts of tokens) {
      for (const key of probeKeys(facts)) {
        const found = this.#store
          .rulesSince(key, since, now)
          .find(({ expires_at: _over, ...rule }) => !rule.effect && hits(rule, facts, now));
        if (found) return ok(found);
      }
    }
    return ok(null);
  }

  propose(rule: Revocation, wouldCut: WouldCut, exact: boolean): Result<RevocationRecord> {
    return this.#book.propose(rule, wouldCut, exact);
  }

  confirm(id: string, actor: string, comment?: string): Result<Receipt> {
    return this.#book.confirm(id, actor, comment);
  }

  cancel(id: string, by: string, reason?: string): Result<RevocationRecord> {
    return this.#book.cancel(id, by, reason);
  }

  /** An import asks for no second person: webhook endpoints are told before it cuts anything. */
  announceImport(eventId: string, actor: string): Result<null> {
    this.#book.tellEmergencyImport(eventId, actor);
    return ok(null);
  }

  restoration(): Result<RestorationState | null> {
    return ok(this.#restoration.read());
  }

  beginRestoration(first: RestorationState): Result<RestorationState> {
    return this.#restoration.begin(first);
  }

  pageLoaded(page: LoadedPage): Result<RestorationState> {
    return this.#restoration.loaded(page);
  }

  /** What was restored is in force from now on. */
  openRestored(): Result<RestorationState | null> {
    return ok(this.#restoration.open(epochSeconds(this.#clock())));
  }

  toWake(limit: number): Result<ToWake[]> {
    return ok(this.#restoration.toWake(limit));
  }

  woken(objects: ToWake[]): Result<null> {
    this.#restoration.woken(objects);
    return ok(null);
  }

  finishRestoration(): Result<RestorationState | null> {
    return ok(this.#restoration.finish(epochSeconds(this.#clock())));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  /** Holds the next page of the KV denylist against the rules in force, and writes anew what differs. */
  async checkDrift(): Promise<Result<DriftReport>> {
    const now = epochSeconds(this.#clock());
    const store = new DriftStore(this.ctx.storage.sql);
    const report = await checkDrift(
      {
        kv: this.env.KV,
        logger: consoleLogger,
        keysAfter: (after, limit) => store.keysAfter(after, limit, now),
        under: (key) => store.under(key, now),
        cursor: (direction) => store.cursor(direction),
        setCursor: (direction, cursor) => store.setCursor(direction, cursor),
        repair: (keys) => this.#durable.commit(() => this.#projection.keys(keys)),
      },
      now,
    );
    return ok(report);
  }

  #apply(entry: LogEntry, nowMs: number, note: TakeNote): Receipt {
    const seq = this.#store.insertEntry(entry, nowMs);
    let lifted: Revocation | undefined;
    switch (entry.kind) {
      case "revocation.added":
        if (this.#store.insertRevocation(entry.rule, seq)) this.#compaction.noteAdded(nowMs);
        this.#projection.denylist(entry.rule.match);
        break;
      case "revocation.lifted":
        lifted = this.#lift(entry, nowMs);
        break;
      case "keys.changed":
        this.#store.setState("keys", entry.keys);
        if (entry.rule) this.#store.insertRevocation(entry.rule, seq);
        this.#projection.denylist(entry.rule?.match);
        break;
      case "filter.published":
        this.#manifests.put(entry.id, entry.filter, seq);
        break;
      case "policy.activated": {
        const { id: _id, kind: _kind, ...policy } = entry;
        this.#store.setState("policy", policy);
        this.#store.setState(
          "bounds",
          replaceBounds(this.#store.bounds(), boundsOf(policy.document.routes), nowMs),
        );
        break;
      }
    }
    this.#projection.snapshot();
    const receipt = receiptFor(entry.id, seq, nowMs, boundsAt(this.#store.bounds(), nowMs));
    this.#store.setReceipt(seq, receipt);
    for (const each of notesOf(entry, lifted)) note(each);
    if (entry.kind === "revocation.added") this.#book.tellCreated(entry.id, receipt, nowMs);
    if (entry.kind === "keys.changed" && entry.rule) this.#book.tellCreated(entry.rule.id, receipt, nowMs);
    if (entry.kind === "revocation.lifted" && lifted)
      this.#book.tellLifted(entry.revocation_id, receipt, nowMs);
    return receipt;
  }

  /** The rule where it was in force until now. */
  #lift(entry: Extract<LogEntry, { kind: "revocation.lifted" }>, nowMs: number): Revocation | undefined {
    const { revocation_id: id, actor, reason } = entry;
    const lifted = this.#store.liftRevocation(id, actor, reason, epochSeconds(nowMs));
    const rule = this.#store.revocation(id)?.rule;
    this.#projection.denylist(rule?.match);
    return lifted ? rule : undefined;
  }

  #nextPruneMs(): number | undefined {
    const earliest = this.#store.earliestExpiry();
    if (earliest === undefined) return undefined;
    return Math.max((earliest + HISTORY_SECONDS) * 1000, this.#prunedAtMs + PRUNE_INTERVAL_MS);
  }

  #prune(nowMs: number): void {
    if ((this.#nextPruneMs() ?? Number.POSITIVE_INFINITY) > nowMs) return;
    this.#prunedAtMs = nowMs;
    this.#store.deleteExpiredBefore(epochSeconds(nowMs) - HISTORY_SECONDS);
  }
}
