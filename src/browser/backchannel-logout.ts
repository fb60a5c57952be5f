import { epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import { sha256Bytes, utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, type Result } from "../protocol/result.ts";
import type { Revocation } from "../revocation/rule.ts";
import { endSessions } from "../tokens/end-sessions.ts";
import { SESSION_RULE_SECONDS } from "../tokens/session.ts";
import type { SessionListPort, SessionLogPort } from "../tokens/session-ports.ts";
import { type Logout, verifyLogoutToken } from "./logout-token.ts";
import type { BrowserDeps } from "./ports.ts";

export type LogoutDeps = Pick<BrowserDeps, "policy" | "keys" | "clock" | "session"> & {
  directory: SessionListPort;
  log: Pick<SessionLogPort, "append"> & { revocation(id: string): Promise<Result<unknown>> };
};

/**
 * Ends the sessions that a logout token names, and those only that began before it, by the provider's own clock. The
 * rule goes to the log first: it holds also for a session that no list shows yet, which meets it at its next token.
 * `invalid_token` for a token that is not good or came before: nothing is changed by it.
 */
export async function endByLogoutToken(text: string, deps: LogoutDeps): Promise<Result<null>> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const logout = await verifyLogoutToken(text, policy.value.issuers, deps.keys, deps.clock() / 1000);
  if (!logout.ok) return logout;
  const rule = await ruleOf(logout.value, epochSeconds(deps.clock()));
  const before = await deps.log.revocation(rule.id);
  if (before.ok) return err(problem("invalid_token", "The logout token was used already."));
  if (before.error.code !== "not_found") return before;
  const added = await deps.log.append({ id: rule.id, kind: "revocation.added", rule });
  if (!added.ok) return added;
  const { provider, sub, sid } = logout.value;
  return endSessions(
    sid === undefined ? { subject: `${provider.id}|${sub}` } : { provider_session: sid },
    rule,
    deps,
  );
}

/** One rule for one logout token, whenever and however often it comes: the log takes an id once. */
async function ruleOf({ provider, jti, iat, sub, sid }: Logout, now: number): Promise<Revocation> {
  const hash = await sha256Bytes(utf8(JSON.stringify([provider.issuer, jti])));
  return {
    id: newId("rev", iat * 1000, () => hash.subarray(0, 16)),
    match: {
      iss: provider.issuer,
      ...(sid === undefined ? {} : { session: sid }),
      ...(sub === undefined ? {} : { sub }),
    },
    issued_before: iat + 1,
    reason: "Signed out at the identity provider.",
    actor: `issuer:${provider.id}`,
    created_at: now,
    expires_at: now + SESSION_RULE_SECONDS,
  };
}
