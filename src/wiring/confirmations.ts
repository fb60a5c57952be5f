import type { Confirmed } from "../platform/passkey-answer.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { PasskeyUse, Site } from "../registry/passkey-register.ts";
import type { PasskeyDeps } from "../registry/passkey-routes.ts";
import type { RemediationRouteDeps } from "../remediation/remediation-routes.ts";
import type { RevocationDeps } from "../revocation/routes.ts";

const NEEDED = problem("passkey_required", "This deployment has revocations confirmed with a passkey.");

type Confirmations = {
  passkeys: PasskeyDeps["passkeys"];
  policy(): Promise<Result<PolicyDocument>>;
  site: Site;
};

/** Whether somebody has confirmed what cuts many tokens as the policy wants it: with a passkey, where it says so. */
export function confirmations({ passkeys, policy, site }: Confirmations) {
  const confirmed = async (
    subject: string,
    confirms: Confirmed,
    answer: PasskeyUse["answer"] | undefined,
  ): Promise<Result<unknown>> => {
    const active = await policy();
    if (!active.ok) return active;
    if (!active.value.revocations?.confirm_with_passkey) return ok(null);
    return answer ? passkeys(subject).use({ subject, confirms, answer, site }) : err(NEEDED);
  };
  const revocation: RevocationDeps["confirmedBy"] = (subject, revocation_id, answer) =>
    confirmed(subject, { kind: "revocation.confirm", revocation_id }, answer);
  const remediation: RemediationRouteDeps["confirmedBy"] = (subject, remediation_id, answer) =>
    confirmed(subject, { kind: "remediation.confirm", remediation_id }, answer);
  return { revocation, remediation };
}
