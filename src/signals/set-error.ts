/** RFC 8935 §2.4, the registry of Security Event Token error codes: a closed set. */
export type SetErrorCode =
  | "invalid_request"
  | "invalid_key"
  | "invalid_issuer"
  | "invalid_audience"
  | "authentication_failed"
  | "access_denied";

/** Why a security event token is not taken. Nothing is changed by one that is refused. */
export type SetFault =
  | { err: SetErrorCode; description: string }
  /** It could not be told whether it is good, or its effect could not be committed: the same again is welcome. */
  | { err: "temporarily_unavailable"; description: string };

/** 400 with the code (RFC 8935 §2.3), or 503, on which a transmitter tries again (§2.4). */
export function setErrorResponse({ err, description }: SetFault): Response {
  const headers = { "cache-control": "no-store", "content-language": "en" };
  if (err === "temporarily_unavailable") {
    return Response.json({ description }, { status: 503, headers: { ...headers, "retry-after": "5" } });
  }
  return Response.json({ err, description }, { status: 400, headers });
}
