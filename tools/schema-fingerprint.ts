import { createHash } from "node:crypto";
import * as z from "zod";
import { policySchema } from "../src/policy/document.ts";

/** Counted up by hand where the schema changes in what no JSON Schema shows, such as a transform. */
const UNSHOWN_CHANGES = 0;

/** `src/policy/schema-fingerprint.ts`: of the members, types and defaults of policy documents. */
export function fingerprintText(): string {
  const shape = [shapeOf(z.toJSONSchema(policySchema, { io: "input" })), UNSHOWN_CHANGES];
  const fingerprint = createHash("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 12);
  return `// Written by \`npm run api\` from the schema of policy documents. Do not edit.

export const SCHEMA_FINGERPRINT = "${fingerprint}";
`;
}

/** Without what people read of it, which may change as it likes. */
function shapeOf(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(shapeOf);
  if (typeof schema !== "object" || schema === null) return schema;
  const members = Object.entries(schema).filter(
    ([name, value]) => name !== "description" || typeof value !== "string",
  );
  return Object.fromEntries(members.map(([name, value]) => [name, shapeOf(value)]));
}
