import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { DPOP_ALGORITHMS } from "../protocol/dpop.ts";
import { RESOURCE_DETAIL_TYPE } from "./access-token.ts";
import { ASSERTION_ALGORITHMS } from "./client-assertion.ts";
import { AUTH_METHODS } from "./client-auth.ts";
import { GRANT_TYPES } from "./token-endpoint.ts";

/** RFC 9449 §5.1 and RFC 8705 §3.3, of both sides. */
const SENDER_CONSTRAINTS = {
  dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
  tls_client_certificate_bound_access_tokens: true,
};

/** The command line's client shows nothing (RFC 7591 §2). */
const WITH_COMMAND_LINE = [...AUTH_METHODS, "none"];

/** RFC 8414 §2 and CIBA §4: what works, and nothing else. */
export function serverMetadata(issuer: string) {
  return {
    issuer,
    token_endpoint: `${issuer}/oauth/token`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: CONTROL_SCOPES,
    response_types_supported: [],
    grant_types_supported: GRANT_TYPES,
    token_endpoint_auth_methods_supported: WITH_COMMAND_LINE,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    authorization_details_types_supported: [RESOURCE_DETAIL_TYPE],
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS,
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: WITH_COMMAND_LINE,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    backchannel_authentication_endpoint: `${issuer}/oauth/bc-authorize`,
    backchannel_token_delivery_modes_supported: ["poll"],
    backchannel_user_code_parameter_supported: false,
    // draft-parecki-oauth-global-token-revocation-06 §6.
    global_token_revocation_endpoint: `${issuer}/v1/signals/global-token-revocation`,
    global_token_revocation_endpoint_auth_methods_supported: ["private_key_jwt", "Bearer"],
    device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
    ...SENDER_CONSTRAINTS,
  };
}

/** RFC 9728 §2: an address behind the gate as a protected resource. */
export function guardedMetadata(issuer: string, resource: string) {
  return {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: ["header"],
    authorization_details_types_supported: [RESOURCE_DETAIL_TYPE],
    ...SENDER_CONSTRAINTS,
  };
}

/** RFC 9728 §2: the control plane as a protected resource. */
export function resourceMetadata(issuer: string) {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    scopes_supported: CONTROL_SCOPES,
    bearer_methods_supported: ["header"],
    resource_name: "Portcullis control plane",
    ...SENDER_CONSTRAINTS,
    dpop_bound_access_tokens_required: false,
  };
}
