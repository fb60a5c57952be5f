import { onlyResource } from "../policy/access-rules.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type OpenDeps, openAccessRequest, type Wanted } from "./open.ts";
import type { AccessRequestPort } from "./ports.ts";

export type BackchannelDeps = Omit<OpenDeps, "accessRequest"> & {
  accessRequest(id: string): Pick<AccessRequestPort, "open" | "startPolling">;
};

/** What a client asks for on behalf of somebody (CIBA §7.1). */
export type ClientAsk = {
  clientId: string;
  subject: string;
  roles: string[];
  scopes: string[];
  resource?: string;
  durationSeconds?: number;
  justification: string;
  ticket?: string;
  maxUses?: number;
  expiresInSeconds?: number;
  intervalSeconds: number;
};

/** Opens an access request that its client, and no other, may poll; `expires_at`: when nobody can approve it any more. */
export async function askByClient(
  id: string,
  ask: ClientAsk,
  deps: BackchannelDeps,
  now: number,
): Promise<Result<{ id: string; expires_at: number }>> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const { subject, roles, scopes, clientId, durationSeconds, expiresInSeconds } = ask;
  const actors = actorsFor(ask);
  const resource = ask.resource ?? onlyResource(policy.value, { subject, roles }, scopes);
  if (resource === undefined) return err(NAME_IT);
  const wanted: Wanted = {
    resource,
    scope: scopes.join(" "),
    justification: ask.justification,
    ...(durationSeconds === undefined ? {} : { duration_seconds: durationSeconds }),
    ...(ask.maxUses === undefined ? {} : { max_uses: ask.maxUses }),
    ...(ask.ticket === undefined ? {} : { ticket: ask.ticket }),
    ...(expiresInSeconds === undefined ? {} : { review_within_seconds: expiresInSeconds }),
  };
  // First: a request that nobody can poll would wait for an approver in vain.
  const startPolling = async () => {
    const started = await deps.accessRequest(id).startPolling(clientId, ask.intervalSeconds);
    return started.ok ? ok({ id }) : started;
  };
  const actor = { subject, roles, clientId, scopes: [], actors };
  const opened = await openAccessRequest(deps, actor, wanted, startPolling, now);
  return opened.ok ? ok({ id, expires_at: opened.value.review_deadline }) : opened;
}

/** A client that asks for somebody else acts for them: in conditions, in the request, and in its tokens. */
export function actorsFor({ clientId, subject }: Pick<ClientAsk, "clientId" | "subject">): string[] {
  return clientId === subject ? [] : [clientId];
}

const NAME_IT = problem(
  "invalid_request",
  "The scopes do not stand for one resource: name it in authorization_details.",
);
