import { readConfig } from "../config.ts";
import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import { loadConditions } from "../policy/condition.ts";
import { confirmAbove } from "../policy/confirm-above.ts";
import { remediationRules } from "../policy/default-remediation.ts";
import type { PolicyDocument, PolicyVersion } from "../policy/document.ts";
import type { RemediationRule } from "../policy/remediation-schema.ts";
import type { Detection } from "../protocol/detection.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { countLive, type LiveCount, type LiveTokens, type OwnMatch } from "../revocation/live-token.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import type { MonitorNote } from "./monitor-object.ts";
import { toCount } from "./remediate.ts";
import { present, type Remediation, type RemediationView } from "./remediation.ts";
import { type OwedEffect, RemediationBook } from "./remediation-book.ts";
import {
  type DetectionQuery,
  type Page,
  REMEDIATION_MIGRATIONS,
  type RemediationQuery,
  RemediationStore,
  type StoredDetection,
} from "./remediation-store.ts";
import { type ReplayReport, replayed } from "./replay.ts";
import type { Issuers, Target } from "./target.ts";

type LogPort = {
  append(
    entry:
      | { id: string; kind: "revocation.added"; rule: Revocation }
      | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string; reason: string },
  ): Promise<Result<Receipt>>;
};
type MonitorPort = { note(id: string, note: MonitorNote): Promise<Result<null>> };
type RegistryPort = { activePolicy(): Promise<Result<PolicyVersion>> };
type Rotated = { rotated: { kid: string }[]; scheduled: { kid: string }[] };
type KeyringPort = {
  flushMinted(): Promise<Result<null>>;
  rotate(id: string): Promise<Result<Rotated>>;
};
type DirectoryPort = {
  countLive(match: OwnMatch, issuedBefore?: number): Promise<Result<LiveCount>>;
};

const DAY_SECONDS = 86_400;
/** Rules look back a day at most; a revocation of theirs ends after a month; people look back for longer. */
const KEPT_SECONDS = { detections: 30 * DAY_SECONDS, matches: DAY_SECONDS, remediations: 90 * DAY_SECONDS };
const PRUNE_INTERVAL_MS = 3_600_000;
const COUNT_TIMEOUT_MS = 20_000;
const MAX_REPLAYED = 10_000;
/** What a replay counts the live tokens of; those of further targets are counted as one each. */
const MAX_REPLAY_COUNTS = 200;

/**
 * What was detected, and what is done about it by the policy's rules (`main`). Each detection is judged once; what
 * follows leaves through the outbox, in order for each target.
 */
