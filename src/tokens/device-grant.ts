import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { type OAuthError, oauthError, tooManyRequests } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  DEVICE_LOGIN_SECONDS,
  type DevicePoll,
  DEVICE_CODE as GRANT_TYPE,
  POLL_INTERVAL_SECONDS,
} from "./device-login.ts";
import { scopesThrough } from "./entitlement.ts";
import {
  type Grant,
  type GrantDeps,
  type GrantRequest,
  grantScopes,
  readPolicy,
  readScopes,
  sessionContext,
} from "./grant.ts";
import { openForDevice } from "./refresh-grant.ts";

export const DEVICE_PARAMETERS: readonly string[] = ["scope"];

/** Where people go with the code, on the issuer's origin. */
export const DEVICE_PAGE = "/session/device";
const RETRY_SECONDS = 60;

/** RFC 8628 §3.2. */
export type DeviceAnswer = {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
};

/** `POST /oauth/device_authorization` (RFC 8628 §3.1): begins the sign-in of a device. */
export async function authorizeDevice(
  { form, client }: GrantRequest,
  { issuer, devices, policy }: GrantDeps,
  address: string,
): Promise<Result<DeviceAnswer, OAuthError>> {
  if (!client.grant_types.includes(GRANT_TYPE)) {
    return err(oauthError("unauthorized_client", "This client is not registered for this grant type."));
  }
  const active = await readPolicy({ policy });
  if (!active.ok) return active;
  if (
    !active.value.sessions ||
    !active.value.issuers.some(({ sign_in, cloudflare_access }) => sign_in ?? cloudflare_access)
  ) {
    return err(
      oauthError(
        "unauthorized_client",
        "Nobody can sign in here: the policy needs `sessions`, and an issuer with `sign_in`.",
      ),
    );
  }
  const asked = readScopes(form);
  if (!asked.ok) return asked;
  const allowed = grantScopes(asked.value, client.scopes);
  if (!allowed.ok) return allowed;
  const device_code = newSecret();
  const begun = await devices.begin({
    device_hash: await sha256Hex(device_code),
    client_id: client.id,
    address,
    ...(asked.value ? { scopes: asked.value } : {}),
  });
  if (!begun.ok) {
    const { code, detail } = begun.error;
    return err(
      code === "too_many_requests"
        ? tooManyRequests(detail, RETRY_SECONDS)
        : oauthError("temporarily_unavailable", detail),
    );
  }
  const { user_code } = begun.value;
  const verification_uri = `${issuer}${DEVICE_PAGE}`;
  return ok({
    device_code,
    user_code,
    verification_uri,
    verification_uri_complete: `${verification_uri}?user_code=${user_code}`,
    expires_in: DEVICE_LOGIN_SECONDS,
    interval: POLL_INTERVAL_SECONDS,
  });
}

/** RFC 8628 §3.4: the device polls until its person has decided, and gets a session of theirs. */
export const deviceGrant: Grant = {
  parameters: ["device_code"],
  async answer(request, deps) {
    const code = request.form.get("device_code");
    if (code === null) return err(oauthError("invalid_request", "The parameter device_code is missing."));
    const polled = await deps.devices.poll(await sha256Hex(code), request.client.id);
    if (!polled.ok) return err(oauthError("temporarily_unavailable", polled.error.detail));
    if (polled.value.state !== "approved") return err(PENDING[polled.value.state]);
    const policy = await readPolicy(deps);
    if (!policy.ok) return policy;
    const { session_id, assertion, scopes } = polled.value;
    const had = scopesThrough(request.client.scopes, assertion, policy.value.roles);
    const opening = {
      ...{ id: session_id, assertion, audience: deps.issuer },
      scopes: scopes ? had.filter((scope) => scopes.includes(scope)) : had,
    };
    return openForDevice(opening, sessionContext(request, policy.value, deps));
  },
};

/** RFC 8628 §3.5. */
const PENDING: Record<Exclude<DevicePoll["state"], "approved">, OAuthError> = {
  authorization_pending: oauthError("authorization_pending", "Nobody has decided yet."),
  slow_down: oauthError(
    "slow_down",
    `Wait ${POLL_INTERVAL_SECONDS} seconds longer between two polls from now on.`,
  ),
  access_denied: oauthError("access_denied", "The person said no."),
  expired_token: oauthError("expired_token", "Nobody decided in time. Start again."),
  unknown: oauthError("invalid_grant", "There is no such device_code of this client."),
};
