import { DurableObject } from "cloudflare:workers";
import { type Clock, epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { compilePolicy } from "../policy/compiled.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { denylistKey, denylistTtlSeconds, LONGEST_KV_RETRY_MS } from "../revocation/denylist.ts";
import type { WouldCut } from "../revocation/live-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { RevocationPage, RevocationRecord } from "../revocation/record.ts";
import {
  fileKey,
  hits,
  probeKeys,
  type Revocation,
  type RevocationMatch,
  type TokenFacts,
} from "../revocation/rule.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import { boundsAt, receiptFor, replaceBounds } from "./bounds.ts";
import { checkDrift, type DriftReport } from "./drift.ts";
import { DriftStore } from "./drift-store.ts";
import { type Delta, type LogEntry, SNAPSHOT_KEY, type Snapshot } from "./entry.ts";
import { LOG_MIGRATIONS, LogStore } from "./log-store.ts";
import { ManifestStore } from "./manifest-store.ts";
import { PendingStore } from "./pending-store.ts";
import { RevocationBook } from "./revocation-book.ts";
import type { RevocationEvent } from "./revocation-events.ts";

const MAX_DELTA_ENTRIES = 1_000;
const DENY_LANES = 8;
/** KV takes one write a second for a key. */
const KV_WRITE_INTERVAL_MS = 1_000;
/** Revocations stay listed this long after no token can match them any more. */
const HISTORY_SECONDS = 30 * 86_400;
const PRUNE_INTERVAL_MS = 3_600_000;

/**
 * The ordered log through which every edge learns of revocations, keys and policy. One for a deployment
 * (`main`). Durable before it is acknowledged; its projections into KV are outbox rows.
 */
export class LogObject extends DurableObject<Env> {
  readonly #clock: Clock;
  readonly #store: LogStore;
  readonly #manifests: ManifestStore;
  readonly #durable: Durable;
  readonly #book: RevocationBook;
  readonly #lastWriteMs = new Map<string, number>();
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock) {
    super(ctx, env);
    this.#clock = clock;
    this.#store = new LogStore(ctx.storage.sql);
    this.#manifests = new ManifestStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: LOG_MIGRATIONS,
      longestRetryMs: LONGEST_KV_RETRY_MS,
      deliver: {
        "kv.snapshot": () => this.#writeSnapshot(),
        "kv.deny": (row) => this.#writeDenylist(row),
        "webhook.publish": (row) => publishEvent(row.payload as RevocationEvent, publishPorts(env)),
      },
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
    this.#book = new RevocationBook({
      clock: this.#clock,
      log: consoleLogger,
      store: this.#store,
      pending: new PendingStore(ctx.storage.sql),
      durable: this.#durable,
      apply: (entry, nowMs) => this.#apply(entry, nowMs),
    });
  }

  /** Adds an entry, once for each id: a repeat answers the first receipt, another entry under the id is refused. */
  append(entry: LogEntry): Result<Receipt> {
    const known = this.#store.entry(entry.id);
    if (known) {
      if (known.body === JSON.stringify(entry)) return ok(known.receipt);
      return err(problem("conflict", `The log holds another entry with the id ${entry.id}.`));
    }
    if (entry.kind === "filter.published" && this.#manifests.isOutdated(entry.filter)) {
      return err(problem("conflict", "The log holds a later filter."));
    }
    return ok(this.#durable.commit(() => this.#apply(entry, this.#clock())));
  }

  since(seq: number): Result<Delta> {
    const entries = this.#store.since(seq, MAX_DELTA_ENTRIES);
    return ok(entries ? { too_old: false, head_seq: this.#store.headSeq(), entries } : { too_old: true });
  }

  snapshot(): Result<Snapshot> {
    return ok(this.#store.snapshot(this.#clock()));
  }

  revocation(id: string): Result<RevocationRecord> {
    return this.#book.read(id);
  }

  revocations(limit: number, cursor?: string): Result<RevocationPage> {
    return this.#book.list(limit, cursor);
  }

  revocationReceipt(id: string): Result<Receipt> {
    return this.#book.receipt(id);
  }

  /**
   * The revocation that hits one of these tokens, or null; read from the log itself. One that was made since
   * the moment counts also when it is over: a session lives longer than the token that it grew from.
   */
  hit(tokens: TokenFacts[], since: number): Result<Revocation | null> {
    const now = epochSeconds(this.#clock());
    for (const facts of tokens) {
      for (const key of probeKeys(facts)) {
        const found = this.#store
          .rulesSince(key, since, now)
          .find(({ expires_at: _over, ...rule }) => hits(rule, facts, now));
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
        repair: (keys) => this.#durable.commit(() => keys.forEach((key) => void this.#projectKey(key))),
      },
      now,
    );
    return ok(report);
  }

  #apply(entry: LogEntry, nowMs: number): Receipt {
    const seq = this.#store.insertEntry(entry, nowMs);
    let lifted = false;
    switch (entry.kind) {
      case "revocation.added":
        this.#store.insertRevocation(entry.rule, seq);
        this.#projectDenylist(entry.rule.match);
        break;
      case "revocation.lifted":
        lifted = this.#store.liftRevocation(
          entry.revocation_id,
          entry.actor,
          entry.reason,
          epochSeconds(nowMs),
        );
        this.#projectDenylist(this.#store.revocation(entry.revocation_id)?.rule.match);
        break;
      case "keys.changed":
        this.#store.setState("keys", entry.keys);
        break;
      case "filter.published":
        this.#manifests.put(entry.id, entry.filter, seq);
        break;
      case "policy.activated": {
        const policy = { version: entry.version, document: entry.document };
        this.#store.setState("policy", policy);
        this.#store.setState(
          "bounds",
          replaceBounds(this.#store.bounds(), compilePolicy(policy).bounds, nowMs),
        );
        break;
      }
    }
    this.#project(SNAPSHOT_KEY, {
      id: "kv:snapshot",
      lane: "kv:snapshot",
      kind: "kv.snapshot",
      payload: null,
    });
    const receipt = receiptFor(entry.id, seq, nowMs, boundsAt(this.#store.bounds(), nowMs));
    this.#store.setReceipt(seq, receipt);
    if (entry.kind === "revocation.added") this.#book.tellCreated(entry.id, receipt, nowMs);
    if (entry.kind === "revocation.lifted" && lifted)
      this.#book.tellLifted(entry.revocation_id, receipt, nowMs);
    return receipt;
  }

  #projectDenylist(match: RevocationMatch | undefined): void {
    if (match) this.#projectKey(fileKey(match));
  }

  #projectKey(key: string): void {
    const lane = `kv:deny:${laneOf(key)}`;
    this.#project(key, { id: `kv:deny:${key}`, lane, kind: "kv.deny", payload: key });
  }

  #project(key: string, row: OutboxRow): void {
    const last = this.#lastWriteMs.get(key);
    this.#durable.outbox.put(row, last === undefined ? 0 : last + KV_WRITE_INTERVAL_MS);
  }

  async #writeSnapshot(): Promise<void> {
    const snapshot = this.#store.snapshot(this.#clock());
    this.#lastWriteMs.set(SNAPSHOT_KEY, this.#clock());
    await this.env.KV.put(SNAPSHOT_KEY, JSON.stringify(snapshot), { metadata: { seq: snapshot.seq } });
  }

  /** Writes what is in force under the key now, so that a late or repeated row is never wrong. */
  async #writeDenylist(row: OutboxRow): Promise<void> {
    const key = String(row.payload);
    const nowMs = this.#clock();
    this.#rememberWrite(key, nowMs);
    const rules = this.#store.rulesUnder(key, epochSeconds(nowMs));
    const kvKey = await denylistKey(key);
    if (rules.length === 0) return this.env.KV.delete(kvKey);
    const expirationTtl = denylistTtlSeconds(rules, epochSeconds(nowMs));
    await this.env.KV.put(kvKey, JSON.stringify(rules), expirationTtl === undefined ? {} : { expirationTtl });
  }

  #rememberWrite(key: string, nowMs: number): void {
    if (this.#lastWriteMs.size > 10_000) {
      for (const [old, at] of this.#lastWriteMs)
        if (at + KV_WRITE_INTERVAL_MS < nowMs) this.#lastWriteMs.delete(old);
    }
    this.#lastWriteMs.set(key, nowMs);
  }

  #nextPruneMs(): number | undefined {
    const earliest = this.#store.earliestExpiry();
    if (earliest === undefined) return undefined;
    return Math.max((earliest + HISTORY_SECONDS) * 1000, this.#prunedAtMs + PRUNE_INTERVAL_MS);
  }

  #prune(nowMs: number): void {
    const next = this.#nextPruneMs();
    if (next === undefined || next > nowMs) return;
    this.#prunedAtMs = nowMs;
    this.#store.deleteExpiredBefore(epochSeconds(nowMs) - HISTORY_SECONDS);
  }
}

/** Spreads the keys over a few lanes, so that one that KV refuses does not hold up all. */
function laneOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (hash * 31 + key.charCodeAt(i)) >>> 0;
  return hash % DENY_LANES;
}
