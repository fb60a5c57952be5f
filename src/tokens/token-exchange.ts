import { epochSeconds } from "../platform/clock.ts";
import { delegatedScopes } from "../policy/delegation.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { DEFAULT_TTL_SECONDS, type MintInput } from "./access-token.ts";
import { type ActClaim, actOf } from "./act.ts";
import type { VerifiedToken } from "./claims.ts";
import {
  ACCESS_TOKEN_URN,
  type Grant,
  type GrantDeps,
  type GrantRequest,
  grantScopes,
  issue,
  readPolicy,
  readScopes,
  readTarget,
  sessionContext,
  TOKEN_TYPES,
} from "./grant.ts";
import { openForExchange } from "./refresh-grant.ts";
import type { Assertion } from "./session.ts";
import { isOthers, NOT_THE_CLIENTS, readSubject, type Subject, subjectOf } from "./subject.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

/**
 * RFC 8693: a token that stands for somebody in, ours out. Never wider and never longer than what came in; an
 * actor token makes it a delegation, which the policy must let.
 */
export const tokenExchangeGrant: Grant = {
  parameters: [
    ...["subject_token", "subject_token_type", "actor_token", "actor_token_type"],
    ...["requested_token_type", "scope", "audience", "resource"],
  ],
  async answer(request, deps) {
    const tokens = readTokens(request.form);
    if (!tokens.ok) return tokens;
    const asked = readScopes(request.form);
    if (!asked.ok) return asked;
    const policy = await readPolicy(deps);
    if (!policy.ok) return policy;
    const party = await readParty(tokens.value, request, policy.value, deps);
    if (!party.ok) return party;
    const target = readTarget(request.form, deps.issuer, policy.value);
    if (!target.ok) return target;
    const audience = audienceOf(target.value, party.value, deps.issuer);
    if (!audience.ok) return audience;
    const scopes = grantScopes(asked.value, party.value.scopes);
    if (!scopes.ok) return scopes;
    const asserted = assertionOf(party.value);
    const opening = asserted && { audience: audience.value, scopes: scopes.value, assertion: asserted };
    const context = sessionContext(request, policy.value, deps);
    const opened = opening && (await openForExchange(opening, context));
    if (opened) return opened.ok ? ok({ ...opened.value, issued_token_type: ACCESS_TOKEN_URN }) : opened;
    const input = { ...mintInput(party.value), audience: audience.value, scopes: scopes.value };
    const issued = await issue(input, request, deps);
    return issued.ok ? ok({ ...issued.value, issued_token_type: ACCESS_TOKEN_URN }) : issued;
  },
};

type Tokens = { subject: string; actor?: string };

/** RFC 8693 §2.1. */
function readTokens(form: URLSearchParams): Result<Tokens, OAuthError> {
  const subject = form.get("subject_token");
  if (subject === null) return invalid("The parameter subject_token is missing.");
  if (!TOKEN_TYPES.includes(form.get("subject_token_type") ?? "")) {
    return invalid(`subject_token_type must be one of ${TOKEN_TYPES.join(", ")}.`);
  }
  if (!TOKEN_TYPES.includes(form.get("requested_token_type") ?? ACCESS_TOKEN_URN)) {
    return invalid("requested_token_type must be an access token.");
  }
  const actor = form.get("actor_token");
  const type = form.get("actor_token_type");
  if (actor === null && type === null) return ok({ subject });
  if (actor === null || !TOKEN_TYPES.includes(type ?? "")) {
    return invalid(`actor_token needs actor_token_type, one of ${TOKEN_TYPES.join(", ")}.`);
  }
  return ok({ subject, actor });
}

/** For whom, by whom, and with at most which scopes. */
type Party = Pick<Subject, "subject" | "roles" | "scopes" | "endsBy"> & {
  token: VerifiedToken;
  delegated: boolean;
  act?: ActClaim;
};

