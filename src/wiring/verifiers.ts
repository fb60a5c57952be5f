import { importJWK, type JWK } from "jose";
import type { Authenticate } from "../control/app.ts";
import type { AssertionKeyPort } from "../edge/assertion.ts";
import { authenticateAnyOwn, authenticateOwn, authenticateSubjectToken } from "../edge/authenticate.ts";
import { problemResponse } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { TokenStateDeps } from "../tokens/introspection.ts";
import type { OAuthDeps } from "../tokens/routes.ts";

type Verifier = Omit<Parameters<typeof authenticateOwn>[1], "audience" | "requestId" | "waitUntil">;

/** Who calls the control plane, by the same decision as the gate's. */
export function authenticator(verifier: Verifier): Authenticate {
  return async (request, context) => {
    const token = await authenticateOwn(request, { ...verifier, ...context, audience: verifier.issuer });
    if (!token.ok) {
      const { problem: refused, challenge } = token.error;
      return problemResponse(refused, context.requestId, challenge ? { "www-authenticate": challenge } : {});
    }
    const { facts, scopes, roles } = token.value;
    return { subject: facts.subject, clientId: facts.client_id ?? facts.subject, scopes, roles };
  };
}

/** Whose token of an identity provider is exchanged. */
export function subjectTokenVerifier(verifier: Verifier): OAuthDeps["verifyExternal"] {
  return async (subjectToken, context) => {
    const token = await authenticateSubjectToken(subjectToken, { ...verifier, ...context });
    if (!token.ok) return err(token.error.problem);
    const { facts, scopes, roles, expiresAt, issuerId = "" } = token.value;
    return ok({ subject: facts.subject, scopes, roles, expiresAt, issuerId, facts });
  };
}

/** Which token of ours is introspected or revoked. */
export function ownTokenVerifier(verifier: Verifier): TokenStateDeps["verifyOwn"] {
  return async (accessToken, context) => {
    const token = await authenticateAnyOwn(accessToken, { ...verifier, ...context });
    return token.ok ? token : err(token.error.problem);
  };
}

/** The isolate's own copy of the key for assertions, which cannot be read out of it again. */
export function assertionKey(keyring: {
  assertionKey(): Promise<Result<{ kid: string; alg: string; jwk: JWK }>>;
}): AssertionKeyPort {
  return async () => {
    const found = await keyring.assertionKey();
    if (!found.ok) return found;
    const { kid, jwk } = found.value;
    const key = (await importJWK(jwk, "ES256", { extractable: false })) as CryptoKey;
    return ok({ kid, alg: "ES256", key });
  };
}
