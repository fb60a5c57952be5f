import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader } from "../replication/replica.ts";
import type { AssertionSigner } from "./assertion.ts";
import { type Allowance, type Refusal, refusal } from "./decision.ts";
import type { Identity } from "./headers.ts";

const NOBODY: Identity = {};

/** Who is behind a request that is let through, as its route tells the origin; signed where it was not yet. */
export async function identityOf(
  { token, origin, route }: Allowance,
  { signer, replica }: { signer: AssertionSigner; replica: Pick<ReplicaReader, "peek"> },
): Promise<Result<Identity, Refusal>> {
  if (!token) return ok(NOBODY);
  const view = replica.peek();
  let assertion = signer.recall(token, origin.audience, view);
  if (assertion === undefined) {
    const signed = await signer.sign(token, origin.audience, view);
    if (!signed.ok) return err(refusal("assertion_unavailable", { route }));
    assertion = signed.value;
  }
  const asked = route.identity_headers;
  return ok({
    assertion,
    subject: asked.includes("subject") ? token.facts.subject : undefined,
    scope: asked.includes("scope") ? token.scopes.join(" ") : undefined,
    grant: asked.includes("grant") ? token.facts.grant : undefined,
  });
}
