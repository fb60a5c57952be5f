import { err, ok, type Result } from "./result.ts";

/** Why no access token could be read from a field. */
export type CredentialFault = "missing" | "several" | "scheme" | "malformed" | "too_long";

/** Longest access token that is looked at. An ordinary one has under 1 KiB; cookies and proxies stop at 8 KiB. */
export const MAX_TOKEN_CHARS = 8192;

const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * Reads one access token from the `Authorization` field value (RFC 6750 §2.1, RFC 9449 §7.1).
 * workerd joins repeated fields with ", ": a comma therefore means several credentials.
 */
export function readAuthorization(
  value: string | null,
): Result<{ token: string; scheme: "bearer" | "dpop" }, CredentialFault> {
  if (value === null || value === "") return err("missing");
  if (value.length > MAX_TOKEN_CHARS + 16) return err("too_long");
  if (value.includes(",")) return err("several");
  const space = value.indexOf(" ");
  const scheme = (space === -1 ? value : value.slice(0, space)).toLowerCase();
  if (scheme !== "bearer" && scheme !== "dpop") return err("scheme");
  let start = space === -1 ? value.length : space + 1;
  while (value[start] === " ") start++;
  const text = value.slice(start);
  const token = readToken(text);
  if (token.ok) return ok({ token: token.value, scheme });
  return err(token.error === "missing" ? "malformed" : token.error);
}

/** Reads a field value that is an access token and nothing else. */
export function readToken(value: string | null): Result<string, CredentialFault> {
  if (value === null || value === "") return err("missing");
  if (value.length > MAX_TOKEN_CHARS) return err("too_long");
  if (value.includes(",")) return err("several");
  return B64TOKEN.test(value) ? ok(value) : err("malformed");
}

export type Challenge = {
  /** Absent where no credential was sent at all (RFC 6750 §3.1). */
  error?:
    | "invalid_request"
    | "invalid_token"
    | "insufficient_scope"
    | "insufficient_user_authentication"
    | "invalid_dpop_proof"
    | "use_dpop_nonce";
  description?: string;
  scope?: string;
  resourceMetadata?: string;
  /** RFC 9470 §3: values of `acr`, the one that is liked best first, and the age of the sign-in in seconds. */
  acrValues?: readonly string[];
  maxAgeSeconds?: number;
};

/** The `WWW-Authenticate` value (RFC 6750 §3, RFC 9728 §5.1). */
export function bearerChallenge(realm: string, c: Challenge = {}): string {
  return `Bearer ${challengeParameters(realm, c)}`;
}

/** The `WWW-Authenticate` value where a proof of possession is needed (RFC 9449 §7.1). */
export function dpopChallenge(realm: string, c: Challenge, algorithms: readonly string[]): string {
  return `DPoP ${challengeParameters(realm, c)}, algs=${quoted(algorithms.join(" "))}`;
}

function challengeParameters(realm: string, c: Challenge): string {
  const parts = [`realm=${quoted(realm)}`];
  if (c.error) parts.push(`error=${quoted(c.error)}`);
  if (c.description) parts.push(`error_description=${quoted(c.description)}`);
  if (c.acrValues) parts.push(`acr_values=${quoted(c.acrValues.join(" "))}`);
  if (c.maxAgeSeconds !== undefined) parts.push(`max_age=${quoted(String(c.maxAgeSeconds))}`);
  if (c.scope) parts.push(`scope=${quoted(c.scope)}`);
  if (c.resourceMetadata) parts.push(`resource_metadata=${quoted(c.resourceMetadata)}`);
  return parts.join(", ");
}

/** RFC 6750 §3 allows %x20-21 / %x23-5B / %x5D-7E inside the quotes: everything else becomes a space. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, " ")}"`;
}
