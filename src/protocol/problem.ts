/**
 * Problem details (RFC 9457). The set of codes is closed: a client can switch over it, and every code has
 * one status and one title. `detail` says what is wrong, why, and what to do; it never holds a token, a
 * secret or a claim set.
 */
const PROBLEMS = {
  invalid_request: [400, "The request is malformed"],
  invalid_body: [400, "The body does not fit its schema"],
  invalid_target: [400, "The request target is refused"],
  invalid_token: [401, "The access token is missing or not valid"],
  insufficient_user_authentication: [401, "A stronger or more recent sign-in is needed"],
  invalid_signature: [401, "The signature does not verify"],
  insufficient_scope: [403, "The access token does not allow this"],
  passkey_required: [403, "A passkey must confirm this"],
  forbidden: [403, "This is not yours to do"],
  not_found: [404, "Nothing is here"],
  no_route: [404, "No route matches"],
  method_not_allowed: [405, "The method is not allowed here"],
  conflict: [409, "The state does not allow this"],
  idempotency_mismatch: [409, "The Idempotency-Key was used with another body"],
  gone: [410, "The time for this is over"],
  precondition_failed: [412, "The version is not the one you edited"],
  body_too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The media type is not accepted"],
  unprocessable: [422, "This cannot be done"],
  precondition_required: [428, "The request must name the version it edits"],
  too_many_requests: [429, "Too many requests"],
  internal: [500, "An unexpected fault"],
  bad_origin: [502, "The origin did not answer properly"],
  misconfigured: [503, "The deployment is not configured"],
  unavailable: [503, "A part that is needed did not answer"],
  stale: [503, "The revocation state is too old for this route"],
  issuer_keys_unavailable: [503, "The issuer's keys cannot be fetched"],
  origin_timeout: [504, "The origin did not answer in time"],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

type Member = string | number | boolean | string[];

/** A refusal as data. `extra` members are added to the wire form. */
export type Problem = {
  code: ProblemCode;
  detail: string;
  extra?: { [member: string]: Member | { [member: string]: Member | { [member: string]: Member }[] } };
};

export const problemCodes = Object.keys(PROBLEMS) as ProblemCode[];

export function problem(code: ProblemCode, detail: string, extra?: Problem["extra"]): Problem {
  return extra === undefined ? { code, detail } : { code, detail, extra };
}

export function problemStatus(code: ProblemCode): number {
  return PROBLEMS[code][0];
}

export function problemTitle(code: ProblemCode): string {
  return PROBLEMS[code][1];
}

const OF_THE_FORM: ReadonlySet<string> = new Set(["type", "title", "status", "detail", "instance", "code"]);

/** The problem in the wire form that {@link problemResponse} made. */
export function readProblem(body: unknown): Problem {
  const { code, detail } = body as Problem;
  const extra = Object.entries(body as object).filter(([name]) => !OF_THE_FORM.has(name));
  return problem(code, detail, extra.length > 0 ? Object.fromEntries(extra) : undefined);
}

/** The wire form, `application/problem+json`. `instance` is the request or decision id. */
export function problemResponse(
  p: Problem,
  instance: string,
  headers: Record<string, string> = {},
): Response {
  const [status, title] = PROBLEMS[p.code];
  const body = {
    ...p.extra,
    type: `urn:portcullis:problem:${p.code}`,
    title,
    status,
    detail: p.detail,
    instance: `urn:portcullis:request:${instance}`,
    code: p.code,
  };
  const retry = status === 503 ? { "retry-after": "1" } : {};
  return Response.json(body, {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...retry,
      ...headers,
    },
  });
}
