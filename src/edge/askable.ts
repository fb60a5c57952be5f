import { mayAsk } from "../policy/access-rules.ts";
import type { PolicyDocument, Route } from "../policy/document.ts";
import { RESOURCE_DETAIL_TYPE } from "../tokens/access-token.ts";
import { actorsOf } from "../tokens/act.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import { resourceOf } from "./permission.ts";

/** What somebody may ask for to be let through. */
export type Askable = { resource: string; scopes: string[] };

/**
 * What a route needs, where an access rule lets whoever sent the token ask for it now. Of rules that do not, it
 * tells nothing.
 */
export function askable(
  { access_rules: rules }: PolicyDocument,
  { access, origin }: Route,
  params: Record<string, string>,
  token: VerifiedToken,
  nowSeconds: number,
): Askable | undefined {
  if (access === "public" || access.resource === undefined) return undefined;
  const resource = resourceOf(access.resource, params);
  // Of those of which one is enough, one.
  const scopes = [...access.scopes, ...(access.any_scopes?.slice(0, 1) ?? [])];
  if (resource === undefined || scopes.length === 0) return undefined;
  const { facts, roles, act } = token;
  // It says nothing of its person's roles: they learn what the route needs, whatever the rules say.
  if (facts.grant !== undefined) return { resource, scopes };
  const person = { subject: facts.subject, roles, clientId: facts.client_id ?? facts.subject };
  const wish = { ...person, actors: actorsOf(act), resource, scopes };
  const covers = rules.some(
    (rule) =>
      rule.origin === origin &&
      scopes.every((scope) => rule.scopes.includes(scope)) &&
      mayAsk(rule, wish, Math.floor(nowSeconds)),
  );
  return covers ? { resource, scopes } : undefined;
}

/** What to ask for and where; `authorization_details` (RFC 9396 §2) as the backchannel takes them. */
export function presentAsk({ resource, scopes }: Askable, issuer: string) {
  return {
    resource,
    scope: scopes.join(" "),
    authorization_details: [{ type: RESOURCE_DETAIL_TYPE, identifier: resource, actions: scopes }],
    request_url: accessRequestsUrl(issuer),
  };
}

/** Where access that is missing can be asked for (RFC 8288 §2.1.2). */
export function askLink(issuer: string): string {
  return `<${accessRequestsUrl(issuer)}>; rel="urn:portcullis:rel:access-request"`;
}

function accessRequestsUrl(issuer: string): string {
  return `${issuer}/v1/access-requests`;
}
