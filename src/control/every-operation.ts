import { accessOperations } from "../access/operations.ts";
import { auditOperations } from "../audit/operations.ts";
import { backupOperations } from "../backup/operations.ts";
import { browserOperations } from "../browser/operations.ts";
import type { Operations } from "../platform/operation.ts";
import { registryOperations } from "../registry/operations.ts";
import { passkeyOperations } from "../registry/passkey-operations.ts";
import { remediationOperations } from "../remediation/operations.ts";
import { revocationOperations } from "../revocation/operations.ts";
import { signalOperations } from "../signals/operations.ts";
import { tokenOperations } from "../tokens/operations.ts";
import { webhookOperations } from "../webhooks/operations.ts";
import { controlOperations } from "./operations.ts";

/** Every room's operations: a route that is in none of them fails a test, and so does the other way round. */
export const EVERY_OPERATION: Operations = {
  ...accessOperations,
  ...revocationOperations,
  ...tokenOperations,
  ...registryOperations,
  ...passkeyOperations,
  ...webhookOperations,
  ...remediationOperations,
  ...signalOperations,
  ...auditOperations,
  ...backupOperations,
  ...controlOperations,
  ...browserOperations,
};
