import { durationText } from "./duration.ts";
import type { GrantView, RequestView } from "./wire.ts";

/** What an approver may know of who asks. Absent: the visitor may not see it. */
export type Standing = { grants?: GrantView[]; requests?: RequestView[] };

/** What a request adds to what its requester has for the same resource by grants. */
export type RightsDiff = {
  added: ReadonlySet<string>;
  /** Scopes that a grant gives already, and until when at the longest, epoch seconds. */
  held: { scope: string; until: number }[];
};

export function rightsDiff(request: RequestView, grants: readonly GrantView[]): RightsDiff {
  const until = new Map<string, number>();
  for (const grant of grants) {
    if (grant.resource !== request.resource || grant.access_request === request.id) continue;
    for (const scope of grant.scope.split(" ")) {
      until.set(scope, Math.max(until.get(scope) ?? 0, grant.access_expiry));
    }
  }
  return {
    added: new Set(request.scope.split(" ").filter((scope) => !until.has(scope))),
    held: Array.from(until, ([scope, end]) => ({ scope, until: end })),
  };
}

/** How the same person's other requests for the same resource went. */
export type History = { approved: number; denied: number; other: number; last?: RequestView };

export function historyOf(request: RequestView, requests: readonly RequestView[]): History {
  const similar = requests.filter(
    ({ id, resource, state }) => id !== request.id && resource === request.resource && state !== "pending",
  );
  const count = (state: string) => similar.filter((each) => each.state === state).length;
  const [approved, denied] = [count("approved"), count("denied")];
  const [last] = similar;
  return { approved, denied, other: similar.length - approved - denied, ...(last ? { last } : {}) };
}

const LONG_SECONDS = 8 * 3600;

/** What of a request deserves a second look; facts, not guesses. */
export function riskFacts(request: RequestView, history: History | undefined, now: number): string[] {
  const facts: string[] = [];
  if (request.break_glass) facts.push("Was taken in an emergency, before anybody approved it.");
  if (history && history.approved + history.denied + history.other === 0)
    facts.push("They have not asked for this before.");
  if (history?.denied) facts.push(`Was denied to them before: ${times(history.denied)}.`);
  if (request.actors?.length)
    facts.push(`Asked by somebody who acts for them: ${request.actors.join(", ")}.`);
  if (request.duration_seconds > LONG_SECONDS)
    facts.push(`Is for long: ${durationText(request.duration_seconds)}.`);
  if (request.starts_at !== undefined && request.starts_at > now)
    facts.push(
      `Begins later, in ${durationText(request.starts_at - now)}: what holds now may not hold then.`,
    );
  return facts;
}

export function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
