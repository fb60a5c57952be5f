import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, type Result } from "../protocol/result.ts";
import { CIBA, cibaGrant } from "./ciba.ts";
import { authenticateClient, type OAuthCall } from "./client-auth.ts";
import { clientCredentialsGrant } from "./client-credentials.ts";
import { deviceGrant } from "./device-grant.ts";
import { DEVICE_CODE } from "./device-login.ts";
import { bindingDemand, type Grant, type GrantDeps, grantRequest, type TokenResponse } from "./grant.ts";
import { knownParameters } from "./oauth-form.ts";
import { refreshTokenGrant } from "./refresh-token.ts";
import { TOKEN_EXCHANGE, tokenExchangeGrant } from "./token-exchange.ts";

/** Every grant of the token endpoint: what works is what the metadata lists. */
const GRANTS = new Map<string, Grant>([
  ["client_credentials", clientCredentialsGrant],
  ["refresh_token", refreshTokenGrant],
  [TOKEN_EXCHANGE, tokenExchangeGrant],
  [CIBA, cibaGrant],
  [DEVICE_CODE, deviceGrant],
]);

export const GRANT_TYPES: readonly string[] = [...GRANTS.keys()];

/** Answers a token request: who asks, by which grant, whether the client may, and then what the grant decides. */
export async function answerTokenRequest(
  call: OAuthCall,
  deps: GrantDeps,
): Promise<Result<TokenResponse, OAuthError>> {
  const client = await authenticateClient(call, deps);
  if (!client.ok) return client;
  const { form } = call;
  const grantType = form.get("grant_type");
  if (grantType === null) {
    return err(oauthError("invalid_request", "The parameter grant_type is missing."));
  }
  const grant = GRANTS.get(grantType);
  if (!grant) {
    return err(oauthError("unsupported_grant_type", `Use one of ${GRANT_TYPES.join(", ")}.`));
  }
  if (!client.value.grant_types.includes(grantType)) {
    return err(oauthError("unauthorized_client", "This client is not registered for this grant type."));
  }
  const known = knownParameters(form, ["grant_type", ...grant.parameters]);
  if (!known.ok) return known;
  const bound = await deps.binding(bindingDemand(client.value));
  if (!bound.ok) return bound;
  return grant.answer(grantRequest(form, client.value, bound.value), deps);
}
