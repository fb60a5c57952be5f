import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { RefreshRequest } from "./refresh-grant.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const TOKEN_TYPE = "urn:ietf:params:oauth:token-type:";
const SUBJECT_TOKEN_TYPES = [`${TOKEN_TYPE}access_token`, `${TOKEN_TYPE}jwt`];
export const ACCESS_TOKEN_URN = `${TOKEN_TYPE}access_token`;

/** A request of the token endpoint, its parameters checked, before anything is looked up. */
export type TokenRequest = { scopes?: string[]; audience?: string } & (
  | { grantType: "client_credentials" }
  | { grantType: typeof TOKEN_EXCHANGE; subjectToken: string }
  | ({ grantType: "refresh_token" } & RefreshRequest)
);

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;
const COMMON = ["grant_type", "scope", "audience", "resource", "client_id", "client_secret"];
const EXCHANGE = ["subject_token", "subject_token_type", "requested_token_type"];
const REFRESH = ["refresh_token", "subject_token", "subject_token_type"];

export const GRANT_TYPES_SUPPORTED = ["client_credentials", "refresh_token", TOKEN_EXCHANGE] as const;

/** RFC 6749 §3.2 and §4.4, RFC 8693 §2.1: parameters at most once; what cannot be honoured is refused by name. */
export function readTokenRequest(form: URLSearchParams): Result<TokenRequest, OAuthError> {
  const repeated = [...new Set(form.keys())].find((name) => form.getAll(name).length > 1);
  if (repeated) return invalid(`The parameter ${printable(repeated)} is given more than once.`);
  const grantType = form.get("grant_type");
  if (!grantType) return invalid("The parameter grant_type is missing.");
  const common = readCommon(form);
  if (!common.ok) return common;
  if (grantType === "client_credentials") {
    return unknownParameter(form, COMMON) ?? ok({ ...common.value, grantType });
  }
  if (grantType === "refresh_token") return readRefresh(form, common.value);
  if (grantType !== TOKEN_EXCHANGE) {
    return err(oauthError("unsupported_grant_type", `Use one of ${GRANT_TYPES_SUPPORTED.join(", ")}.`));
  }
  const subject = readSubjectToken(form);
  if (!subject.ok) return subject;
  const requested = form.get("requested_token_type") ?? ACCESS_TOKEN_URN;
  if (!SUBJECT_TOKEN_TYPES.includes(requested))
    return invalid("requested_token_type must be an access token.");
  if (form.has("actor_token")) return invalid("actor_token is not supported.");
  return (
    unknownParameter(form, [...COMMON, ...EXCHANGE]) ?? ok({ ...common.value, grantType, ...subject.value })
  );
}

/** RFC 6749 §6; with a subject token, the identity provider's word is renewed as well. */
function readRefresh(
  form: URLSearchParams,
  common: { scopes?: string[]; audience?: string },
): Result<TokenRequest, OAuthError> {
  const refreshToken = form.get("refresh_token");
  if (!refreshToken) return invalid("The parameter refresh_token is missing.");
  const unknown = unknownParameter(form, [...COMMON, ...REFRESH]);
  if (unknown) return unknown;
  const request = { ...common, grantType: "refresh_token", refreshToken } as const;
  if (!form.has("subject_token")) return ok(request);
  const subject = readSubjectToken(form);
  return subject.ok ? ok({ ...request, ...subject.value }) : subject;
}

function readSubjectToken(form: URLSearchParams): Result<{ subjectToken: string }, OAuthError> {
  const subjectToken = form.get("subject_token");
  if (!subjectToken) return invalid("The parameter subject_token is missing.");
  if (SUBJECT_TOKEN_TYPES.includes(form.get("subject_token_type") ?? "")) return ok({ subjectToken });
  return invalid(`subject_token_type must be one of ${SUBJECT_TOKEN_TYPES.join(", ")}.`);
}

function readCommon(form: URLSearchParams): Result<{ scopes?: string[]; audience?: string }, OAuthError> {
  const scope = form.get("scope");
  if (scope !== null && !SCOPE.test(scope)) {
    return err(oauthError("invalid_scope", "scope must be scope tokens separated by one space."));
  }
  const audience = form.get("audience");
  const resource = form.get("resource");
  if (audience !== null && resource !== null && audience !== resource) {
    return err(oauthError("invalid_target", "audience and resource name different targets; give one."));
  }
  const target = audience ?? resource;
  return ok({
    ...(scope === null ? {} : { scopes: [...new Set(scope.split(" "))] }),
    ...(target === null ? {} : { audience: target }),
  });
}

function unknownParameter(form: URLSearchParams, known: string[]) {
  const name = [...form.keys()].find((key) => !known.includes(key));
  return name === undefined ? undefined : invalid(`The parameter ${printable(name)} is not known here.`);
}

function invalid(description: string) {
  return err(oauthError("invalid_request", description));
}

/** RFC 6749 §5.2: a description is printable ASCII without quote and backslash. */
function printable(name: string): string {
  return name.slice(0, 64).replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "?");
}

/** The scopes that are granted: the asked ones where all are allowed, all allowed ones where none is asked for. */
export function grantScopes(asked: string[] | undefined, allowed: string[]): Result<string[], OAuthError> {
  const refused = asked?.filter((scope) => !allowed.includes(scope)) ?? [];
  if (refused.length) return err(oauthError("invalid_scope", `Not allowed here: ${refused.join(" ")}.`));
  return ok(asked ?? allowed);
}
