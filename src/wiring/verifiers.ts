import { importJWK, type JWK } from "jose";
import type { AccessDeps } from "../access/routes.ts";
import type { Authenticate } from "../control/app.ts";
import type { AssertionKeyPort } from "../edge/assertion.ts";
import { authenticateAnyOwn, authenticateOwn, authenticateSubjectToken } from "../edge/authenticate.ts";
import type { Actor } from "../platform/http.ts";
import { problemResponse } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";
import { actorsOf } from "../tokens/act.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { TokenStateDeps } from "../tokens/introspection.ts";
import type { ProofChecker } from "../tokens/proof-checker.ts";
import type { OAuthDeps } from "../tokens/routes.ts";
import { bindingOf, bindingProblem } from "../tokens/sender-binding.ts";

type Verifier = Omit<Parameters<typeof authenticateOwn>[1], "audience" | "requestId" | "waitUntil">;

/** Who calls the control plane, by the same decision as the gate's. */
export function authenticator(verifier: Verifier): Authenticate {
  return async (request, context) => {
    const token = await authenticateOwn(request, { ...verifier, ...context, audience: verifier.issuer });
    if (token.ok) return ok(actorOf(token.value));
    const { problem: refused, challenge, token: known } = token.error;
    const headers = challenge ? { "www-authenticate": challenge } : {};
    const response = problemResponse(refused, context.requestId, headers);
    return err({ response, ...(known ? { actor: actorOf(known) } : {}) });
  };
}

function actorOf({ facts, scopes, roles, act, confirmation, signIn }: VerifiedToken): Actor {
  const actor = { subject: facts.subject, clientId: facts.client_id ?? facts.subject, scopes, roles };
  return {
    ...actor,
    ...(act ? { actors: actorsOf(act) } : {}),
    ...(confirmation ? { confirmation } : {}),
    ...(signIn ? { signIn } : {}),
  };
}

/**
 * What a token for a caller is bound to. Where the caller's own token is bound, its proof was checked with it
 * and is used up, and the new one is bound to the same; else a DPoP proof may bind it.
 */
export function callerBinding(proofs: ProofChecker): AccessDeps["binding"] {
  return async (request, actor) => {
    if (actor.confirmation) return ok(actor.confirmation);
    const bound = await bindingOf(request, { nonceNeeded: false }, proofs);
    return bound.ok ? ok(bound.value.confirmation ?? null) : err(bindingProblem(bound.error));
  };
}

/** For whom a token stands that is exchanged, or that names somebody. */
export function subjectTokenVerifier(verifier: Verifier): OAuthDeps["verifySubject"] {
  return async (subjectToken, context) => {
    const token = await authenticateSubjectToken(subjectToken, { ...verifier, ...context });
    return token.ok ? token : err(token.error.problem);
  };
}

/** Which token of ours is introspected or revoked. */
export function ownTokenVerifier(verifier: Verifier): TokenStateDeps["verifyOwn"] {
  return async (accessToken, context, toEnd) => {
    const token = await authenticateAnyOwn(accessToken, { ...verifier, ...context }, toEnd);
    return token.ok ? token : err(token.error.problem);
  };
}

/** The isolate's own copy of the key for assertions, which cannot be read out of it again. */
export function assertionKey(keyring: {
  assertionKey(): Promise<Result<{ kid: string; alg: SigningAlgorithm; jwk: JWK }>>;
}): AssertionKeyPort {
  return async () => {
    const found = await keyring.assertionKey();
    if (!found.ok) return found;
    const { kid, alg, jwk } = found.value;
    const key = (await importJWK(jwk, alg, { extractable: false })) as CryptoKey;
    return ok({ kid, alg, key });
  };
}
