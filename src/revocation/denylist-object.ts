import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { type Clock, epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort, withTimeout } from "../platform/rpc.ts";
import { PORTCULLIS } from "../protocol/audit-record.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { distinctDenials } from "./denied-token.ts";
import { LONGEST_KV_RETRY_MS } from "./denylist.ts";
import type { BatchOutcome, DenialBatch, DenylistStatus, PublicationStep } from "./denylist-port.ts";
import { DenylistProjection } from "./denylist-projection.ts";
import {
  type Cursor,
  DENYLIST_MIGRATIONS,
  DENYLIST_RESTORING,
  DenylistStore,
  rangeOfPart,
  type TokenPage,
} from "./denylist-store.ts";
import type { FilterManifest } from "./filter.ts";
import { FilterJob } from "./filter-job.ts";
import { FILTER_MIGRATIONS, FilterStore } from "./filter-store.ts";
import { PublicationState } from "./publication-state.ts";
import type { Receipt } from "./receipt.ts";
import { RestoreGuard } from "./restore-guard.ts";
import { MAX_TOKEN_LIFE_SECONDS } from "./rule.ts";

export type FilterEntry = { id: string; kind: "filter.published"; filter: FilterManifest };
type LogPort = { append(entry: FilterEntry): Promise<Result<Receipt>> };
type Publication = { covers: number; entry: FilterEntry };

/** Parts that one invocation builds: a few tenths of a second. */
const PARTS_A_RUN = 4;
/** How long a publication waits for KV to have its parts; an edge that misses one there asks here. */
const KV_HEAD_START_MS = 3_000;
const EXPIRY_INTERVAL_MS = 3_600_000;
/** A part is built anew when one in so many of its entries is gone. */
const REBUILD_SHARE = 16;
/** An edge may still be loading parts of the manifest before. */
const SUPERSEDED_MS = 10 * 60_000;

/**
 * Denied tokens by the million (`main`). Durable before it is acknowledged; an edge learns of them by a filter,
 * which one log entry makes effective, and confirms what the filter suspects in here.
 */
