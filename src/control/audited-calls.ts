import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { type CallPlace, type Cause, causedBy, currentCause } from "../platform/cause.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Actor, HttpEnv } from "../platform/http.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import type { AuditEntry } from "../protocol/audit-record.ts";
import type { Result } from "../protocol/result.ts";

export type AuditedCallDeps = {
  audit: { refused(entry: AuditEntry): Promise<Result<null>> };
  /** Whether the policy has addresses recorded. */
  recordsAddresses: () => boolean;
  clock: Clock;
  logger: Logger;
};

/** Everything that the call changes is recorded as its doing. */
export function causedByCall({ recordsAddresses }: AuditedCallDeps): MiddlewareHandler<HttpEnv> {
  return (c, next) => {
    const from = placeOf(c.req.raw, recordsAddresses());
    const cause: Cause = { request_id: c.env.requestId, call: callOf(c), ...(from ? { from } : {}) };
    return causedBy(cause, next);
  };
}

/** The cause of this call with who calls, where that is known. */
export function causedByActor(actor: Actor | undefined): Cause | undefined {
  const cause = currentCause();
  if (!cause || !actor) return cause;
  const { subject, clientId: client_id, actors } = actor;
  return { ...cause, actor: { subject, client_id, ...(actors ? { actors } : {}) } };
}

const REFUSALS: ReadonlySet<number> = new Set([401, 403]);

/** A refused call of somebody who is known is recorded before it is answered. */
export async function recordRefusal(deps: AuditedCallDeps, response: Response): Promise<void> {
  const cause = currentCause();
  if (!cause?.actor || !REFUSALS.has(response.status)) return;
  const { request_id, call, actor, from } = cause;
  const nowMs = deps.clock();
  const recorded = await deps.audit.refused({
    ...{ id: newId("evt", nowMs), at: epochSeconds(nowMs), type: "call.refused", source: "control" },
    ...{ request_id, call, actor, data: { status: response.status } },
    ...(from ? { from } : {}),
  });
  if (!recorded.ok) deps.logger("error", "audit.refusal_unrecorded", { request_id, call });
}

/** The route, not the path: an approval link's path is its secret. */
function callOf(c: Context<HttpEnv>): string {
  const route = matchedRoutes(c).findLast(({ path }) => !path.endsWith("*"));
  return `${c.req.method} ${route?.path ?? "*"}`;
}

function placeOf(request: Request, withAddress: boolean): CallPlace | undefined {
  const { country, asn } = (request.cf ?? {}) as { country?: string; asn?: number };
  const address = withAddress ? request.headers.get("cf-connecting-ip") : null;
  const place: CallPlace = {
    ...(country === undefined ? {} : { country }),
    ...(asn === undefined ? {} : { asn }),
    ...(address === null ? {} : { address }),
  };
  return Object.keys(place).length > 0 ? place : undefined;
}
