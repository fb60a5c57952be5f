import type { Route } from "../policy/document.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader } from "../replication/replica.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { AssertionSigner } from "./assertion.ts";
import { type Allowance, type Refusal, refusal } from "./decision.ts";
import type { Identity } from "./headers.ts";

const NOBODY: Identity = {};

/** Who is behind a request that is let through, as its route tells the origin; signed where it was not yet, and only then waited for. */
export function identityOf(
  { token, origin, route }: Allowance,
  { signer, replica }: { signer: AssertionSigner; replica: Pick<ReplicaReader, "peek"> },
): Result<Identity, Refusal> | Promise<Result<Identity, Refusal>> {
  if (!token) return ok(NOBODY);
  const view = replica.peek();
  const made = signer.recall(token, origin.audience, view);
  if (made !== undefined) return ok(told(token, route, made));
  return signer
    .sign(token, origin.audience, view)
    .then((signed) =>
      signed.ok ? ok(told(token, route, signed.value)) : err(refusal("assertion_unavailable", { route })),
    );
}

function told(
  { facts, scopes }: VerifiedToken,
  { identity_headers: asked }: Route,
  assertion: string,
): Identity {
  return {
    assertion,
    subject: asked.includes("subject") ? facts.subject : undefined,
    scope: asked.includes("scope") ? scopes.join(" ") : undefined,
    grant: asked.includes("grant") ? facts.grant : undefined,
  };
}