export class DenylistObject extends CausedObject {
  readonly #clock: Clock;
  readonly #tokens: DenylistStore;
  readonly #state: PublicationState;
  readonly #parts: FilterStore;
  readonly #durable: Durable;
  readonly #restore: RestoreGuard;
  readonly #projection: DenylistProjection;
  readonly #job: FilterJob;
  readonly #log: LogPort;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock) {
    super(ctx, env, DENYLIST_RESTORING);
    this.#clock = clock;
    this.#tokens = new DenylistStore(ctx.storage.sql);
    this.#state = new PublicationState(this.#tokens);
    this.#parts = new FilterStore(ctx.storage.sql);
    this.#restore = new RestoreGuard(this.#tokens, this.#parts, consoleLogger);
    const around = { kv: env.KV, tokens: this.#tokens, parts: this.#parts, clock };
    this.#projection = new DenylistProjection(around);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log: consoleLogger });
    this.#durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: [...DENYLIST_MIGRATIONS, ...FILTER_MIGRATIONS],
      longestRetryMs: LONGEST_KV_RETRY_MS,
      deliver: {
        "kv.filter": (row) => this.#projection.writePart(Number(row.payload)),
        "kv.denied": (row) => this.#projection.writeBucket(row.id, Number(row.payload)),
        "log.append": (row) => this.#append(row),
      },
      audit: auditSink(env, () => "denylist"),
      nextDueMs: () => this.#nextDueMs(),
      onDue: (nowMs) => this.#onDue(nowMs),
    });
    const put = (row: OutboxRow) => this.#durable.outbox.put(row, this.#projection.notBeforeMs(row.id));
    this.#job = new FilterJob({ tokens: this.#tokens, parts: this.#parts, put });
  }

  /**
   * Adds tokens, or makes them last longer; what is there already is `unchanged`. With `publish` they become
   * effective within seconds, also where nobody asks again.
   */
  addBatch(batch: DenialBatch): Result<BatchOutcome> {
    const now = epochSeconds(this.#clock());
    const denials = distinctDenials(batch.tokens, now + MAX_TOKEN_LIFE_SECONDS);
    return this.#change(batch, "added", (change) => {
      const { changed, added, buckets } = this.#tokens.add(denials, change, now);
      return { changed, more: added, buckets };
    });
  }

  /** Takes tokens off the list; what is not on it is `unchanged`. Every edge knows after the next publication. */
  removeBatch(batch: DenialBatch): Result<BatchOutcome> {
    return this.#change(batch, "removed", () => {
      const { removed, buckets } = this.#tokens.remove(batch.tokens);
      return { changed: removed, more: -removed, buckets };
    });
  }

  /**
   * Goes on with the publication of everything up to a change (by default: the last one) for a moment. `done`
   * once the log has it; the receipt is absent where nothing was ever published.
   */
  async publish(upTo?: number): Promise<Result<PublicationStep>> {
    const target = upTo ?? this.#state.changes;
    if (this.#state.published.covers < target) {
      this.#durable.commit(() => this.#state.want(this.#clock()));
      if (this.#work()) {
        await withTimeout(this.#durable.flush("kv:filter"), KV_HEAD_START_MS).catch(() => {});
        this.#finish();
        await this.#durable.flush("log");
      }
    }
    const lost = this.#restore.problem();
    if (lost) return err(lost);
    const { covers, receipt } = this.#state.published;
    return ok({ up_to: target, done: covers >= target, ...(receipt ? { receipt } : {}) });
  }

  /**
   * Until when the token is denied, by its issuer and id or by its id alone (epoch seconds); 0: it is not.
   *
   * @param build the part of the filter that suspects it
   */
  contains(iss: string, jti: string, build = 0): Result<number> {
    this.#restore.see(build);
    const lost = this.#restore.problem();
    return lost ? err(lost) : ok(this.#tokens.deniedUntil(iss, jti));
  }

  /** The bytes of a part of the filter. */
  part(build: number): Result<Uint8Array> {
    const body = this.#parts.partBody(build);
    return body ? ok(body) : err(problem("not_found", `There is no part ${build} of the filter.`));
  }

  page(limit: number, after?: Cursor): Result<TokenPage> {
    return ok(this.#tokens.page(after, limit));
  }

  status(): Result<DenylistStatus> {
    return ok({
      tokens: this.#count(),
      changes: this.#state.changes,
      published_changes: this.#state.published.covers,
      filter_parts: this.#state.published.builds.length,
      outbox_rows: this.#durable.outbox.size(),
    });
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  #change(
    { tokens, actor, publish }: DenialBatch,
    kind: "added" | "removed",
    work: (change: number) => { changed: number; more: number; buckets: Set<number> },
  ): Result<BatchOutcome> {
    const lost = this.#restore.problem();
    if (lost) return err(lost);
    const accepted = this.#durable.commit((note) => {
      const change = this.#state.changes + 1;
      const { changed, more, buckets } = work(change);
      if (changed > 0) {
        this.#tokens.setState("count", this.#count() + more);
        this.#record(change, buckets, { kind, tokens: changed, actor });
        // Rules that the log hands over deny what they denied before.
        if (actor !== PORTCULLIS) {
          note({ type: `denied_tokens.${kind}`, by: actor, data: { tokens: changed, change } });
        }
      }
      if (publish) this.#state.want(this.#clock());
      return changed;
    });
    return ok({ accepted, unchanged: tokens.length - accepted });
  }

  #count(): number {
    return this.#tokens.state<number>("count") ?? 0;
  }

  #record(
    change: number,
    buckets: Set<number>,
    what: { kind: "added" | "removed" | "expired"; tokens: number; actor: string },
  ): void {
    this.#state.changes = change;
    this.#job.touch(change, buckets);
    this.#tokens.recordChange(change, what.kind, what.tokens, what.actor, epochSeconds(this.#clock()));
  }

  /** Builds some parts; true once none is behind. */
  #work(): boolean {
    if (this.#restore.problem()) return true;
    for (let i = 0; i < PARTS_A_RUN; i++) {
      const built = this.#durable.commit(() => this.#job.buildOne(this.#state.changes, this.#count()));
      if (!built) return true;
    }
    return false;
  }

  /** Hands the finished round to the log, unless it has it already. */
  #finish(): void {
    const round = this.#job.finish();
    if (!round || round.covers <= this.#state.handedOver) return;
    const id = newId("log", this.#clock());
    const payload: Publication = {
      covers: round.covers,
      entry: { id, kind: "filter.published", filter: round.manifest },
    };
    this.#durable.commit(() => {
      this.#state.handedOver = round.covers;
      this.#durable.outbox.put({ id: "log:filter", lane: "log", kind: "log.append", payload });
    });
  }

  async #append(row: OutboxRow): Promise<void> {
    const { covers, entry } = row.payload as Publication;
    const receipt = await this.#log.append(entry);
    if (!receipt.ok) {
      this.#restore.see(Number(receipt.error.extra?.build ?? 0));
      if (this.#restore.problem()) return;
      throw new Error(receipt.error.detail);
    }
    const builds = entry.filter.parts.map(({ build }) => build);
    this.#durable.commit(() => {
      const noted = this.#state.notePublished({ covers, builds, receipt: receipt.value });
      if (noted) this.#parts.supersede(builds, this.#clock());
    });
  }

  #nextDueMs(): number | undefined {
    const superseded = this.#parts.earliestSuperseded();
    const times = [
      this.#state.wanted?.due_ms,
      this.#expiryDueMs(),
      superseded === undefined ? undefined : superseded + SUPERSEDED_MS,
    ].filter((at) => at !== undefined);
    return times.length ? Math.min(...times) : undefined;
  }

  #expiryDueMs(): number | undefined {
    const earliest = this.#parts.earliestExpiry();
    if (earliest === undefined) return undefined;
    return Math.max(earliest * 1000, (this.#tokens.state<number>("expired_ms") ?? 0) + EXPIRY_INTERVAL_MS);
  }

  #onDue(nowMs: number): void {
    const wanted = this.#state.wanted;
    if (wanted && wanted.due_ms <= nowMs && this.#work()) this.#finish();
    if ((this.#expiryDueMs() ?? Number.POSITIVE_INFINITY) <= nowMs) this.#expire(nowMs);
    const superseded = this.#parts.earliestSuperseded();
    if (superseded !== undefined && superseded + SUPERSEDED_MS <= nowMs) this.#dropSuperseded(nowMs);
  }

  /** Some parts' worth of entries that are over; the filter is built anew only where that pays. */
  #expire(nowMs: number): void {
    const now = epochSeconds(nowMs);
    const { bits, rows } = this.#job.currentParts();
    const due = rows.filter((part) => part.next_expiry_at !== null && part.next_expiry_at <= now);
    this.#durable.commit(() => {
      for (const part of due.slice(0, PARTS_A_RUN)) {
        const range = rangeOfPart(bits, part.partition);
        const { removed, buckets } = this.#tokens.removeExpired(range, now);
        this.#parts.noteExpired(part.build, removed, this.#tokens.nextExpiry(range));
        this.#tokens.setState("count", this.#count() - removed);
        if ((part.removed + removed) * REBUILD_SHARE < part.count) continue;
        const what = { kind: "expired", tokens: removed, actor: PORTCULLIS } as const;
        this.#record(this.#state.changes + 1, buckets, what);
        this.#state.want(nowMs);
      }
      if (due.length <= PARTS_A_RUN) this.#tokens.setState("expired_ms", nowMs);
    });
  }

  #dropSuperseded(nowMs: number): void {
    this.#durable.commit(() => {
      for (const build of this.#parts.deleteSupersededBefore(nowMs - SUPERSEDED_MS + 1)) {
        const row = { id: `kv:filter:${build}`, lane: "kv:filter", kind: "kv.filter" };
        this.#durable.outbox.put({ ...row, payload: build });
      }
    });
  }
}
