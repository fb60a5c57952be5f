import type { Decision } from "../../../src/edge/decision.ts";
import { SNAPSHOT_KEY } from "../../../src/replication/entry.ts";
import { bucketOfToken, deniedBucketKey } from "../../../src/revocation/denied-token.ts";
import type { Receipt } from "../../../src/revocation/receipt.ts";
import { fileKey } from "../../../src/revocation/rule.ts";
import type { Recorded } from "./control-plane.ts";
import type { KvDouble } from "./kv-double.ts";
import type { Ledger, SimRule, SimToken, Submission } from "./ledger.ts";
import type { Tier } from "./sim-policy.ts";

/** One decision of one isolate, with what the judge must know of it. */
export type Verdict = {
  isolate: string;
  /** Differs for two lives of one isolate. */
  life: number;
  location: number;
  tier: Tier;
  path: string;
  token: SimToken;
  startedMs: number;
  decidedMs: number;
  decision: Decision;
};

/** A promise of the product that was broken. The name is what a planted bug is known by. */
export class Violation extends Error {
  constructor(promise: string, detail: string) {
    super(`VIOLATED ${promise}: ${detail}`);
    this.name = "Violation";
  }
}

export type JudgeOptions = {
  ledger: Ledger;
  kv: KvDouble;
  /** When the log first took up a read of this isolate at or after a moment. */
  firstReadMs(isolate: string, sinceMs: number): number | undefined;
  /** Whether nothing has come between this isolate and the log from `sinceMs` on. */
  logAnswers(isolate: string, sinceMs: number): boolean;
  /** The same of its reads of KV. */
  kvAnswers(location: number, sinceMs: number): boolean;
  /** Whether nothing has come between the objects and KV. */
  kvTakesWrites(sinceMs: number): boolean;
};

/** A disturbance may be felt for this long after it is over: calls under way, time-outs, the pause after a failure. */
const AFTERMATH_MS = 15_000;
/** A new key may be unknown for the default bound: an isolate asks again once a second at most. */
const NEW_KEY_MS = 2_000;
const EVENTUAL_BOUND_MS = 60_000;
/** An isolate that stands on KV looks for a newer snapshot every ten seconds, where it is called so often. */
const SNAPSHOT_AGAIN_MS = 12_000;
/** An accept decision past `effective_by.eventual`, with the log out of reach, that KV's own lag explains. */
const ACCEPTED_BY_KV_LAG = "eventual accepted by KV's lag";

/** Holds every decision against the promises. Knows only what was told to the log and acknowledged by it. */
export class Judge {
  readonly #o: JudgeOptions;
  readonly #refused = new Map<string, SimRule>();
  /** How often each decision was heard, by tier and reason: what no schedule reaches, no schedule tests. */
  readonly heard = new Map<string, number>();

  constructor(options: JudgeOptions) {
    this.#o = options;
  }

  hear(verdict: Verdict): void {
    this.#count(`${verdict.tier} ${verdict.decision.outcome} ${verdict.decision.reason}`);
    if (verdict.decision.outcome === "allow") this.#hearAccept(verdict);
    else this.#hearRefusal(verdict, verdict.decision.reason);
  }

  #hearAccept(verdict: Verdict): void {
    const { token, decidedMs, decision } = verdict;
    if (decidedMs >= token.expiresAt * 1000)
      throw this.#broken("time ends access", verdict, token.claims.jti);
    for (const rule of this.#o.ledger.rulesOn(token, decidedMs / 1000)) {
      if (rule.lifts.length > 0) continue;
      const about = `${rule.id} ${JSON.stringify(rule.match)} sent ${rule.sentMs}`;
      if (this.#refused.get(lifeKey(verdict)) === rule)
        throw this.#broken("nothing un-happens", verdict, about);
      if (!rule.acked) continue;
      const { receipt } = rule.acked;
      if ((decision.seq ?? 0) >= receipt.seq)
        throw this.#broken("a view refuses what it holds", verdict, about);
      if (this.#tooLate(verdict, rule.acked, kvKeyOf(rule)))
        throw this.#broken(`bound of ${verdict.tier}`, verdict, about);
    }
    const removal = this.#o.ledger.removalOfKey(token);
    if (removal && this.#tooLate(verdict, removal.acked!, SNAPSHOT_KEY)) {
      throw this.#broken(`bound of ${verdict.tier}`, verdict, `key ${token.kid} was removed`);
    }
  }

  /** Whether an accept decision came after the moment that the receipt states, or that the route's own bound does. */
  #tooLate(verdict: Verdict, acked: NonNullable<Submission["acked"]>, kvKey: string): boolean {
    const { tier, path, startedMs, decidedMs, isolate } = verdict;
    const { accepted_at, effective_by } = acked.receipt;
    if (tier === "strict") {
      // The decision is taken where the log answers: its own read is not before the first one since it began.
      const readMs = this.#o.firstReadMs(isolate, startedMs) ?? Number.POSITIVE_INFINITY;
      return acked.atMs <= startedMs || accepted_at * 1000 < readMs;
    }
    const stalenessMs = this.#o.ledger.stalenessMs(path, startedMs, !this.#logAnswered(isolate, startedMs));
    const boundMs = Math.min(effective_by[tier] * 1000, accepted_at * 1000 + stalenessMs);
    if (decidedMs <= boundMs) return false;
    return tier === "bounded" || !this.#kvLagExplains(verdict, acked.receipt, kvKey);
  }

