import { findAccessRule, onlyResource } from "../policy/access-rules.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Ask } from "./access-request.ts";
import type { AccessRequestPort } from "./ports.ts";

export type BackchannelDeps = {
  accessRequest(id: string): AccessRequestPort;
  policy(): Promise<Result<PolicyDocument>>;
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
  expiresInSeconds?: number;
  intervalSeconds: number;
};

/** Opens an access request that its client, and no other, may poll; `expires_at`: when nobody can approve it any more. */
export async function askByClient(
  id: string,
  ask: ClientAsk,
  deps: BackchannelDeps,
): Promise<Result<{ id: string; expires_at: number }>> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const { subject, roles, scopes, clientId, durationSeconds } = ask;
  const resource = ask.resource ?? onlyResource(policy.value, { subject, roles }, scopes);
  if (resource === undefined) return err(NAME_IT);
  const asked = { subject, roles, resource, scopes };
  const found = findAccessRule(
    policy.value,
    durationSeconds === undefined ? asked : { ...asked, durationSeconds },
  );
  if (!found.ok) return found;
  const deadline = found.value.review_deadline_seconds;
  const rule = {
    ...found.value,
    review_deadline_seconds: Math.min(deadline, ask.expiresInSeconds ?? deadline),
  };
  const what: Ask = {
    resource,
    scope: scopes,
    duration_seconds: durationSeconds ?? rule.default_duration_seconds,
    justification: ask.justification,
  };
  const object = deps.accessRequest(id);
  // First: a request that nobody can poll would wait for an approver in vain.
  const started = await object.startPolling(clientId, ask.intervalSeconds);
  if (!started.ok) return started;
  const { audience } = policy.value.origins[rule.origin]!;
  const opened = await object.open(id, { subject, client_id: clientId }, what, rule, audience);
  return opened.ok ? ok({ id, expires_at: opened.value.review_deadline }) : opened;
}

const NAME_IT = problem(
  "invalid_request",
  "The scopes do not stand for one resource: name it in authorization_details.",
);
