import { type Clock, epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { PropagationSample } from "../remediation/propagation.ts";
import type { Receipt, Tier } from "../revocation/receipt.ts";
import { PROBE_ACTOR, type Revocation } from "../revocation/rule.ts";

/** What a decision on the probe says; `unsure` where the log was out of reach, which is no acceptance. */
export type ProbeDecision = "accepted" | "revoked" | "unsure";

export type CanaryDeps = {
  clock: Clock;
  sleep(ms: number): Promise<void>;
  logger: Logger;
  /** An access token that opens nothing: no origin and no control plane is its audience. */
  mint(jti: string, ttlSeconds: number): Promise<Result<{ accessToken: string }>>;
  log: {
    append(entry: { id: string; kind: "revocation.added"; rule: Revocation }): Promise<Result<Receipt>>;
  };
  /** Decides on the token as the gate does on a route of the tier. */
  decide(accessToken: string, tier: "strict" | "bounded"): Promise<ProbeDecision>;
  /** Whether the KV denylist shows the rule here and now. */
  listed(rule: Revocation): Promise<boolean>;
  monitor: {
    record(sample: PropagationSample): Promise<Result<null>>;
    note(id: string, note: { counters: Record<string, number> }): Promise<Result<null>>;
  };
};

/** What each tier promises where a route says nothing else. */
const PROMISE_MS: Record<Tier, number> = { strict: 0, bounded: 2_000, eventual: 60_000 };
const DECIDE_EVERY_MS = 50;
/** KV keeps a miss for a minute, so the first look is not taken before the entry is likely to be there. */
const LIST_FIRST_MS = 2_000;
const LIST_EVERY_MS = 3_000;
/** A probe that is not refused by then has broken its promise, or was never decided on. */
const GIVE_UP_MS: Record<Tier, number> = { strict: 5_000, bounded: 10_000, eventual: 65_000 };
const TOKEN_SECONDS = 120;

type Revoked = { rule: Revocation; accessToken: string; acknowledgedMs: number };
type Outcome = Pick<PropagationSample, "latency_ms" | "broken">;

/**
 * Shows on the running deployment that a revocation takes hold: a token is minted, accepted, revoked, and
 * decided on until it is refused. The time is counted from the moment the acknowledgement arrived.
 */
export async function runCanary(deps: CanaryDeps): Promise<void> {
  // One after the other: a strict decision renews the replica, and the bounded one must not profit from that.
  const bounded = await revokedProbe("bounded", deps);
  const listed = bounded && untilListed(bounded, deps);
  if (bounded) await keep("bounded", await untilRefused(bounded, "bounded", deps), deps);
  const strict = await revokedProbe("strict", deps);
  if (strict) await keep("strict", await untilRefused(strict, "strict", deps), deps);
  if (listed) await keep("eventual", await listed, deps);
}

/** A token that was accepted, and revoked then; undefined, and told, where it did not come to that. */
async function revokedProbe(tier: "strict" | "bounded", deps: CanaryDeps): Promise<Revoked | undefined> {
  const now = epochSeconds(deps.clock());
  const jti = newId("tok", deps.clock());
  const minted = await deps.mint(jti, TOKEN_SECONDS);
  if (!minted.ok) return failed(tier, "mint", minted.error.detail, deps);
  const { accessToken } = minted.value;
  const before = await deps.decide(accessToken, tier);
  if (before !== "accepted") return failed(tier, "accept", `The new token was ${before}.`, deps);
  const rule: Revocation = {
    id: newId("rev", deps.clock()),
    match: { jti },
    reason: "probe of the running deployment",
    actor: PROBE_ACTOR,
    created_at: now,
    // The token is dead by then.
    expires_at: now + 2 * TOKEN_SECONDS,
  };
  const receipt = await deps.log.append({ id: rule.id, kind: "revocation.added", rule });
  if (!receipt.ok) return failed(tier, "revoke", receipt.error.detail, deps);
  return { rule, accessToken, acknowledgedMs: deps.clock() };
}

async function untilRefused(
  { accessToken, acknowledgedMs }: Revoked,
  tier: "strict" | "bounded",
  { clock, sleep, decide }: CanaryDeps,
): Promise<Result<Outcome, string>> {
  for (;;) {
    const elapsedMs = clock() - acknowledgedMs;
    const decision = await decide(accessToken, tier);
    if (decision === "revoked") return ok({ latency_ms: clock() - acknowledgedMs, broken: false });
    // The decision was taken after this moment.
    if (decision === "accepted" && (tier === "strict" || elapsedMs > PROMISE_MS[tier])) {
      return ok({ latency_ms: clock() - acknowledgedMs, broken: true });
    }
    if (elapsedMs > GIVE_UP_MS[tier]) return err("The log was out of reach too long to decide.");
    await sleep(DECIDE_EVERY_MS);
  }
}

async function untilListed(
  { rule, acknowledgedMs }: Revoked,
  { clock, sleep, listed }: CanaryDeps,
): Promise<Result<Outcome, string>> {
  await sleep(LIST_FIRST_MS);
  for (;;) {
    let seen: boolean;
    try {
      seen = await listed(rule);
    } catch {
      return err("The KV denylist could not be read.");
    }
    const latency_ms = clock() - acknowledgedMs;
    if (seen || latency_ms >= GIVE_UP_MS.eventual) {
      return ok({ latency_ms, broken: latency_ms > PROMISE_MS.eventual });
    }
    await sleep(LIST_EVERY_MS);
  }
}

async function keep(tier: Tier, outcome: Result<Outcome, string>, deps: CanaryDeps): Promise<void> {
  if (!outcome.ok) {
    await failed(tier, "decide", outcome.error, deps);
    return;
  }
  const at_ms = deps.clock();
  const promise_ms = PROMISE_MS[tier];
  const { latency_ms, broken } = outcome.value;
  if (broken) deps.logger("error", "canary.promise_broken", { tier, promise_ms, latency_ms });
  const kept = await deps.monitor.record({
    id: newId("smp", at_ms),
    tier,
    promise_ms,
    at_ms,
    ...outcome.value,
  });
  if (!kept.ok) deps.logger("warn", "canary.not_recorded", { tier, latency_ms, detail: kept.error.detail });
}

/** The probe shows nothing this time: no promise was broken, and none was shown to hold. */
async function failed(tier: Tier, step: string, detail: string, deps: CanaryDeps): Promise<undefined> {
  deps.logger("warn", "canary.inconclusive", { tier, step, detail });
  const counters = { [`portcullis_canary_inconclusive_total{tier="${tier}"}`]: 1 };
  await deps.monitor.note(newId("rpt", deps.clock()), { counters });
  return undefined;
}
