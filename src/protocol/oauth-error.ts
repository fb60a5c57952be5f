/** Errors of the token endpoint (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 8707 §2): a closed set. */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "invalid_scope"
  | "invalid_target"
  | "invalid_dpop_proof"
  | "use_dpop_nonce"
  | "temporarily_unavailable";

/** `dpopNonce`: the nonce that the next proof has to hold (RFC 9449 §8). */
export type OAuthError = { error: OAuthErrorCode; description: string; dpopNonce?: string };

export function oauthError(error: OAuthErrorCode, description: string): OAuthError {
  return { error, description };
}

/** Never cached (RFC 6749 §5.1); a failed client authentication names the scheme (§5.2). */
export const TOKEN_RESPONSE_HEADERS = { "cache-control": "no-store", pragma: "no-cache" } as const;

export function oauthErrorResponse({ error, description, dpopNonce }: OAuthError): Response {
  const status = error === "invalid_client" ? 401 : error === "temporarily_unavailable" ? 503 : 400;
  const headers: Record<string, string> = { ...TOKEN_RESPONSE_HEADERS };
  if (status === 401) headers["www-authenticate"] = 'Basic realm="portcullis", charset="UTF-8"';
  if (dpopNonce !== undefined) headers["dpop-nonce"] = dpopNonce;
  if (status === 503) headers["retry-after"] = "1";
  return Response.json({ error, error_description: description }, { status, headers });
}
