import type { Challenge } from "../protocol/bearer.ts";
import type { ProblemCode } from "../protocol/problem.ts";
import type { RefuseReason } from "./decision.ts";

/** What a client is told: the problem, and the challenge where a token is what is missing or wrong. */
export type Telling = {
  code: ProblemCode;
  detail: string;
  challenge?: Challenge;
  retryAfterSeconds?: number;
};

/** One answer for every fault of a token: a prober learns nothing from it, the log has the reason. */
const INVALID_TOKEN: Telling = {
  code: "invalid_token",
  detail: "The access token is not valid here. Get a new one and send it as `Authorization: Bearer`.",
  challenge: { error: "invalid_token", description: "The access token is not valid here" },
};
const NO_TOKEN: Telling = {
  code: "invalid_token",
  detail: "This needs an access token. Send one as `Authorization: Bearer`.",
  challenge: {},
};
const BAD_CREDENTIALS: Telling = {
  code: "invalid_request",
  detail:
    "Send exactly one access token, in one place that the route takes it from; where nothing else is said, in the Authorization header.",
  challenge: { error: "invalid_request", description: "Send one access token, in one place" },
};
/** Of a request whose token is good, but not in these hands or not in this way. */
function wrongSender(detail: string): Telling {
  return { code: "invalid_token", detail, challenge: { error: "invalid_token", description: detail } };
}
/** One answer for every fault of a proof itself (RFC 9449 §4.3). */
const INVALID_PROOF: Telling = {
  code: "invalid_token",
  detail:
    "The DPoP proof is missing or not valid for this request. Send a new one, made for its method, address and access token.",
  challenge: { error: "invalid_dpop_proof", description: "The DPoP proof is missing or not valid" },
};
const INSUFFICIENT: Telling = {
  code: "insufficient_scope",
  detail:
    "The access token does not allow this request. Ask for access, then send the token that is granted.",
  challenge: { error: "insufficient_scope", description: "The access token does not allow this" },
};
const STALE: Telling = {
  code: "stale",
  detail: "Whether the access was taken back cannot be told surely enough right now. Try again shortly.",
};

function badTarget(what: string): Telling {
  return {
    code: "invalid_target",
    detail: `The request target is refused: ${what}. Send a plain, normal path.`,
  };
}

