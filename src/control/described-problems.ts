import type { Operation } from "../platform/operation.ts";
import { type ProblemCode, problemCodes, problemStatus, problemTitle } from "../protocol/problem.ts";
import type { DescribedRoute } from "./described-routes.ts";
import type { JsonSchema } from "./json-schemas.ts";
import type { DescribedOperation } from "./openapi-document.ts";

export const PROBLEM_SCHEMAS: Record<string, JsonSchema> = {
  Problem: {
    type: "object",
    description: "Problem details (RFC 9457). `code` says which; a code may bring members of its own.",
    properties: {
      type: { type: "string" },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string", description: "What is wrong, why, and what to do." },
      instance: { type: "string", description: "The request's id, as a URN." },
      code: { $ref: "#/components/schemas/ProblemCode" },
    },
    required: ["type", "title", "status", "detail", "instance", "code"],
  },
  ProblemCode: { type: "string", enum: problemCodes, description: "The set is closed." },
  OAuthError: {
    type: "object",
    description: "RFC 6749 §5.2.",
    properties: { error: { type: "string" }, error_description: { type: "string" } },
    required: ["error"],
  },
};

/** Every problem that a call can meet: the route's own, and what its middleware and the deployment answer. */
export function codesOf({ method, demand }: DescribedRoute, operation: Operation): ProblemCode[] {
  const { credential, headers = [], errors = [] } = operation;
  const codes = new Set<ProblemCode>(errors);
  const add = (...more: ProblemCode[]) => {
    for (const code of more) codes.add(code);
  };
  add("invalid_target", "internal", "misconfigured");
  if (operation.answers[503] === undefined) add("unavailable");
  if (credential === undefined) add("invalid_request", "invalid_token", "stale");
  if (demand.scopes) add("insufficient_scope");
  if (demand.query || headers.some((name) => name !== "dpop")) add("invalid_request");
  if (demand.body) add("invalid_body", "body_too_large");
  if (demand.noBody) add("invalid_body", "unsupported_media_type");
  if (operation.body?.media === "application/json" || method === "PUT") add("body_too_large");
  return problemCodes.filter((code) => codes.has(code));
}

/** Their answers by status, but for statuses that the operation has another answer for. */
export function problemAnswers(codes: readonly ProblemCode[], operation: Operation) {
  const answers: DescribedOperation["responses"] = {};
  const taken = new Set([...Object.keys(operation.answers).map(Number), ...(operation.oauthErrors ?? [])]);
  for (const [status, group] of Map.groupBy(codes, problemStatus)) {
    if (taken.has(status)) continue;
    const [first] = group;
    answers[status] = {
      description: group.map((code) => `\`${code}\`: ${problemTitle(code)}.`).join(" "),
      content: {
        "application/problem+json": {
          schema: {
            allOf: [{ $ref: "#/components/schemas/Problem" }],
            properties: { code: { enum: group } },
          },
          example: exampleOf(first!),
        },
      },
    };
  }
  return answers;
}

function exampleOf(code: ProblemCode) {
  return {
    type: `urn:portcullis:problem:${code}`,
    title: problemTitle(code),
    status: problemStatus(code),
    detail: `${problemTitle(code)}: the detail says why, and what to do.`,
    instance: "urn:portcullis:request:dec_01m80vge8se3ps2w3e76kefsk1",
    code,
  };
}

/** The answer of an OAuth endpoint that refuses. */
export function oauthErrorAnswer(status: number) {
  const error = ERRORS[status] ?? "invalid_request";
  return {
    description: `An OAuth error, as \`${error}\`.`,
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/OAuthError" },
        example: { error, error_description: "What is wrong." },
      },
    },
  };
}

const ERRORS: Record<number, string> = {
  401: "invalid_client",
  403: "access_denied",
  429: "slow_down",
  503: "temporarily_unavailable",
};
