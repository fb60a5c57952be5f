import type { RequestContext } from "../platform/http.ts";
import { siblingId } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import type { Json } from "../protocol/json.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { problemStatus } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import type { VerifiedToken } from "./claims.ts";
import type { ClientAuthDeps, OAuthClient } from "./client-auth.ts";
import type { Sessions } from "./refresh-grant.ts";
import { tokenTypeOf } from "./sender-binding.ts";

export type TokenStateDeps = ClientAuthDeps & {
  sessions: Pick<Sessions, "session" | "sessionOf">;
  /** Verifies an access token of ours for any audience, and asks the log itself whether it was revoked. */
  /** `toEnd`: the token is about to be revoked, so that what is demanded of it does not matter. */
  verifyOwn(token: string, context: RequestContext, toEnd: boolean): Promise<Result<VerifiedToken>>;
  log: {
    append(entry: { id: string; kind: "revocation.added"; rule: Revocation }): Promise<Result<Receipt>>;
  };
};

/** RFC 7662 §2.2. Whatever is not good, or not the caller's to know of, is this and nothing else. */
const INACTIVE = { active: false } as const;

/** A token of ours that is good now, of whichever kind; undefined for everything else. */
type Live = { kind: "access"; token: VerifiedToken } | { kind: "refresh"; session: SessionRecord };

/** Answers RFC 7662: an access token to its client and to resource servers of its audience, a refresh token to its client. */
export async function introspect(
  token: string,
  client: OAuthClient,
  deps: TokenStateDeps,
  context: RequestContext,
): Promise<Result<Record<string, Json>, OAuthError>> {
  const live = await liveToken(token, deps, context, false);
  if (!live.ok) return live;
  if (!live.value) return ok(INACTIVE);
  return ok(
    live.value.kind === "access"
      ? shownAccess(live.value.token, client)
      : shownRefresh(live.value.session, client),
  );
}

/**
 * Revokes (RFC 7009): a refresh token ends its session and all that came of it, an access token itself. What
 * is unknown, over or another client's is left as it is, and the answer is the same.
 */
export async function revokeToken(
  token: string,
  client: OAuthClient,
  deps: TokenStateDeps,
  context: RequestContext,
): Promise<Result<null, OAuthError>> {
  const sessionId = await deps.sessions.sessionOf("refresh_token", token);
  if (sessionId !== undefined) {
    const ended = await deps.sessions
      .session(sessionId)
      .revoke(client.id, "Revoked by its client.", client.id);
    return ended.ok || ended.error.code === "not_found" ? ok(null) : unavailable(ended.error.detail);
  }
  const live = await liveToken(token, deps, context, true);
  if (!live.ok) return live;
  if (live.value?.kind !== "access" || live.value.token.facts.client_id !== client.id) return ok(null);
  const rule = ruleFor(live.value.token, client.id, Math.floor(deps.clock() / 1000));
  const receipt = await deps.log.append({ id: rule.id, kind: "revocation.added", rule });
  // Somebody revoked it at the same time.
  return receipt.ok || receipt.error.code === "conflict" ? ok(null) : unavailable(receipt.error.detail);
}

async function liveToken(
  token: string,
  deps: TokenStateDeps,
  context: RequestContext,
  toEnd: boolean,
): Promise<Result<Live | undefined, OAuthError>> {
  const sessionId = await deps.sessions.sessionOf("refresh_token", token);
  if (sessionId !== undefined) {
    const found = await deps.sessions.session(sessionId).find(await sha256Hex(token));
    if (found.ok) return ok({ kind: "refresh", session: found.value });
    return found.error.code === "not_found" ? ok(undefined) : unavailable(found.error.detail);
  }
  const verified = await deps.verifyOwn(token, context, toEnd);
  if (verified.ok) return ok({ kind: "access", token: verified.value });
  // A token that cannot be told to be good or bad is not said to be either.
  return problemStatus(verified.error.code) < 500 ? ok(undefined) : unavailable(verified.error.detail);
}

function shownAccess(token: VerifiedToken, client: OAuthClient): Record<string, Json> {
  const { facts, audience, scopes, expiresAt, notBefore, maxUses, confirmation, signIn } = token;
  const { iss, sub, iat, jti, client_id, grant, session } = facts;
  // Its uses are counted at the gate: whoever takes it elsewhere cannot.
  const served = maxUses === undefined && audience.some((each) => client.introspects?.includes(each));
  if (client_id !== client.id && !served) return INACTIVE;
  const shown = {
    iss,
    sub,
    aud: audience,
    client_id,
    iat,
    nbf: notBefore,
    exp: expiresAt,
    jti,
    grant,
    sid: session,
    cnf: confirmation,
    max_uses: maxUses,
    // RFC 9470 §6.2.
    ...signIn,
  };
  const tokenType = tokenTypeOf(confirmation);
  const members = Object.entries({ scope: scopes.join(" "), token_type: tokenType, ...shown });
  const known = members.flatMap(([name, value]): [string, Json][] =>
    value === undefined ? [] : [[name, value]],
  );
  return { active: true, ...Object.fromEntries(known) };
}

function shownRefresh(session: SessionRecord, client: OAuthClient): Record<string, Json> {
  if (session.client_id !== client.id) return INACTIVE;
  const { id: sid, subject: sub, client_id, audience: aud, scope, refreshed_at: iat, cnf } = session;
  const exp = Math.min(session.idle_end, session.absolute_end);
  return { active: true, scope, client_id, sub, aud, iat, exp, sid, ...(cnf ? { cnf } : {}) };
}

/** Until the token is over; KV keeps its entry for a minute at least. */
function ruleFor({ facts, expiresAt }: VerifiedToken, actor: string, now: number): Revocation {
  const { iss, jti = "" } = facts;
  return {
    id: siblingId("rev", jti),
    match: { iss, jti },
    reason: "Revoked by its client.",
    actor,
    created_at: now,
    expires_at: expiresAt,
  };
}

function unavailable(detail: string): Result<never, OAuthError> {
  return err(oauthError("temporarily_unavailable", detail));
}
