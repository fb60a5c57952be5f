import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { LiveCount, LiveToken, OwnMatch } from "../revocation/live-token.ts";
import type { SessionQuery, SessionRecord } from "../revocation/session-record.ts";
import type { AccessRequest } from "./access-request.ts";
import { ADMISSION_SCHEMA, type Admission, AdmissionStore } from "./admission-store.ts";
import { DIRECTORY_MIGRATIONS, type DirectoryQuery, DirectoryStore } from "./directory-store.ts";
import { LIVE_TOKEN_SCHEMA, LiveTokenStore, RECOUNT } from "./live-token-store.ts";
import { type Enrolled, type NamesQuery, ROSTER_SCHEMA, RosterStore } from "./roster-store.ts";
import { SESSION_INDEX_SCHEMA, SessionIndexStore } from "./session-index-store.ts";

const PRUNE_INTERVAL_MS = 60_000;
/** What one alarm removes of tokens that are over; the next follows at once where there are more. */
const MAX_PRUNED_TOKENS = 50_000;
const MAX_PRUNED_SESSIONS = 10_000;

/**
 * The index (`main`) of access requests, grants and sessions, for lists, and of live access tokens, for counts; and
 * the names of objects that a backup must find.
 * The truth is in each request's and session's own object and in the tokens.
 */
export class DirectoryObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: DirectoryStore;
  readonly #admissions: AdmissionStore;
  readonly #liveTokens: LiveTokenStore;
  readonly #sessions: SessionIndexStore;
  readonly #roster: RosterStore;
  readonly #durable: Durable;
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, [RECOUNT]);
    this.#store = new DirectoryStore(ctx.storage.sql);
    this.#admissions = new AdmissionStore(ctx.storage.sql);
    this.#liveTokens = new LiveTokenStore(ctx.storage.sql);
    this.#sessions = new SessionIndexStore(ctx.storage.sql);
    this.#roster = new RosterStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: [
        ...DIRECTORY_MIGRATIONS,
        ADMISSION_SCHEMA,
        LIVE_TOKEN_SCHEMA,
        SESSION_INDEX_SCHEMA,
        ROSTER_SCHEMA,
      ],
      deliver: {},
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
  }

  put(request: AccessRequest, version: number): Result<null> {
    this.#durable.commit(() => this.#store.put(request, version));
    return ok(null);
  }

  list(query: DirectoryQuery): Result<AccessRequest[]> {
    return ok(this.#store.list(query, this.#now()));
  }

  /** Takes a request in under its rule's limits, before it is opened. `conflict` says which limit and until when. */
  admit(admission: Admission): Result<null> {
    return this.#durable.commit(() => this.#admissions.admit(admission, this.#now()));
  }

  /** Requests that time should have changed more than `seconds` ago: the cron wakes them. */
  overdue(seconds: number, limit: number): Result<string[]> {
    return ok(this.#store.overdue(this.#now() - seconds, limit));
  }

  reserve(key: string, bodyHash: string, candidateId: string): Result<string> {
    const known = this.#store.reservation(key);
    if (known) {
      if (known.bodyHash === bodyHash) return ok(known.id);
      return err(problem("idempotency_mismatch", "Use a new Idempotency-Key for a new body."));
    }
    this.#durable.commit(() => this.#store.reserve(key, bodyHash, candidateId, this.#now()));
    return ok(candidateId);
  }

  /** Records tokens that were issued; each counts once, however often it is told of. */
  putTokens(tokens: LiveToken[]): Result<null> {
    this.#durable.commit(() => this.#liveTokens.put(tokens, this.#now()));
    return ok(null);
  }

  /** What a revocation of our own tokens would cut, now. */
  countLive(match: OwnMatch, issuedBefore?: number): Result<LiveCount> {
    return ok(this.#liveTokens.count(match, issuedBefore, this.#now()));
  }

  /** Those of the ids that name a live token. */
  liveAmong(jtis: string[]): Result<string[]> {
    return ok(this.#liveTokens.among(jtis, this.#now()));
  }

  putSession(session: SessionRecord, version: number): Result<null> {
    this.#durable.commit(() => this.#sessions.put(session, version));
    return ok(null);
  }

  listSessions(query: SessionQuery): Result<SessionRecord[]> {
    return ok(this.#sessions.list(query, this.#now()));
  }

  overdueSessions(seconds: number, limit: number): Result<string[]> {
    return ok(this.#sessions.overdue(this.#now() - seconds, limit));
  }

  /** Notes whether the object of this name holds anything. */
  noteHolder(kind: Enrolled, name: string, holds: boolean): Result<null> {
    this.#durable.commit(() => (holds ? this.#roster.enrol(kind, name) : this.#roster.strike(kind, name)));
    return ok(null);
  }

  names(query: NamesQuery): Result<string[]> {
    return ok(this.#roster.names(query));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok({ ...(await this.#durable.sweep()), gauges: this.#store.gauges(this.#now()) });
  }

  #nextPruneMs(): number | undefined {
    const ends = [this.#liveTokens.earliestEnd(), this.#sessions.earliestForgotten()];
    const end = Math.min(...ends.filter((at) => at !== undefined));
    return end === Number.POSITIVE_INFINITY
      ? undefined
      : Math.max(end * 1000, this.#prunedAtMs + PRUNE_INTERVAL_MS);
  }

  #prune(nowMs: number): void {
    const next = this.#nextPruneMs();
    if (next === undefined || next > nowMs) return;
    const now = epochSeconds(nowMs);
    const all =
      this.#liveTokens.prune(now, MAX_PRUNED_TOKENS) < MAX_PRUNED_TOKENS &&
      this.#sessions.prune(now, MAX_PRUNED_SESSIONS) < MAX_PRUNED_SESSIONS;
    if (all) this.#prunedAtMs = nowMs;
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}