export const TELLINGS: Record<RefuseReason, Telling> = {
  target_too_long: badTarget("it is too long"),
  target_scheme: badTarget("its scheme is not http or https"),
  target_host: badTarget("its host is not a host name"),
  target_userinfo: badTarget("it holds a user name"),
  target_control: badTarget("it holds a control character"),
  target_non_ascii: badTarget("it holds a character outside ASCII that is not percent-encoded"),
  target_character: badTarget("it holds a character that must be percent-encoded"),
  target_backslash: badTarget("it holds a backslash"),
  target_semicolon: badTarget("its path holds a semicolon"),
  target_double_slash: badTarget("its path holds an empty segment"),
  target_dot_segment: badTarget("its path holds a dot segment"),
  target_malformed_escape: badTarget("its path holds a percent sign without two hexadecimal digits"),
  target_invalid_utf8: badTarget("its path is not UTF-8 once decoded"),
  target_double_encoding: badTarget("its path is percent-encoded twice"),
  target_encoded_slash: badTarget("its path holds an encoded slash"),
  target_encoded_backslash: badTarget("its path holds an encoded backslash"),
  target_encoded_dot: badTarget("its path holds an encoded dot"),
  target_encoded_semicolon: badTarget("its path holds an encoded semicolon"),
  target_encoded_control: badTarget("its path holds an encoded control character"),
  target_encoded_unreserved: badTarget("its path encodes a character that needs no encoding"),
  no_route: { code: "no_route", detail: "No route takes this host and path." },
  method_not_allowed: { code: "method_not_allowed", detail: "The path is known, but not with this method." },
  credential_missing: NO_TOKEN,
  credential_scheme: NO_TOKEN,
  credential_several: BAD_CREDENTIALS,
  credential_in_query: BAD_CREDENTIALS,
  credential_not_taken: BAD_CREDENTIALS,
  credential_cross_site: {
    code: "forbidden",
    detail: "Another site made this request. An access token in a cookie is for requests of its own site.",
    challenge: { error: "invalid_request", description: "Another site made this request" },
  },
  credential_csrf: {
    code: "forbidden",
    detail: "This needs the session's token in the header X-CSRF-Token. The session's address tells it.",
    challenge: { error: "invalid_request", description: "X-CSRF-Token is missing or not the session's" },
  },
  credential_malformed: INVALID_TOKEN,
  credential_too_long: INVALID_TOKEN,
  token_malformed: INVALID_TOKEN,
  token_algorithm: INVALID_TOKEN,
  token_type: INVALID_TOKEN,
  token_unknown_issuer: INVALID_TOKEN,
  token_unknown_key: INVALID_TOKEN,
  token_signature: INVALID_TOKEN,
  token_claims: INVALID_TOKEN,
  token_expired: INVALID_TOKEN,
  token_not_yet_valid: INVALID_TOKEN,
  token_issuer: INVALID_TOKEN,
  token_audience: INVALID_TOKEN,
  token_revoked: INVALID_TOKEN,
  address_blocked: {
    code: "forbidden",
    detail: "Requests from this network address are refused for now.",
    challenge: {},
  },
  session_over: {
    code: "invalid_token",
    detail: "The session is over. Sign in again.",
    challenge: { error: "invalid_token", description: "The session is over" },
  },
  session_unavailable: {
    code: "unavailable",
    detail: "Whether the session is still good cannot be told right now. Try again shortly.",
  },
  sender_scheme: wrongSender(
    "Send a token that is bound to a key as DPoP, with a proof, and any other as Bearer.",
  ),
  sender_unbound: wrongSender("This needs an access token that is bound to its sender's key."),
  sender_not_taken: wrongSender("No access token that is bound to a sender's key is taken here."),
  sender_certificate: wrongSender("The access token is bound to another client certificate."),
  proof_missing: INVALID_PROOF,
  proof_several: INVALID_PROOF,
  proof_malformed: INVALID_PROOF,
  proof_type: INVALID_PROOF,
  proof_algorithm: INVALID_PROOF,
  proof_key: INVALID_PROOF,
  proof_signature: INVALID_PROOF,
  proof_claims: INVALID_PROOF,
  proof_method: INVALID_PROOF,
  proof_target: INVALID_PROOF,
  proof_time: INVALID_PROOF,
  proof_token: INVALID_PROOF,
  proof_replayed: INVALID_PROOF,
  proof_binding: wrongSender("The access token is bound to another key than the proof's."),
  proof_nonce: {
    code: "invalid_token",
    detail: "The DPoP proof needs the nonce of the header DPoP-Nonce. Send a new proof that holds it.",
    challenge: { error: "use_dpop_nonce", description: "The DPoP proof needs a nonce" },
  },
  proof_unavailable: {
    code: "unavailable",
    detail: "Whether the DPoP proof was used before cannot be told right now. Try again shortly.",
  },
  token_issuer_keys_unavailable: {
    code: "issuer_keys_unavailable",
    detail: "The keys of the token's issuer cannot be fetched right now. Try again shortly.",
    retryAfterSeconds: 10,
  },
  scope_missing: INSUFFICIENT,
  role_missing: INSUFFICIENT,
  resource_not_granted: INSUFFICIENT,
  uses_taken: {
    code: "insufficient_scope",
    detail: "Every use of the grant is taken. Ask for access anew.",
    challenge: { error: "insufficient_scope", description: "Every use of the grant is taken" },
  },
  uses_not_counted: {
    code: "forbidden",
    detail: "The uses of the token's grant are counted at the gate, and nowhere else. Call through the gate.",
    challenge: {},
  },
  uses_unavailable: {
    code: "unavailable",
    detail: "The uses of the grant cannot be counted right now, so none is taken. Try again shortly.",
  },
  condition_not_met: {
    code: "forbidden",
    detail: "The access token would do, but not for this request as it comes here and now.",
    challenge: {},
  },
  issued_too_long_ago: {
    code: "invalid_token",
    detail: "The access token was issued too long ago for this. Get a new one.",
    challenge: { error: "invalid_token", description: "The access token was issued too long ago" },
  },
  step_up_needed: {
    code: "insufficient_user_authentication",
    detail:
      "This needs a stronger or more recent sign-in. Sign in again as the challenge says, then send the new token.",
    challenge: {
      error: "insufficient_user_authentication",
      description: "A stronger or more recent sign-in is needed",
    },
  },
  limit_reached: {
    code: "too_many_requests",
    detail: "Too many requests of this kind. Try again after the time that Retry-After says.",
  },
  limit_unavailable: {
    code: "unavailable",
    detail: "How many requests were made cannot be told right now. Try again shortly.",
  },
  no_view: STALE,
  stale: STALE,
  assertion_unavailable: {
    code: "unavailable",
    detail: "The identity assertion for the origin cannot be signed right now. Try again shortly.",
  },
  request_body: { code: "invalid_request", detail: "GET and HEAD are sent without a body here." },
  origin_unreachable: { code: "bad_origin", detail: "The origin could not be reached." },
  origin_timeout: { code: "origin_timeout", detail: "The origin did not answer in time." },
  internal: { code: "internal", detail: "The request was refused because of an unexpected fault." },
};