async function readParty(
  tokens: Tokens,
  request: GrantRequest,
  policy: PolicyDocument,
  deps: GrantDeps,
): Promise<Result<Party, OAuthError>> {
  const { client } = request;
  const now = epochSeconds(deps.clock());
  const token = await readSubject("subject token", tokens.subject, "invalid_request", request, deps);
  if (!token.ok) return token;
  const subject = subjectOf(token.value, client, policy);
  if (subject.endsBy <= now) return invalid("The subject token is over.");
  const { act, facts, resources } = token.value;
  if (token.value.own && facts.grant !== undefined && resources.length !== 1) {
    return invalid("The subject token's grant is not for one resource.");
  }
  if (tokens.actor === undefined) {
    if (isOthers(token.value, client)) return err(NOT_THE_CLIENTS);
    return ok({ ...subject, delegated: false, ...(act ? { act } : {}) });
  }
  const actorToken = await readSubject("actor token", tokens.actor, "invalid_request", request, deps);
  if (!actorToken.ok) return actorToken;
  if (isOthers(actorToken.value, client)) return err(NOT_THE_CLIENTS);
  if (actorToken.value.act) return invalid("The actor token is itself one of delegation.");
  const actor = subjectOf(actorToken.value, client, policy);
  if (actor.endsBy <= now) return invalid("The actor token is over.");
  return delegation(subject, actor, policy);
}

function delegation(subject: Subject, actor: Subject, policy: PolicyDocument): Result<Party, OAuthError> {
  const delegated = delegatedScopes(policy, actor, subject);
  if (delegated.length === 0) return invalid("The policy lets this actor not act for this subject.");
  const act = actOf(actor.subject, subject.token.act);
  if (!act) return invalid("Too many have acted for this subject in turn.");
  return ok({
    ...subject,
    // Roles open more than the scopes that the policy delegates.
    roles: [],
    scopes: subject.scopes.filter((scope) => delegated.includes(scope)),
    endsBy: Math.min(subject.endsBy, actor.endsBy),
    delegated: true,
    act,
  });
}

/**
 * A token of ours keeps its audience, unless it is for this issuer, which is where others are got, or somebody
 * acts for its subject. What a grant gives stays at the grant's origin.
 */
function audienceOf(
  asked: string | undefined,
  { token, delegated }: Party,
  issuer: string,
): Result<string, OAuthError> {
  if (!token.own) return ok(asked ?? issuer);
  const [present] = token.audience;
  if (asked === undefined || asked === present) return ok(present!);
  if (token.facts.grant === undefined && (delegated || present === issuer)) return ok(asked);
  return err(oauthError("invalid_target", "The subject token is for another audience, and stays there."));
}

/** What a session is opened on: the word of an identity provider, of somebody who acts for themselves. */
function assertionOf({ token, roles, act }: Party): Assertion | undefined {
  const { facts, issuerId, scopes, signIn } = token;
  if (issuerId === undefined || act) return undefined;
  return { facts, issuer_id: issuerId, roles, scopes, ...(signIn ? { sign_in: signIn } : {}) };
}

function mintInput(
  party: Party,
): Omit<MintInput, "jti" | "issuedAt" | "clientId" | "audience" | "scopes" | "confirmation"> {
  const { token, subject, roles, endsBy, act } = party;
  const { grant: id, session } = token.own ? token.facts : {};
  const { accessStart, accessExpiry, maxUses, resources, signIn } = token;
  const [resource] = resources;
  const grant =
    id !== undefined && accessStart !== undefined && accessExpiry !== undefined && resource !== undefined
      ? { id, accessStart, accessExpiry, resource, ...(maxUses === undefined ? {} : { maxUses }) }
      : undefined;
  return {
    subject,
    roles,
    ttlSeconds: DEFAULT_TTL_SECONDS,
    endsBy,
    ...(grant ? { grant } : {}),
    ...(session === undefined ? {} : { session }),
    ...(act ? { act } : {}),
    // Whoever acts for a person did not see them sign in.
    ...(act || !signIn ? {} : { signIn }),
  };
}

function invalid(description: string): Result<never, OAuthError> {
  return err(oauthError("invalid_request", description));
}
