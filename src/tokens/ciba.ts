import { epochSeconds } from "../platform/clock.ts";
import { isId } from "../platform/ids.ts";
import { type OAuthError, type OAuthErrorCode, oauthError } from "../protocol/oauth-error.ts";
import type { Problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readDetail } from "./authorization-detail.ts";
import type { BackchannelAsk } from "./backchannel-port.ts";
import { type Grant, type GrantDeps, type GrantRequest, readPolicy, readScopes } from "./grant.ts";
import { givenOne, isOthers, NOT_THE_CLIENTS, readSubject, type Subject, subjectOf } from "./subject.ts";

export const CIBA = "urn:openid:params:grant-type:ciba";
const POLL_INTERVAL_SECONDS = 5;
const MAX_EXPIRY_SECONDS = 30 * 86_400;
const MAX_BINDING_CHARS = 200;
/** Shown to approvers: one line of text. */
const BINDING = /^[^\p{Cc}\p{Zl}\p{Zp}]*\S[^\p{Cc}\p{Zl}\p{Zp}]*$/u;
const HINTS = ["id_token_hint", "login_hint_token"] as const;
const PARAMETERS = [...HINTS, "scope", "authorization_details", "binding_message", "requested_expiry"];
/** Whoever may not ask for access may not have a client ask. */
const NEEDED_SCOPE = "requests:create";

export const BACKCHANNEL_PARAMETERS: readonly string[] = PARAMETERS;

/** CIBA §7.3. */
export type BackchannelAnswer = { auth_req_id: string; expires_in: number; interval: number };

/** `POST /oauth/bc-authorize` (CIBA §7): opens an access request for the person that the hint names. */
export async function authorizeBackchannel(
  request: GrantRequest,
  deps: GrantDeps,
): Promise<Result<BackchannelAnswer, OAuthError>> {
  const { form, client } = request;
  if (!client.grant_types.includes(CIBA)) {
    return err(oauthError("unauthorized_client", "This client is not registered for this grant type."));
  }
  const hint = givenOne(form, HINTS);
  if (!hint.ok) return hint;
  const what = readAsk(form);
  if (!what.ok) return what;
  const policy = await readPolicy(deps);
  if (!policy.ok) return policy;
  const token = await readSubject("hint", hint.value, "unknown_user_id", request, deps);
  if (!token.ok) return token;
  if (isOthers(token.value, client)) return err(NOT_THE_CLIENTS);
  const person = subjectOf(token.value, client, policy.value);
  if (!mayAsk(person, deps)) {
    return err(oauthError("access_denied", `This person may not ask for access here: ${NEEDED_SCOPE}.`));
  }
  const { subject, roles } = person;
  const opened = await deps.backchannel.open({ ...what.value, clientId: client.id, subject, roles });
  if (!opened.ok) return err(openFault(opened.error));
  return ok({
    auth_req_id: opened.value.id,
    expires_in: Math.max(1, opened.value.expires_at - epochSeconds(deps.clock())),
    interval: what.value.intervalSeconds,
  });
}

function mayAsk({ scopes, endsBy, token }: Subject, { clock }: GrantDeps): boolean {
  return scopes.includes(NEEDED_SCOPE) && token.act === undefined && endsBy > epochSeconds(clock());
}

/** What is asked for; `openid` (CIBA §7.1) is understood, and nothing is given for it. */
function readAsk(
  form: URLSearchParams,
): Result<Omit<BackchannelAsk, "clientId" | "subject" | "roles">, OAuthError> {
  const named = readScopes(form);
  if (!named.ok) return named;
  const detail = readDetail(form.get("authorization_details"));
  if (!detail.ok) return detail;
  const scopes = (named.value ?? detail.value?.actions ?? []).filter((scope) => scope !== "openid");
  if (scopes.length === 0) return err(oauthError("invalid_scope", "Ask for at least one scope."));
  if (named.value && detail.value?.actions && !sameItems(scopes, detail.value.actions)) {
    return err(oauthError("invalid_authorization_details", "actions and scope name different scopes."));
  }
  const message = form.get("binding_message") ?? `Asked for by a client: ${scopes.join(" ")}`.slice(0, 200);
  if (message.length > MAX_BINDING_CHARS || !BINDING.test(message)) {
    const rule = `binding_message must be one line of at most ${MAX_BINDING_CHARS} characters.`;
    return err(oauthError("invalid_binding_message", rule));
  }
  const expiry = form.get("requested_expiry");
  if (expiry !== null && !(/^[1-9]\d{0,6}$/.test(expiry) && Number(expiry) <= MAX_EXPIRY_SECONDS)) {
    return err(
      oauthError("invalid_request", "requested_expiry must be a number of seconds, at most 30 days."),
    );
  }
  const { identifier, duration_seconds, max_uses, ticket } = detail.value ?? {};
  return ok({
    scopes,
    justification: message,
    intervalSeconds: POLL_INTERVAL_SECONDS,
    ...(identifier === undefined ? {} : { resource: identifier }),
    ...(duration_seconds === undefined ? {} : { durationSeconds: duration_seconds }),
    ...(max_uses === undefined ? {} : { maxUses: max_uses }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(expiry === null ? {} : { expiresInSeconds: Number(expiry) }),
  });
}

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

function openFault({ code, detail }: Problem): OAuthError {
  if (code === "forbidden") return oauthError("access_denied", detail);
  const isClients = code === "invalid_request" || code === "invalid_body";
  return oauthError(isClients ? "invalid_request" : "temporarily_unavailable", detail);
}

/**
 * CIBA §10.1: the client polls with the id that it was given. Once approved, each poll answers a fresh access
 * token for as long as the grant is active.
 */
export const cibaGrant: Grant = {
  parameters: ["auth_req_id"],
  async answer({ form, client, confirmation }, deps) {
    const id = form.get("auth_req_id");
    if (id === null) return err(oauthError("invalid_request", "The parameter auth_req_id is missing."));
    if (!isId("req", id)) return err(UNKNOWN);
    const polled = await deps.backchannel.poll(id, client.id, confirmation ?? null);
    return polled.ok ? polled : err(pollFault(polled.error));
  },
};

const UNKNOWN = oauthError("invalid_grant", "There is no such auth_req_id of this client.");

/** How a request or its grant stands, by its state (CIBA §11). */
const ERROR_OF_STATE: Record<string, OAuthErrorCode> = {
  pending: "authorization_pending",
  scheduled: "authorization_pending",
  denied: "access_denied",
  cancelled: "access_denied",
  revoked: "access_denied",
  used_up: "access_denied",
  expired: "expired_token",
};

function pollFault({ code, detail, extra }: Problem): OAuthError {
  if (code === "not_found") return UNKNOWN;
  if (code === "too_many_requests") return oauthError("slow_down", detail);
  const error = ERROR_OF_STATE[String(extra?.state)];
  return oauthError(error ?? "temporarily_unavailable", detail);
}
