import { utf8 } from "../protocol/encoding.ts";
import type { AccessRule } from "./document.ts";
import type { Draft, Part } from "./draft.ts";

/** An access token is at most 4 KiB, with the header and the longest signature that a key of ours makes (RS256). */
export const MAX_TOKEN_BYTES = 4_096;
const HEADER_AND_SIGNATURE_BYTES = 128 + 342 + 2;
/** What base64url leaves of it for the claims, as JSON. */
export const MAX_CLAIMS_BYTES = Math.floor(((MAX_TOKEN_BYTES - HEADER_AND_SIGNATURE_BYTES) * 3) / 4);

const ID = "x".repeat(30);
const MOMENT = 1e10;
const RFC3339 = "2026-01-01T00:00:00.000Z";
/** An issuer's id of 64, and a `sub` of an ordinary identity provider. */
const SUBJECT = "x".repeat(64 + 1 + 128);
const RESOURCE_CHARS = 256;

/**
 * The claims of the longest token that a part of the policy can lead to by itself: every scope of it, one role,
 * the longest resource, a sender's key, a sign-in and one actor. What people carry beyond that is refused when it is minted.
 */
function worstClaimsBytes(
  issuer: string,
  audience: string,
  part: { scopes: readonly string[]; role?: string; grant?: boolean; status?: boolean },
): number {
  const window = { access_start: RFC3339, access_expiry: RFC3339 };
  const detail = { type: "portcullis_resource", identifier: "x".repeat(RESOURCE_CHARS) };
  const claims = {
    ...{ iss: issuer, sub: SUBJECT, aud: audience, client_id: ID, jti: ID, sid: ID },
    ...{ iat: MOMENT, nbf: MOMENT, exp: MOMENT, scope: part.scopes.join(" ") },
    ...(part.role === undefined ? {} : { roles: [part.role] }),
    ...(part.grant ? { grant: ID, ...window, authorization_details: [detail] } : {}),
    ...(part.status
      ? { status: { status_list: { idx: 131_071, uri: `${issuer}/v1/status-lists/999999` } } }
      : {}),
    cnf: { jkt: "x".repeat(43) },
    ...{ acr: "x".repeat(128), auth_time: MOMENT },
    act: { sub: ID },
  };
  return utf8(JSON.stringify(claims)).length;
}

/** The access rules and roles whose tokens alone would be over {@link MAX_TOKEN_BYTES}. */
export function tokenSizeFaults(draft: Draft, issuer: string): string[] {
  const audiences = [issuer, ...draft.origins.map(({ value }) => value.audience)];
  const longest = audiences.reduce((a, b) => (b.length > a.length ? b : a));
  return [
    ...draft.accessRules.flatMap(({ at, value }: Part<AccessRule>) =>
      tooLarge(
        `${at}.scopes`,
        worstClaimsBytes(issuer, longest, {
          scopes: value.scopes,
          grant: true,
          status: value.status_list === true,
        }),
      ),
    ),
    ...draft.roles.flatMap(({ at, name, value }) =>
      tooLarge(`${at}.scopes`, worstClaimsBytes(issuer, longest, { scopes: value.scopes, role: name })),
    ),
  ];
}

function tooLarge(at: string, bytes: number): string[] {
  const excess = bytes - MAX_CLAIMS_BYTES;
  if (excess <= 0) return [];
  return [
    `${at}: an access token with all of them would be over 4 KiB; shorten or split them by ${excess} bytes`,
  ];
}
