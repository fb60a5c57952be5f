import * as z from "zod";
import { policySchema } from "./document.ts";

/**
 * JSON Schema (2020-12) of the document as people write it, for editors. The rules across members (`checkPolicy`)
 * are not in it. `id` becomes `$id`: the URL at which it is served.
 */
export function policyJsonSchema(id: string): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(policySchema, { io: "input" });
  return { $schema, $id: id, title: "Portcullis policy", ...schema };
}