export class RemediationObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #store: RemediationStore;
  readonly #durable: Durable;
  readonly #book: RemediationBook;
  readonly #registry: RegistryPort;
  readonly #log: LogPort;
  readonly #keyring: KeyringPort;
  readonly #live: Pick<LiveTokens, "flush" | "count">;
  #prunedAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const log = consoleLogger;
    this.#store = new RemediationStore(ctx.storage.sql);
    this.#registry = objectPort<RegistryPort>(env.REGISTRY, "main", { log });
    this.#log = objectPort<LogPort>(env.LOG, "main", { log });
    this.#keyring = objectPort<KeyringPort>(env.KEYRING, "main", { log });
    const directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log, timeoutMs: COUNT_TIMEOUT_MS });
    const monitor = objectPort<MonitorPort>(env.MONITOR, "main", { log });
    this.#live = {
      flush: () => this.#keyring.flushMinted(),
      count: (match, issuedBefore) => directory.countLive(match, issuedBefore),
    };
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log,
      migrations: REMEDIATION_MIGRATIONS,
      deliver: {
        "monitor.note": async (row) => {
          unwrapped(await monitor.note(row.id, row.payload as MonitorNote));
        },
        "remedy.revoke": (row) => this.#revoke(row),
        "remedy.lift": (row) => this.#lift(row),
        "remedy.rotate_key": (row) => this.#rotate(row),
        "webhook.publish": (row) =>
          publishEvent(row.payload as WebhookEvent & { type: EventType }, publishPorts(env)),
      },
      audit: auditSink(env, () => "remediation"),
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#prune(nowMs),
    });
    const newIdNow = (prefix: Parameters<typeof newId>[0]) => newId(prefix, this.#clock());
    this.#book = new RemediationBook({
      store: this.#store,
      durable: this.#durable,
      log,
      nowMs: this.#clock,
      newId: newIdNow,
    });
  }

  /** Keeps a detection and does what the rules in force say, once for each id. Fails where they cannot be known. */
  async detected(detection: Detection): Promise<Result<null>> {
    if (this.#store.detection(detection.id)) return ok(null);
    const policy = await this.#registry.activePolicy();
    if (!policy.ok) return policy;
    const { document } = policy.value;
    const rules = remediationRules(document);
    const issuers = this.#issuersOf(document);
    if (!issuers.ok) return issuers;
    await loadConditionsOfRules(rules);
    const targets = toCount(detection, rules, issuers.value, this.#now());
    const cuts = await this.#count(targets, issuers.value.own);
    if (!cuts.ok) return cuts;
    // From here on nothing is awaited: what was detected meanwhile is taken into account.
    this.#book.take(detection, {
      rules,
      issuers: issuers.value,
      cuts: cuts.value,
      confirmAbove: confirmAbove(document),
    });
    return ok(null);
  }

  detections(query: DetectionQuery): Result<Page<StoredDetection>> {
    return ok(this.#store.detections(query));
  }

  detection(id: string): Result<StoredDetection> {
    const found = this.#store.detection(id);
    return found ? ok(found) : err(problem("not_found", `There is no detection ${id}.`));
  }

  remediations(query: RemediationQuery): Result<Page<RemediationView>> {
    const { items, ...page } = this.#store.remediations(query);
    return ok({ ...page, items: items.map((each) => present(each, this.#now())) });
  }

  remediation(id: string): Result<RemediationView> {
    const found = this.#store.remediation(id);
    return found
      ? ok(present(found, this.#now()))
      : err(problem("not_found", `There is no remediation ${id}.`));
  }

  /** Answers when the lifts were tried; those that the log has acknowledged have its receipt. */
  async undo(id: string, by: string, reason: string): Promise<Result<RemediationView>> {
    return this.#settled(this.#book.undo(id, { by, reason }));
  }

  /** Answers when what it does was tried. */
  async confirm(id: string, actor: string, comment?: string): Promise<Result<RemediationView>> {
    return this.#settled(this.#book.confirm(id, actor, comment));
  }

  /** What other rules would have made of what was detected since a moment (epoch seconds). */
  async replay(rules: RemediationRule[], since: number): Promise<Result<ReplayReport>> {
    const policy = await this.#registry.activePolicy();
    if (!policy.ok) return policy;
    const issuers = this.#issuersOf(policy.value.document);
    if (!issuers.ok) return issuers;
    await loadConditionsOfRules(rules);
    const newest = this.#store.recorded(since, MAX_REPLAYED + 1);
    const detections = newest.slice(-MAX_REPLAYED);
    const targets = new Map(
      detections
        .flatMap((each) => toCount(each, rules, issuers.value, each.at))
        .map((target) => [target.key, target]),
    );
    const cuts = await this.#count([...targets.values()].slice(0, MAX_REPLAY_COUNTS), issuers.value.own);
    if (!cuts.ok) return cuts;
    const report = replayed(detections, rules, cuts.value, issuers.value);
    return ok({ ...report, truncated: newest.length > MAX_REPLAYED || targets.size > MAX_REPLAY_COUNTS });
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    const swept = await this.#durable.sweep();
    return ok(swept);
  }

  async #settled(changed: Result<Remediation>): Promise<Result<RemediationView>> {
    if (!changed.ok) return changed;
    const lanes = new Set(changed.value.acts.flatMap(({ target }) => (target ? [`act:${target.key}`] : [])));
    for (const lane of lanes) await this.#durable.flush(lane);
    return this.remediation(changed.value.id);
  }

  async #revoke({ payload }: OutboxRow): Promise<void> {
    const { remediation_id, index, ...effect } = payload as OwedEffect;
    if (effect.kind !== "revoke") return;
    const { rule } = effect;
    const receipt = unwrapped(await this.#log.append({ id: rule.id, kind: "revocation.added", rule }));
    this.#book.note(remediation_id, index, { receipt });
  }

  async #lift({ payload }: OutboxRow): Promise<void> {
    const { remediation_id, index, by = "", reason = "", ...effect } = payload as OwedEffect;
    if (effect.kind !== "lift") return;
    const { id, revocation_id } = effect;
    const entry = { id, kind: "revocation.lifted", revocation_id, actor: by, reason } as const;
    this.#book.note(remediation_id, index, { lift_receipt: unwrapped(await this.#log.append(entry)) });
  }

  async #rotate({ payload }: OutboxRow): Promise<void> {
    const { remediation_id, index, ...effect } = payload as OwedEffect;
    if (effect.kind !== "rotate_key") return;
    const { rotated, scheduled } = unwrapped(await this.#keyring.rotate(effect.id));
    const names = (keys: { kid: string }[]) => keys.map(({ kid }) => kid).join(", ");
    const told = [
      ...(rotated.length > 0 ? [`signs now: ${names(rotated)}`] : []),
      ...(scheduled.length > 0 ? [`signs once every verifier can know it: ${names(scheduled)}`] : []),
    ];
    this.#book.note(remediation_id, index, { result: told.join("; ") || "no key was left to rotate" });
  }

  async #count(
    targets: readonly Extract<Target, { kind: "tokens" }>[],
    own: string,
  ): Promise<Result<Map<string, number>>> {
    const cuts = new Map<string, number>();
    for (const { key, match } of targets) {
      const counted = await countLive(match, undefined, own, this.#live);
      if (!counted.ok) return counted;
      cuts.set(key, counted.value.would_cut.tokens);
    }
    return ok(cuts);
  }

  #issuersOf({ issuers }: PolicyDocument): Result<Issuers> {
    const config = readConfig(this.env);
    if (!config.ok) return err(problem("misconfigured", "The deployment is not configured; see readyz."));
    return ok({ own: config.value.issuer, ids: new Map(issuers.map(({ issuer, id }) => [issuer, id])) });
  }

  #nextPruneMs(): number | undefined {
    const earliest = this.#store.earliest();
    if (earliest === undefined) return undefined;
    return Math.max((earliest + KEPT_SECONDS.matches) * 1000, this.#prunedAtMs + PRUNE_INTERVAL_MS);
  }

  #prune(nowMs: number): void {
    if ((this.#nextPruneMs() ?? Number.POSITIVE_INFINITY) > nowMs) return;
    this.#prunedAtMs = nowMs;
    const now = epochSeconds(nowMs);
    const { detections, matches, remediations } = KEPT_SECONDS;
    this.#store.prune({
      detections: now - detections,
      matches: now - matches,
      remediations: now - remediations,
    });
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}

/** Those that have one are looked at synchronously, as everything that decides. */
async function loadConditionsOfRules(rules: readonly RemediationRule[]): Promise<void> {
  if (rules.some(({ condition }) => condition !== undefined)) await loadConditions();
}

/** In an outbox row what fails is thrown: the row is tried again. */
function unwrapped<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.detail);
  return result.value;
}
