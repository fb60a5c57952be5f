import { sha256Hex } from "../protocol/encoding.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { OAuthClient } from "./client-auth.ts";
import { TOKEN_EXCHANGE } from "./token-request.ts";

export const BOOTSTRAP_CLIENT_ID = "operator";

/** Every scope of the control plane. */
const CONTROL_SCOPES = [
  ...[
    "requests:create",
    "requests:read",
    "requests:read_all",
    "requests:review",
    "grants:read",
    "grants:revoke",
  ],
  ...["revocations:read", "revocations:write", "keys:rotate", "policy:read", "policy:write", "clients:write"],
  ...["webhooks:read", "webhooks:write", "audit:read", "metrics:read"],
];

/** The client `operator`, whose secret is the deployment's: it registers the first clients and the first policy. */
export async function bootstrapClient(operatorSecret: string): Promise<Result<OAuthClient>> {
  return ok({
    id: BOOTSTRAP_CLIENT_ID,
    secret_hashes: [await sha256Hex(operatorSecret)],
    grant_types: ["client_credentials", TOKEN_EXCHANGE],
    scopes: CONTROL_SCOPES,
    roles: ["operator"],
  });
}
