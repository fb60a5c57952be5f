import { mayAsk } from "../policy/access-rules.ts";
import type { PolicyDocument, Route } from "../policy/document.ts";
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
