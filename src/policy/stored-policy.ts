import type { PolicyDocument, StoredPolicy } from "./document.ts";
import { SCHEMA_FINGERPRINT } from "./schema-fingerprint.ts";

/** Before any was put: no route, so every request is refused. */
export const EMPTY_POLICY: StoredPolicy = {
  version: 0,
  document: { issuers: [], origins: {}, routes: [], access_rules: [], roles: {}, delegation: [] },
  schema: SCHEMA_FINGERPRINT,
};

/**
 * A stored document as the schema has it today: with the defaults of members that came after it was put. One that
 * another schema wrote and this one refuses is taken as it is: it was checked when it was put.
 */
export async function currentDocument({ document, schema }: StoredPolicy): Promise<PolicyDocument> {
  if (schema === SCHEMA_FINGERPRINT) return document;
  // Only then: the schema costs more to set up than a request.
  const { policySchema } = await import("./document.ts");
  const parsed = policySchema.safeParse(document);
  return parsed.success ? parsed.data : document;
}
