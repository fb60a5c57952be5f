import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { OAuthClient } from "./client-auth.ts";
import { TOKEN_EXCHANGE } from "./token-request.ts";

export const BOOTSTRAP_CLIENT_ID = "operator";

/** The client `operator`, whose secret is the deployment's: it registers the first clients and the first policy. */
export async function bootstrapClient(operatorSecret: string): Promise<Result<OAuthClient>> {
  return ok({
    id: BOOTSTRAP_CLIENT_ID,
    secret_hashes: [await sha256Hex(operatorSecret)],
    grant_types: ["client_credentials", TOKEN_EXCHANGE],
    scopes: [...CONTROL_SCOPES],
    roles: ["operator"],
  });
}
