import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import { type VerifiedToken, windowFault } from "../tokens/claims.ts";
import type { RemoteKeys } from "../tokens/remote-keys.ts";
import { type TokenFault, verifyAccessToken } from "../tokens/verify.ts";
import type { WaitUntil } from "./freshness.ts";
import type { TokenCache } from "./token-cache.ts";

export type IdentifyDeps = { issuer: string; remoteKeys: RemoteKeys; tokens: TokenCache };

/** The verified token, at once where it was verified before and everything that led to it still stands. */
export function identify(
  token: string,
  view: ReplicaView,
  nowSeconds: number,
  deps: IdentifyDeps,
  waitUntil: WaitUntil,
): Result<VerifiedToken, TokenFault> | Promise<Result<VerifiedToken, TokenFault>> {
  const known = recall(token, view, deps);
  if (!known) return verify(token, view, nowSeconds, deps, waitUntil);
  const late = windowFault(known, nowSeconds);
  return late ? err({ reason: late, token: known }) : ok(known);
}

async function verify(
  token: string,
  view: ReplicaView,
  nowSeconds: number,
  deps: IdentifyDeps,
  waitUntil: WaitUntil,
): Promise<Result<VerifiedToken, TokenFault>> {
  const verified = await verifyAccessToken(token, {
    issuer: deps.issuer,
    keys: view.keys,
    issuers: view.policy.issuers,
    remoteKeys: deps.remoteKeys,
    nowSeconds,
    waitUntil,
  });
  if (verified.ok) {
    deps.tokens.set(token, { token: verified.value, policyVersion: view.policy.version });
  }
  return verified;
}

/** Whether the view still has our key that verified the token; for another issuer's, it says nothing. */
export function holdsKey(token: VerifiedToken, view: ReplicaView): boolean {
  if (!token.own) return true;
  const key = view.keys.get(token.facts.kid);
  return key?.purpose === "access_token" && key.key === token.key;
}

function recall(token: string, view: ReplicaView, deps: IdentifyDeps): VerifiedToken | undefined {
  const cached = deps.tokens.get(token);
  if (!cached) return undefined;
  const stands = cached.token.own
    ? holdsKey(cached.token, view)
    : cached.policyVersion === view.policy.version && issuerHoldsKey(cached.token, view, deps.remoteKeys);
  if (stands) return cached.token;
  deps.tokens.delete(token);
  return undefined;
}

function issuerHoldsKey(token: VerifiedToken, view: ReplicaView, remoteKeys: RemoteKeys): boolean {
  const issuer = view.policy.issuers.get(token.facts.iss);
  return issuer !== undefined && issuer.id === token.issuerId && remoteKeys.holds(issuer, token.key);
}
