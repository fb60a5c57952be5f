import * as z from "zod";
import { faultText, type Logger } from "../platform/log.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AuthorizeAnswer, AuthorizeAsk, RevocationAsk } from "../protocol/service.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { TokenFacts } from "../revocation/rule.ts";
import { authOf } from "../tokens/auth.ts";
import { BOUNDED, STRICT } from "./authenticate.ts";
import type { Decider, RequestAsk } from "./decider.ts";
import { type Decision, type Refusal, refusal } from "./decision.ts";
import type { AdmissionDeps } from "./demand.ts";
import { type Fields, writeIdentity } from "./headers.ts";
import type { Observer } from "./observation.ts";
import { refusalResponse } from "./refusal.ts";

const claimText = z.string().min(1).max(2048);
const revocationAskSchema = z.object({
  claims: z.object({
    iss: claimText,
    sub: claimText,
    iat: z.number(),
    jti: claimText.optional(),
    grant: claimText.optional(),
    sid: claimText.optional(),
    client_id: claimText.optional(),
    cnf: z.object({ jkt: claimText.optional() }).optional(),
  }),
  kid: claimText,
  consistency: z.enum(["bounded", "strict"]).default("bounded"),
});

export type ServiceDeps = Omit<AdmissionDeps, "prepare"> & {
  log: Logger;
  decide: Decider;
  observer: Required<Observer>;
  requestId: string;
};

/** Policies and filters do not change often enough for this to be reached. */
const MAX_ROUNDS = 4;
const UNKNOWN = problem(
  "stale",
  "Whether the token was revoked cannot be told right now. Try again shortly.",
);

/** {@link Decider} for a Worker that answers the request itself. */
export async function authorizeFor(ask: AuthorizeAsk, deps: ServiceDeps): Promise<AuthorizeAnswer> {
  const { requestId, log, clock, observer, waitUntil } = deps;
  const { method, url, cf } = ask;
  // Of headers that are none, nobody is told.
  let asked: RequestAsk = { method, url, headers: new Headers(), cf };
  const observed = (decision: Decision) =>
    observer.decided(decision, asked, requestId, "service", clock(), waitUntil);
  const refusedAs = (why: Refusal) => {
    observed(why);
    return refused(why, deps);
  };
  try {
    asked = { ...asked, headers: new Headers(ask.headers) };
    const decided = await deps.decide(asked);
    if (!decided.ok) return await refusedAs(decided.error);
    const { allowance, identity } = decided.value;
    observed(allowance);
    const headers: Fields = {};
    writeIdentity(identity, headers);
    return {
      allowed: true,
      decisionId: requestId,
      route: allowance.route.id,
      headers,
      ...(allowance.token ? { auth: authOf(allowance.token) } : {}),
      ...(allowance.dpopNonce === undefined ? {} : { dpopNonce: allowance.dpopNonce }),
    };
  } catch (fault) {
    log("error", "service.fault", { request_id: requestId, fault: faultText(fault) });
    return refusedAs(refusal("internal"));
  }
}

/** Whether a token was taken back; a problem where nobody can tell, so that the caller does not take it for a no. */
export async function isRevokedFor(input: RevocationAsk, deps: ServiceDeps): Promise<Result<boolean>> {
  const asked = revocationAskSchema.safeParse(input);
  if (!asked.success) {
    const { path, message } = asked.error.issues[0]!;
    return err(problem("invalid_request", `${path.join(".")}: ${message}`));
  }
  const { clock, freshness, denied, waitUntil } = deps;
  const staleness = asked.data.consistency === "strict" ? STRICT : BOUNDED;
  let view = await freshness.first();
  for (let round = 0; view && round < MAX_ROUNDS; round++) {
    const facts = factsOf(asked.data, view, deps.issuer);
    if (!(await denied.settle(view, facts, clock() / 1000))) return err(UNKNOWN);
    const fresh = await freshness.ensure(view, staleness, { facts }, waitUntil);
    if (!fresh.ok) return err(UNKNOWN);
    view = fresh.value;
    const now = clock() / 1000;
    // Whoever checks tokens by itself learns yes or no: what a rule only constrains is not good there.
    if (view.revocations.find(facts, now) ?? view.revocations.constraints(facts, now)) return ok(true);
    const listed = denied.look(view, facts, now);
    if (listed !== "unconfirmed") return ok(listed === "denied");
  }
  return err(UNKNOWN);
}

function factsOf(
  { claims, kid }: z.output<typeof revocationAskSchema>,
  view: ReplicaView,
  issuer: string,
): TokenFacts {
  const { iss, sub, iat, jti, grant, sid, client_id, cnf } = claims;
  const trusted = iss === issuer ? undefined : view.policy.issuers.get(iss);
  return {
    iss,
    sub,
    iat,
    kid,
    subject: trusted ? `${trusted.id}|${sub}` : sub,
    ...(jti === undefined ? {} : { jti }),
    ...(grant === undefined ? {} : { grant }),
    ...(sid === undefined ? {} : { session: sid }),
    ...(client_id === undefined ? {} : { client_id }),
    ...(cnf?.jkt === undefined ? {} : { jkt: cnf.jkt }),
  };
}

async function refused(why: Refusal, { issuer, requestId }: ServiceDeps): Promise<AuthorizeAnswer> {
  const answer = refusalResponse(why, issuer, requestId);
  const { status, headers } = answer;
  return {
    allowed: false,
    decisionId: requestId,
    status,
    headers: [...headers],
    body: await answer.text(),
  };
}
