import * as z from "zod";
import { permissionFault } from "../edge/permission.ts";
import { conditionFacts } from "../edge/request-facts.ts";
import { readTarget } from "../edge/target.ts";
import type { CompiledPolicy } from "../policy/compiled.ts";
import type { VerifiedToken } from "../tokens/claims.ts";

const strings = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(" ").filter(Boolean)),
]);

/** Who asks: what a token that is good says of them. Absent: a request without a token. */
const tokenSchema = z.strictObject({
  subject: z.string(),
  client_id: z.string().default(""),
  scope: strings.default([]),
  roles: strings.default([]),
  /** Resources that it was granted for. */
  resources: strings.default([]),
  /** Absent: the origin's own. */
  audience: z.string().optional(),
  /** Seconds since it was issued. */
  age_seconds: z.number().default(0),
  acr: z.string().optional(),
  /** Seconds since its person signed in. */
  signed_in_seconds_ago: z.number().optional(),
});

const trialSchema = z.strictObject({
  name: z.string(),
  request: z.strictObject({
    method: z.string().default("GET"),
    url: z.string(),
    headers: z.record(z.string(), z.string()).default({}),
    cf: z.record(z.string(), z.json()).optional(),
  }),
  token: tokenSchema.optional(),
  /** When, ISO 8601; absent: now. */
  at: z.iso.datetime({ offset: true }).optional(),
  expect: z.strictObject({
    outcome: z.enum(["allow", "refuse"]),
    reason: z.string().optional(),
    route: z.string().optional(),
  }),
});

/** A file of tests: sample requests, and what the policy must decide on each. */
export const trialFileSchema = z.strictObject({ tests: z.array(trialSchema).min(1) });

export type Trial = z.output<typeof trialSchema>;
export type TrialDecision = { outcome: "allow" | "refuse"; reason: string; route?: string };

/**
 * What the gate decides on a request whose token is good: target, route, audience, scopes, roles, resource, age, step-up
 * and condition, by the gate's own functions. Signatures, revocations and limits are no matter of a policy.
 */
export function decideTrial(trial: Trial, policy: CompiledPolicy, nowSeconds: number): TrialDecision {
  const { request, token } = trial;
  const now = trial.at === undefined ? nowSeconds : Math.floor(Date.parse(trial.at) / 1000);
  const target = readTarget(request.url);
  if (!target.ok) return refuse(`target_${target.error}`);
  const match = policy.routes.match(target.value.host, target.value.routePath, request.method);
  if (match.kind === "none") return refuse("no_route");
  if (match.kind === "method") return refuse("method_not_allowed");
  const { route, params } = match;
  if (route.access === "public") return { outcome: "allow", reason: "public", route: route.id };
  if (!token) return refuse("credential_missing", route.id);
  const audience = policy.origins.get(route.origin)?.audience ?? "";
  if ((token.audience ?? audience) !== audience) return refuse("wrong_audience", route.id);
  const verified = verifiedOf(token, audience, now);
  const condition = policy.conditions.get(route.id);
  const timeZone = route.access.time_zone ?? "UTC";
  const facts = { ...request, target: target.value, params, timeZone, headers: new Headers(request.headers) };
  const holds = () => condition?.(conditionFacts(facts, verified, now)) === true;
  const fault = permissionFault(route.access, params, verified, now, { holds });
  return fault ? refuse(fault, route.id) : { outcome: "allow", reason: "token", route: route.id };
}

function refuse(reason: string, route?: string): TrialDecision {
  return { outcome: "refuse", reason, ...(route === undefined ? {} : { route }) };
}

function verifiedOf(token: NonNullable<Trial["token"]>, audience: string, now: number): VerifiedToken {
  const { subject, client_id, acr, signed_in_seconds_ago: signedIn } = token;
  const signIn = {
    ...(acr === undefined ? {} : { acr }),
    ...(signedIn === undefined ? {} : { auth_time: now - signedIn }),
  };
  return {
    facts: { iss: "", sub: subject, subject, iat: now - token.age_seconds, kid: "", client_id },
    own: true,
    audience: [audience],
    scopes: token.scope,
    roles: token.roles,
    resources: token.resources,
    expiresAt: now + 300,
    signIn,
    // Nothing here verifies: the token is given as good.
    key: {} as CryptoKey,
  };
}

/** What differs from what was expected; undefined where nothing does. */
export function mismatch({ expect }: Trial, decision: TrialDecision): string | undefined {
  const differs =
    expect.outcome !== decision.outcome ||
    (expect.reason !== undefined && expect.reason !== decision.reason) ||
    (expect.route !== undefined && expect.route !== decision.route);
  return differs ? `expected ${shown(expect)}, got ${shown(decision)}` : undefined;
}

function shown({
  outcome,
  reason,
  route,
}: {
  outcome: string;
  reason?: string | undefined;
  route?: string | undefined;
}): string {
  const why = reason === undefined ? "" : ` (${reason})`;
  return `${outcome}${why}${route === undefined ? "" : ` by route ${route}`}`;
}
