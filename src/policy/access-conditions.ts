import { compileCondition, type Facts } from "./condition.ts";
import type { AccessRule } from "./document.ts";
import { localTime } from "./local-time.ts";
import { PARAM } from "./path-pattern.ts";

/** Who asks or reviews, as the access token says. `actors` act for the subject (RFC 8693 §4.1), nearest first. */
export type Person = {
  subject: string;
  roles: readonly string[];
  clientId?: string;
  actors?: readonly string[];
};

/** What is asked for. Times are epoch seconds. */
export type Wish = {
  resource: string;
  scopes: readonly string[];
  durationSeconds?: number;
  justification?: string;
  ticket?: string;
  startsAt?: number;
  maxUses?: number;
  /** More time for a grant that there is. */
  extension?: boolean;
};

/** What the conditions of access rules may look at. */
export const ACCESS_CONDITION_NAMES = ["requester", "resource", "request", "time"] as const;

const NAMED = new RegExp(`^${PARAM}$`);

/** The facts of one wish. `resource.params` has what the rule's `:name` segments stand for. */
export function accessFacts(rule: AccessRule, person: Person, wish: Wish, now: number): Facts {
  const given = wish.resource.split("/");
  const params = rule.resource
    .split("/")
    .flatMap((part, i): [string, string][] => (NAMED.test(part) ? [[part.slice(1), given[i] ?? ""]] : []));
  return {
    requester: {
      subject: person.subject,
      roles: person.roles,
      client_id: person.clientId,
      actors: person.actors ?? [],
    },
    resource: { name: wish.resource, params: Object.fromEntries(params) },
    request: {
      scopes: wish.scopes,
      duration_seconds: wish.durationSeconds ?? rule.default_duration_seconds,
      justification: wish.justification ?? "",
      ticket: wish.ticket ?? "",
      starts_at: wish.startsAt ?? now,
      max_uses: wish.maxUses ?? rule.max_uses ?? 0,
      extension: wish.extension ?? false,
    },
    time: localTime(now, rule.time_zone),
  };
}

/** Whether these people's condition lets the person ask now; no condition lets everybody. */
export function mayAskNow(rule: AccessRule, facts: Facts): boolean {
  const { condition } = rule.requesters;
  return condition === undefined || gives(condition, true, facts);
}

/** What the rule decides by itself, or undefined where people must. */
export function decidedByRule(rule: AccessRule, facts: Facts): "approve" | "deny" | undefined {
  const { approve_when: approveWhen, deny_when: denyWhen } = rule;
  if (denyWhen !== undefined && gives(denyWhen, true, facts)) return "deny";
  // A condition that fails has said nothing: nobody is let in past a denial that could not be looked at.
  if (denyWhen !== undefined && !gives(denyWhen, false, facts)) return undefined;
  return approveWhen !== undefined && gives(approveWhen, true, facts) ? "approve" : undefined;
}

function gives(source: string, wanted: boolean, facts: Facts): boolean {
  const compiled = compileCondition(source, ACCESS_CONDITION_NAMES, wanted);
  return compiled.ok && compiled.value(facts);
}
