import type { Clock } from "../platform/clock.ts";
import { addressBlock, PLAIN_IPV4 } from "../protocol/address-block.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { Effect, Revocation } from "../revocation/rule.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import { type Refusal, refusal } from "./decision.ts";
import { clientAddress } from "./observation.ts";
import { AHEAD_SECONDS } from "./permission.ts";
import type { Trace } from "./trace.ts";

type StepUp = Extract<Effect, { kind: "step_up" }>;

/** Reading an IPv6 address takes as long as half a request: those that were read lately are remembered. */
const blocks = new Map<string, string>();
const MAX_BLOCKS = 2_000;

/** The request's address as rules spell it; undefined where nobody vouches for one. */
export function addressOf(headers: Pick<Headers, "get">): string | undefined {
  const address = clientAddress({ headers });
  if (address === undefined || PLAIN_IPV4.test(address)) return address;
  const known = blocks.get(address);
  if (known !== undefined) return known;
  const block = addressBlock(address);
  if (blocks.size >= MAX_BLOCKS) blocks.clear();
  blocks.set(address, block);
  return block;
}

/** Whether a rule refuses every request from where this one came. Without such rules, no header is looked at. */
export function isBlocked(
  headers: Pick<Headers, "get"> | undefined,
  { revocations }: ReplicaView,
  clock: Clock,
  trace: Trace | undefined,
): boolean {
  if (!headers || !revocations.blocksAddresses) return false;
  const address = addressOf(headers);
  const blocked = address !== undefined && revocations.blocks(address, clock() / 1000) !== undefined;
  trace?.note("address", !blocked);
  return blocked;
}

/**
 * The token as rules leave it: without the scopes that they take from it, or refused where they demand another
 * sign-in than is behind it.
 */
export function constrain(
  token: VerifiedToken,
  rules: readonly Revocation[],
  nowSeconds: number,
  trace: Trace | undefined,
): Result<VerifiedToken, Refusal> {
  const withheld = new Set<string>();
  for (const { effect } of rules) {
    if (effect?.kind === "shrink_scope") for (const scope of effect.scopes) withheld.add(scope);
    if (effect?.kind !== "step_up" || isMet(effect, token, nowSeconds)) continue;
    const stepUp = demandOf(effect, nowSeconds);
    trace?.note("step_up", false, stepUp);
    return err(refusal("step_up_needed", { stepUp }));
  }
  return ok(withheld.size > 0 ? without(token, withheld) : token);
}

function isMet(effect: StepUp, { signIn }: VerifiedToken, nowSeconds: number): boolean {
  const { acr_values: values, signed_in_since: since } = effect;
  const { acr, auth_time: authTime } = signIn ?? {};
  if (values !== undefined && (acr === undefined || !values.includes(acr))) return false;
  if (since === undefined) return true;
  return authTime !== undefined && authTime >= since && authTime <= nowSeconds + AHEAD_SECONDS;
}

/** As RFC 9470 §3 tells a client: a sign-in since a moment is one that is at most so old. */
function demandOf({ acr_values, signed_in_since: since }: StepUp, nowSeconds: number) {
  return {
    ...(acr_values ? { acr_values } : {}),
    ...(since === undefined ? {} : { max_age_seconds: Math.max(0, Math.floor(nowSeconds - since)) }),
  };
}

type Narrowed = { withheld: string; token: VerifiedToken };

/** Made once for each token: what is remembered of a token, as its assertions, is remembered of the narrowed one too. */
const narrowed = new WeakMap<VerifiedToken, Narrowed>();

function without(token: VerifiedToken, scopes: ReadonlySet<string>): VerifiedToken {
  const withheld = [...scopes].sort().join(" ");
  const known = narrowed.get(token);
  if (known?.withheld === withheld) return known.token;
  const rest = { ...token, scopes: token.scopes.filter((scope) => !scopes.has(scope)) };
  narrowed.set(token, { withheld, token: rest });
  return rest;
}
