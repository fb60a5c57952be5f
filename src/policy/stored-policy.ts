import type { PolicyDocument, StoredPolicy } from "./document.ts";

/**
 * Of the schema as it is now: what the JSON Schema of documents says of their members. A test holds it, and tells
 * the new one where the schema has changed; what no JSON Schema shows, such as a transform, changes it by hand.
 */
export const SCHEMA_FINGERPRINT = "d80a100cd2f3";

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