  /** Past the bound of the tier an `eventual` route stands on KV alone: then KV's lag is the bound. */
  #kvLagExplains(verdict: Verdict, { accepted_at }: Receipt, key: string): boolean {
    const { decision, decidedMs, location, startedMs, isolate } = verdict;
    if ((decision.replicaAgeMs ?? 0) <= EVENTUAL_BOUND_MS || this.#logAnswered(isolate, startedMs))
      return false;
    const sinceMs = accepted_at * 1000;
    const unseenUntilMs = this.#o.kv.mayBeUnseenUntilMs(location, key, sinceMs);
    const explained =
      unseenUntilMs === undefined
        ? !this.#o.kvTakesWrites(sinceMs - AFTERMATH_MS)
        : decidedMs <= unseenUntilMs || (key === SNAPSHOT_KEY && this.#snapshotLate(verdict, unseenUntilMs));
    if (explained) this.#count(ACCEPTED_BY_KV_LAG);
    return explained;
  }

  /** The snapshot is not looked at for each request, nor waited for where KV does not answer. */
  #snapshotLate({ location, decidedMs, startedMs }: Verdict, unseenUntilMs: number): boolean {
    const again = decidedMs <= unseenUntilMs + SNAPSHOT_AGAIN_MS;
    return again || !this.#o.kvAnswers(location, startedMs - AFTERMATH_MS);
  }

  #hearRefusal(verdict: Verdict, reason: string): void {
    const { token, decidedMs, startedMs, isolate } = verdict;
    if (reason === "token_revoked") this.#remember(verdict);
    if (!this.#logAnswered(isolate, startedMs)) return;
    // A new filter comes from KV first, and from its object where KV does not answer in time.
    // A request gives up where policy or keys change under it again and again.
    if (reason === "stale" && this.#o.ledger.changesSince(startedMs) > 1) return;
    const waits = reason === "stale" || reason === "token_unknown_key";
    if (waits && !this.#o.kvAnswers(verdict.location, startedMs - AFTERMATH_MS)) return;
    if (reason === "token_expired" && decidedMs >= token.expiresAt * 1000) return;
    if (reason === "token_revoked" && this.#mayBeRevoked(verdict)) return;
    if (reason === "token_unknown_key" && !this.#keyIsSettled(token, decidedMs)) return;
    throw this.#broken("no refusal without a rule", verdict, reason);
  }

  #logAnswered(isolate: string, startedMs: number): boolean {
    return this.#o.logAnswers(isolate, startedMs - AFTERMATH_MS);
  }

  #mayBeRevoked({ token, decidedMs, startedMs, tier }: Verdict): boolean {
    return this.#o.ledger.rulesOn(token, decidedMs / 1000).some(({ lifts }) => {
      const lifted = lifts.find(({ acked }) => acked)?.acked;
      if (!lifted) return true;
      return tier === "strict"
        ? startedMs < lifted.atMs
        : decidedMs <= lifted.receipt.effective_by[tier] * 1000;
    });
  }

  #keyIsSettled(token: SimToken, nowMs: number): boolean {
    const published = this.#o.ledger.keySets.find(({ kids }) => kids.includes(token.kid))?.acked;
    return published !== undefined && nowMs > published.atMs + NEW_KEY_MS && this.#o.ledger.keyStands(token);
  }

  /** A view that refused for a rule holds it until it is lifted or over. */
  #remember(verdict: Verdict): void {
    const seq = verdict.decision.seq ?? 0;
    const held = this.#o.ledger
      .rulesOn(verdict.token, verdict.decidedMs / 1000)
      .find(({ acked }) => acked && acked.receipt.seq <= seq);
    if (held) this.#refused.set(lifeKey(verdict), held);
  }

  /** How many rules left the replicas, and how many of them were lifted then. */
  noteCompacted(revocations: readonly Recorded[]): void {
    for (const { compacted, lifted_at } of revocations) {
      if (compacted) this.#count(lifted_at === undefined ? "rule compacted" : "rule compacted and lifted");
    }
  }

  #count(what: string): void {
    this.heard.set(what, (this.heard.get(what) ?? 0) + 1);
  }

  #broken(promise: string, { decision, token, decidedMs, ...about }: Verdict, detail: string): Violation {
    const { isolate, path, startedMs } = about;
    const { seq, replicaAgeMs, outcome, reason } = decision;
    const where = `${isolate} ${path} ${token.claims.jti}`;
    const how = `${outcome} (${reason}) at ${decidedMs}, begun ${startedMs}, on seq ${seq} of age ${replicaAgeMs}`;
    return new Violation(promise, `${where}: ${how}; ${detail}`);
  }
}

function lifeKey({ isolate, life, token }: Verdict): string {
  return `${isolate} ${life} ${token.claims.jti}`;
}

/** Where KV lists what denies the token. */
export function kvKeyOf({ match, bulk }: Pick<SimRule, "match" | "bulk">): string {
  if (!bulk) return `deny:${fileKey(match)}`;
  return deniedBucketKey(bucketOfToken(match.jti ?? ""));
}
