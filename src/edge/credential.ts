import { type BearerFault, readBearer } from "../protocol/bearer.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** Why the credential cannot be used; that there is none is no fault here. */
export type CredentialFault = "in_query" | Exclude<BearerFault, "missing">;

/**
 * The one access token of a request: a bearer token in `Authorization`, or undefined where that is absent.
 * A token in the query is refused, not read (RFC 9700 §4.3.2): it is in logs and histories by now. Bodies
 * are not looked at.
 */
export function readCredential(
  authorization: string | null,
  search: string,
): Result<string | undefined, CredentialFault> {
  if (hasTokenParameter(search)) return err("in_query");
  const token = readBearer(authorization);
  if (token.ok) return token;
  return token.error === "missing" ? ok(undefined) : err(token.error);
}

function hasTokenParameter(search: string): boolean {
  // Names without an escape need no parsing, and most queries have none.
  if (!search.includes("%") && !search.includes("access_token")) return false;
  return new URLSearchParams(search).has("access_token");
}
