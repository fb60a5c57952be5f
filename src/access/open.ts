import type { Actor } from "../platform/http.ts";
import type { Person } from "../policy/access-conditions.ts";
import { type AccessAsk, findAccessRule, findBreakGlassRule } from "../policy/access-rules.ts";
import type { AccessRule, PolicyDocument } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRequest, Ask, Requester } from "./access-request.ts";
import type { AccessRequestPort, DirectoryReadPort } from "./ports.ts";

export type OpenDeps = {
  accessRequest(id: string): Pick<AccessRequestPort, "open">;
  directory: Pick<DirectoryReadPort, "admit">;
  policy(): Promise<Result<PolicyDocument>>;
  /** How many webhook endpoints listen to an event. */
  listeners(type: "break_glass.opened"): Promise<Result<number>>;
};

/** What somebody wants, before a rule was found for it. `emergency`: at once, by break-glass. */
export type Wanted = Omit<Ask, "duration_seconds" | "scope"> & {
  scope: string;
  duration_seconds?: number;
  /** Nobody can review it later, where the rule would let them. */
  review_within_seconds?: number;
  emergency?: true;
};

export const MAX_DURATION_SECONDS = 30 * 86_400;
/** A caller's clock may be behind ours. */
const PAST_TOLERANCE_SECONDS = 60;

/** Who calls, as access rules look at people. */
export function personOfActor({ subject, roles, clientId, actors }: Actor): Person {
  return { subject, roles, clientId, ...(actors?.length ? { actors } : {}) };
}

/** Opens an access request under the rule that covers it. Idempotent by id: `newId` gives one once it may be. */
export async function openAccessRequest(
  deps: OpenDeps,
  actor: Actor,
  wanted: Wanted,
  newId: () => Promise<Result<{ id: string }>>,
  now: number,
): Promise<Result<AccessRequest>> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const starts = checkStart(wanted, now);
  if (!starts.ok) return starts;
  const ask = asked(personOfActor(actor), wanted);
  const found = wanted.emergency
    ? findBreakGlassRule(policy.value, ask)
    : findAccessRule(policy.value, ask, now);
  if (!found.ok) return found;
  const rule = found.value;
  const heard = wanted.emergency ? await checkHeard(deps) : ok(null);
  if (!heard.ok) return heard;
  const id = await newId();
  if (!id.ok) return id;
  const admitted = await admit(deps, id.value.id, actor.subject, rule, wanted);
  if (!admitted.ok) return admitted;
  const requester: Requester = {
    subject: actor.subject,
    client_id: actor.clientId,
    roles: actor.roles,
    ...(actor.actors?.length ? { actors: actor.actors } : {}),
  };
  const { audience } = policy.value.origins[rule.origin]!;
  const emergency = wanted.emergency ?? false;
  const within = Math.min(rule.review_deadline_seconds, wanted.review_within_seconds ?? Infinity);
  return deps
    .accessRequest(id.value.id)
    .open(
      id.value.id,
      requester,
      askOf(wanted, rule),
      { ...rule, review_deadline_seconds: within },
      audience,
      emergency,
    );
}

function asked(person: Person, wanted: Wanted): AccessAsk {
  const { scope, duration_seconds, starts_at, ticket, max_uses } = wanted;
  return {
    ...person,
    resource: wanted.resource,
    scopes: scopesOf(scope),
    justification: wanted.justification,
    ...(duration_seconds === undefined ? {} : { durationSeconds: duration_seconds }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(starts_at === undefined ? {} : { startsAt: starts_at }),
    ...(max_uses === undefined ? {} : { maxUses: max_uses }),
  };
}

/** Members that were not sent are left out: stored data has no undefined ones. */
function askOf(wanted: Wanted, rule: AccessRule): Ask {
  const { resource, justification, starts_at, ticket, emergency } = wanted;
  const maxUses = wanted.max_uses ?? rule.max_uses;
  const longest = emergency ? rule.break_glass?.max_duration_seconds : undefined;
  return {
    resource,
    scope: scopesOf(wanted.scope),
    duration_seconds: wanted.duration_seconds ?? Math.min(rule.default_duration_seconds, longest ?? Infinity),
    justification,
    ...(starts_at === undefined ? {} : { starts_at }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(maxUses === undefined ? {} : { max_uses: maxUses }),
  };
}

function scopesOf(scope: string): string[] {
  return [...new Set(scope.split(" "))];
}

function checkStart({ starts_at: startsAt, emergency }: Wanted, now: number): Result<null> {
  if (startsAt === undefined) return ok(null);
  if (emergency) return err(problem("invalid_request", "starts_at: an emergency begins now; leave it out."));
  if (startsAt > now + MAX_DURATION_SECONDS) {
    return err(problem("invalid_request", "starts_at: at most 30 days ahead."));
  }
  if (startsAt >= now - PAST_TOLERANCE_SECONDS) return ok(null);
  return err(problem("invalid_request", "starts_at: is in the past; leave it out to begin at approval."));
}

/** An emergency that nobody would hear of is not opened. */
async function checkHeard({ listeners }: OpenDeps): Promise<Result<null>> {
  const count = await listeners("break_glass.opened");
  if (!count.ok) return count;
  if (count.value > 0) return ok(null);
  const detail =
    "No webhook endpoint listens to break_glass.opened, so nobody would hear of this. An operator must add one first.";
  return err(problem("conflict", detail));
}

async function admit(
  { directory }: OpenDeps,
  id: string,
  requester: string,
  rule: AccessRule,
  { resource, emergency = false }: { resource: string; emergency?: boolean },
): Promise<Result<null>> {
  const { cool_down_seconds, max_parallel } = rule;
  if (!emergency && cool_down_seconds === undefined && max_parallel === undefined) return ok(null);
  return directory.admit({
    id,
    requester,
    rule_id: rule.id,
    resource,
    emergency,
    ...(cool_down_seconds === undefined ? {} : { cool_down_seconds }),
    ...(max_parallel === undefined ? {} : { max_parallel }),
  });
}
