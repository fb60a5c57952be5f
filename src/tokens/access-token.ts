import type { Json } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { LiveToken } from "../revocation/live-token.ts";

/** RFC 9068 §2.1. */
export const ACCESS_TOKEN_TYPE = "at+jwt";
export const RESOURCE_DETAIL_TYPE = "portcullis_resource";
/** What a token is held to without a grant's own limit. */
export const DEFAULT_TTL_SECONDS = 300;
const MAX_TOKEN_CLAIMS_CHARS = 4096;

/** What an access token of ours says; times are epoch seconds. */
export type MintInput = {
  jti: string;
  subject: string;
  audience: string;
  clientId: string;
  scopes: string[];
  roles?: string[];
  ttlSeconds: number;
  /** The session that it was got from (`sid`). */
  session?: string;
  /** The grant that it draws on, with its window and resource. */
  grant?: { id: string; accessStart: number; accessExpiry: number; resource: string };
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
  const exp = Math.min(now + input.ttlSeconds, grant?.accessExpiry ?? Number.POSITIVE_INFINITY);
  const claims: Record<string, Json> = {
    iss: issuer,
    sub: input.subject,
    aud: input.audience,
    client_id: input.clientId,
    iat: now,
    nbf: now,
    exp,
    jti: input.jti,
    scope: input.scopes.join(" "),
  };
  if (input.roles?.length) claims.roles = input.roles;
  if (input.session !== undefined) claims.sid = input.session;
  if (grant) {
    claims.grant = grant.id;
    claims.access_start = new Date(grant.accessStart * 1000).toISOString();
    claims.access_expiry = new Date(grant.accessExpiry * 1000).toISOString();
    claims.authorization_details = [{ type: RESOURCE_DETAIL_TYPE, identifier: grant.resource }];
  }
  if (JSON.stringify(claims).length > MAX_TOKEN_CLAIMS_CHARS) {
    return err(
      problem("conflict", "The token would be over 4 KiB: ask for fewer scopes, or carry fewer roles."),
    );
  }
  return ok(claims);
}

/** What is recorded of a token with these claims, made by {@link accessTokenClaims}. */
export function liveTokenOf(claims: Record<string, Json>, kid: string): LiveToken {
  const { jti, sub, client_id, grant, sid, aud, iat, exp } = claims as unknown as LiveToken & {
    sid?: string;
  };
  return {
    jti,
    sub,
    client_id,
    ...(grant === undefined ? {} : { grant }),
    ...(sid === undefined ? {} : { session: sid }),
    kid,
    aud,
    iat,
    exp,
  };
}
