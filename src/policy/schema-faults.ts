import type * as z from "zod";

type Issue = z.core.$ZodIssue;

/** `routes.2.access.resource: …`; the document itself is `(document)`. */
function fault(path: readonly PropertyKey[], message: string): string {
  return `${path.map(String).join(".") || "(document)"}: ${message}`;
}

/** One line for each fault that the schema finds, named by the path of the member that is wrong. */
export function schemaFaults(issues: readonly Issue[], base: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => fault([...path, key], "is not a member of this object"));
      case "invalid_key":
        return issue.issues.map((inner) => fault(path, `the name ${inner.message}`));
      case "invalid_union": {
        const branch = issue.errors.find((inner) => !isOtherKind(inner));
        return branch ? schemaFaults(branch, path) : [fault(path, unionMessage(issue))];
      }
      default:
        return [fault(path, issue.message)];
    }
  });
}

/** The branch of a union that the value was not meant for: it is not even of this branch's type. */
function isOtherKind(issues: readonly Issue[]): boolean {
  return issues.some(
    ({ path, code }) => path.length === 0 && (code === "invalid_type" || code === "invalid_value"),
  );
}

function unionMessage(issue: z.core.$ZodIssueInvalidUnion): string {
  const expected = issue.errors.flatMap((branch) =>
    branch.map((inner) => inner.message.replace(/^Invalid input: expected |, received .*$/g, "")),
  );
  return expected.length > 0 ? `expected ${expected.join(" or ")}` : issue.message;
}
