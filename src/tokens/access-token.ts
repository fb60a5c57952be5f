import { MAX_CLAIMS_BYTES } from "../policy/token-size.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { utf8 } from "../protocol/encoding.ts";
import type { Json } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import type { StatusReference } from "../protocol/status-list.ts";
import type { LiveToken } from "../revocation/live-token.ts";
import type { ActClaim } from "./act.ts";

/** RFC 9068 §2.1. */
export const ACCESS_TOKEN_TYPE = "at+jwt";
export const RESOURCE_DETAIL_TYPE = "portcullis_resource";
/** What a token is held to without a grant's own limit. */
export const DEFAULT_TTL_SECONDS = 300;

/** What an access token of ours says; times are epoch seconds. */
export type MintInput = {
  jti: string;
  subject: string;
  audience: string;
  clientId: string;
  scopes: string[];
  roles?: string[];
  ttlSeconds: number;
  /** When its client was authenticated, where it was: the token counts as issued then. */
  issuedAt?: number;
  /** The end of what it was exchanged for: it does not outlive that, epoch seconds. */
  endsBy?: number;
  /** The session that it was got from (`sid`). */
  session?: string;
  /** Who acts for the subject. */
  act?: ActClaim;
  /** How the subject signed in, where that is known and nobody acts for them. */
  signIn?: SignIn;
  /** The grant that it draws on, with its window and resource; `maxUses` where its uses are counted. */
  grant?: { id: string; accessStart: number; accessExpiry: number; resource: string; maxUses?: number };
  /** Where its status is told to verifiers that do not ask us (draft-ietf-oauth-status-list §6). */
  status?: StatusReference;
  /** The key that whoever uses it must prove to hold. */
  confirmation?: Confirmation;
};

export type MintedToken = { accessToken: string; jti: string; expiresAt: number; expiresInSeconds: number };

/**
 * The claims of an access token (RFC 9068 §2.2). `exp` is never later than the grant's end; outside the
 * grant's window nothing is minted.
 */
export function accessTokenClaims(
  input: MintInput,
  issuer: string,
  now: number,
): Result<Record<string, Json>> {
  const { grant } = input;
  if (grant && now < grant.accessStart) return err(problem("conflict", "The grant has not started yet."));
  if (grant && now >= grant.accessExpiry) return err(problem("gone", "The grant is over."));
  // A client's secret that is given up between authentication and signature takes the token with it.
  const iat = Math.min(now, input.issuedAt ?? now);
  const exp = Math.min(iat + input.ttlSeconds, input.endsBy ?? Infinity, grant?.accessExpiry ?? Infinity);
  if (exp <= now) return err(problem("gone", "What the token would be drawn from is over."));
  const claims: Record<string, Json> = {
    iss: issuer,
    sub: input.subject,
    aud: input.audience,
    client_id: input.clientId,
    iat,
    nbf: iat,
    exp,
    jti: input.jti,
    scope: input.scopes.join(" "),
  };
  if (input.roles?.length) claims.roles = input.roles;
  if (input.confirmation) claims.cnf = input.confirmation;
  if (input.session !== undefined) claims.sid = input.session;
  if (input.status) claims.status = { status_list: input.status };
  if (input.act) claims.act = input.act;
  if (input.signIn) Object.assign(claims, input.signIn);
  if (grant) {
    claims.grant = grant.id;
    claims.access_start = new Date(grant.accessStart * 1000).toISOString();
    claims.access_expiry = new Date(grant.accessExpiry * 1000).toISOString();
    if (grant.maxUses !== undefined) claims.max_uses = grant.maxUses;
    claims.authorization_details = [{ type: RESOURCE_DETAIL_TYPE, identifier: grant.resource }];
  }
  if (utf8(JSON.stringify(claims)).length > MAX_CLAIMS_BYTES) {
    const detail = "The access token would be over 4 KiB: ask for fewer scopes.";
    return err(problem("body_too_large", detail));
  }
  return ok(claims);
}

/** What is recorded of a token with these claims, made by {@link accessTokenClaims}. */
export function liveTokenOf(claims: Record<string, Json>, kid: string): LiveToken {
  const { jti, sub, client_id, grant, sid, cnf, aud, iat, exp } = claims as unknown as LiveToken & {
    sid?: string;
    cnf?: Confirmation;
  };
  return {
    jti,
    sub,
    client_id,
    ...(grant === undefined ? {} : { grant }),
    ...(sid === undefined ? {} : { session: sid }),
    ...(cnf?.jkt === undefined ? {} : { jkt: cnf.jkt }),
    kid,
    aud,
    iat,
    exp,
  };
}
