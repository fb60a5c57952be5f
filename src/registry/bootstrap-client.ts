import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import type { ClientRecord } from "./client.ts";

export const BOOTSTRAP_CLIENT_ID = "operator";

/** The client `operator`, whose secret is the deployment's: it registers the first clients and the first policy. */
export async function bootstrapClient(operatorSecret: string): Promise<ClientRecord> {
  return {
    id: BOOTSTRAP_CLIENT_ID,
    name: BOOTSTRAP_CLIENT_ID,
    auth_method: "client_secret",
    secret_hashes: [await sha256Hex(operatorSecret)],
    grant_types: ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
    scopes: [...CONTROL_SCOPES],
    roles: ["operator"],
    created_at: 0,
    created_by: BOOTSTRAP_CLIENT_ID,
    revision: 1,
  };
}
