import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { crossFaults, type PolicyContext } from "./cross-faults.ts";
import { type PolicyDocument, policySchema } from "./document.ts";
import { readDraft } from "./draft.ts";
import { schemaFaults } from "./schema-faults.ts";

/** More are counted, not listed: the answer stays readable. */
const MAX_FAULTS_LISTED = 100;

/**
 * Checks a policy document: its schema and the rules across its members.
 *
 * @returns the document with all defaults filled in, or `invalid_body` whose `extra.faults` names every fault
 * at once, one `path: message` each.
 */
export function checkPolicy(input: unknown, context: PolicyContext): Result<PolicyDocument> {
  const parsed = policySchema.safeParse(input);
  const faults = [
    ...(parsed.success ? [] : schemaFaults(parsed.error.issues)),
    ...droppedNames(input),
    ...crossFaults(readDraft(input), context),
  ];
  if (parsed.success && faults.length === 0) return ok(parsed.data);
  const listed = faults.slice(0, MAX_FAULTS_LISTED);
  if (faults.length > listed.length) listed.push(`(document): and ${faults.length - listed.length} more`);
  const count = faults.length === 1 ? "a fault" : `${faults.length} faults`;
  return err(problem("invalid_body", `The policy has ${count}. ${faults[0]}`, { faults: listed }));
}

/** zod leaves `__proto__` out of a record without a word. */
function droppedNames(input: unknown): string[] {
  return ["origins", "roles"].flatMap((section) => {
    const record = (input as Record<string, unknown> | null | undefined)?.[section];
    const dropped = typeof record === "object" && record !== null && Object.hasOwn(record, "__proto__");
    return dropped ? [`${section}.__proto__: cannot be used as a name`] : [];
  });
}
