import * as z from "zod";
import { bodyProblem } from "../platform/http.ts";
import { isId } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { EndpointRecord, RegistryPort } from "./endpoint.ts";
import type { EndpointSecrets } from "./endpoint-secret.ts";
import { mayName } from "./reviews-as.ts";
import { type SignatureFault, type SignedMessage, verifyMessage } from "./signature.ts";

/** RFC 6749 §3.3: scope tokens separated by one space. */
const SCOPES = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/;
/** Shown to people and sent on: no control characters but line breaks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const PLAIN_TEXT = /^[^\x00-\x09\x0b-\x1f\x7f]*$/;

/** An inbound decision: what a person decided elsewhere, told by an endpoint's owner. */
export const decisionSchema = z.strictObject({
  type: z.literal("access_request.review"),
  timestamp: z.string().max(64).exactOptional().describe("Informative; `webhook-timestamp` counts."),
  data: z.strictObject({
    access_request_id: z.string().refine((id) => isId("req", id), "must be an access request id"),
    approver: z.string().min(1).max(320).describe("Subject, as the access rules name it."),
    outcome: z.enum(["approve", "deny"]),
    comment: z.string().max(2_000).regex(PLAIN_TEXT, "must not hold control characters").exactOptional(),
    duration_seconds: z.int().min(1).exactOptional(),
    scope: z.string().max(2_000).regex(SCOPES, "must be scope tokens separated by one space").exactOptional(),
    extension: z.string().max(64).exactOptional().describe("Absent: the request itself."),
  }),
});

/** A review on its way to its access request. Idempotent by `review_id`. */
export type SignedReview = {
  access_request_id: string;
  review_id: string;
  approver: { subject: string; roles: string[] };
  outcome: "approve" | "deny";
  comment?: string;
  duration_seconds?: number;
  scope?: string[];
  extension?: string;
  via: { endpoint_id: string };
};

/** The access room as this one needs it. */
type AccessPort = { review(review: SignedReview): Promise<Result<{ id: string; state: string }>> };

export type DecisionPorts = {
  registry: Pick<RegistryPort, "decisionEndpoints">;
  access: AccessPort;
  secrets: EndpointSecrets;
};

/**
 * Takes one inbound decision: finds the endpoint whose secret signed it, lets it speak only for whom it may,
 * and hands the review on. The same `webhook-id` again is the same review, so a replay changes nothing.
 */
export async function decide(
  message: SignedMessage,
  ports: DecisionPorts,
  nowSeconds: number,
): Promise<Result<{ id: string; state: string }>> {
  const signer = await findSigner(message, ports, nowSeconds);
  if (!signer.ok) return signer;
  const { id: endpointId, reviews_as: reviewsAs } = signer.value;
  const body = parseUniqueObject(message.body);
  if (!body)
    return err(problem("invalid_body", "The body must be one JSON object without duplicate members."));
  const parsed = decisionSchema.safeParse(body);
  if (!parsed.success) return err(bodyProblem(parsed.error.issues));
  const { approver, scope, ...review } = parsed.data.data;
  if (!reviewsAs || !mayName(reviewsAs, approver)) {
    return err(problem("forbidden", "data.approver: this endpoint may not review in that name."));
  }
  return ports.access.review({
    ...review,
    ...(scope === undefined ? {} : { scope: scope.split(" ") }),
    review_id: await reviewId(endpointId, message.id!),
    approver: { subject: approver, roles: reviewsAs.roles },
    via: { endpoint_id: endpointId },
  });
}

/** The message names no endpoint, so each one's secrets are tried; their number is bounded by the registry. */
async function findSigner(
  message: SignedMessage,
  { registry, secrets }: DecisionPorts,
  nowSeconds: number,
): Promise<Result<EndpointRecord>> {
  const endpoints = await registry.decisionEndpoints();
  if (!endpoints.ok) return endpoints;
  const opened = await Promise.all(
    endpoints.value.map(async (endpoint) =>
      (await secrets.open(endpoint.id, endpoint.secrets_sealed)).map((secret) => ({ endpoint, secret })),
    ),
  );
  const candidates = opened.flat();
  const found = await verifyMessage(
    message,
    candidates.map(({ secret }) => secret),
    nowSeconds,
  );
  return found.ok ? ok(candidates[found.value]!.endpoint) : err(signatureProblem(found.error));
}

async function reviewId(endpointId: string, webhookId: string): Promise<string> {
  return `rvw_${(await sha256Hex(`${endpointId} ${webhookId}`)).slice(0, 32)}`;
}

const FAULTS: Record<SignatureFault, string> = {
  missing: "The headers webhook-id, webhook-timestamp and webhook-signature are needed (Standard Webhooks).",
  malformed:
    "A webhook-… header is malformed: the id has 1–128 letters, digits, '-' or '_'; the timestamp is in seconds.",
  too_old: "webhook-timestamp is more than five minutes in the past.",
  too_new: "webhook-timestamp is more than five minutes in the future.",
  mismatch: "No endpoint that may review has a secret with which this signature fits.",
};

function signatureProblem(fault: SignatureFault): Problem {
  return problem("invalid_signature", FAULTS[fault]);
}
