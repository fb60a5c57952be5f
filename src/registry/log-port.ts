import type { StoredPolicy } from "../policy/document.ts";
import type { Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";

/** What the registry tells every edge. */
export type RegistryLogEntry =
  | ({ id: string; kind: "policy.activated" } & StoredPolicy)
  | { id: string; kind: "revocation.added"; rule: Revocation }
  | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string; reason?: string };

/** What this room needs of the replication log. */
export type LogPort = { append(entry: RegistryLogEntry): Promise<Result<Receipt>> };
