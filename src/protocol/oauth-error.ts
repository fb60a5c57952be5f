/** Errors of the OAuth endpoints (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 8707 §2, RFC 9396 §5, CIBA §11 and §13): a closed set. */
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
  | "invalid_authorization_details"
  | "invalid_binding_message"
  | "unknown_user_id"
  | "access_denied"
  | "authorization_pending"
  | "slow_down"
  | "expired_token"
  | "temporarily_unavailable";

export type OAuthError = {
  error: OAuthErrorCode;
  description: string;
  /** The answer is 429, and a repeat before then is refused as well. */
  retryAfterSeconds?: number;
  /** The nonce that the next proof has to hold (RFC 9449 §8). */
  dpopNonce?: string;
};

export function oauthError(error: OAuthErrorCode, description: string): OAuthError {
  return { error, description };
}

/** RFC 6749 §5.2 has no code for it; `slow_down` (RFC 8628 §3.5) makes clients that poll wait longer. */
export function tooManyRequests(description: string, retryAfterSeconds: number): OAuthError {
  return { error: "slow_down", description, retryAfterSeconds };
}

/** Never cached (RFC 6749 §5.1). */
export const TOKEN_RESPONSE_HEADERS = { "cache-control": "no-store", pragma: "no-cache" } as const;

/** A failed client authentication names the scheme (RFC 6749 §5.2). `deniedStatus`: of `access_denied` (CIBA §13). */
export function oauthErrorResponse(fault: OAuthError, deniedStatus: 400 | 403 = 400): Response {
  const status = fault.error === "access_denied" ? deniedStatus : statusOf(fault);
  const headers: Record<string, string> = { ...TOKEN_RESPONSE_HEADERS };
  if (status === 401) headers["www-authenticate"] = 'Basic realm="portcullis", charset="UTF-8"';
  if (fault.dpopNonce !== undefined) headers["dpop-nonce"] = fault.dpopNonce;
  if (status === 503) headers["retry-after"] = "1";
  if (status === 429) headers["retry-after"] = String(fault.retryAfterSeconds);
  const body = { error: fault.error, error_description: printable(fault.description) };
  return Response.json(body, { status, headers });
}

function statusOf({ error, retryAfterSeconds }: OAuthError): number {
  if (retryAfterSeconds !== undefined) return 429;
  if (error === "invalid_client") return 401;
  return error === "temporarily_unavailable" ? 503 : 400;
}

/** A description is printable ASCII without quote and backslash (RFC 6749 §5.2). */
export function printable(text: string): string {
  return text.replaceAll('"', "'").replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "?");
}
