import * as z from "zod";
import { isId } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignedReview } from "./decision.ts";
import type { EndpointRecord, RegistryPort } from "./endpoint.ts";
import { SLACK_ACTIONS, slackOutcome } from "./slack-message.ts";
import type { SlackSecretBox } from "./slack-settings.ts";
import { type SlackSignatureFault, type SlackSigned, verifySlack } from "./slack-signature.ts";

/** Of Slack's `block_actions` what is used; the rest is Slack's to change. */
const payloadSchema = z.object({
  type: z.literal("block_actions"),
  user: z.object({ id: z.string() }),
  actions: z.array(z.object({ action_id: z.string(), value: z.string().optional() })).length(1),
  response_url: z.string().optional(),
});

type Payload = z.output<typeof payloadSchema>;
type Reviewed = { id: string; state: string };

export type SlackPorts = {
  registry: Pick<RegistryPort, "endpoint">;
  slack: SlackSecretBox;
  /** A review by a click; refused where the access rule has no `decide_in_chat`. */
  reviewInChat(review: SignedReview): Promise<Result<Reviewed>>;
};

/** What is told to Slack once the click has taken effect: at `response_url`, where that may be posted to. */
export type SlackReply = { url: string; body: string } | null;

/** What a click that Slack has signed does. */
export type Click = () => Promise<SlackReply>;

/**
 * Reads one click on a button. One that Slack has not signed is refused; one that it has signed is always taken,
 * and whoever clicked is told what came of it.
 */
export async function readClick(
  message: SlackSigned,
  ports: SlackPorts,
  where: { local: boolean },
  nowSeconds: number,
): Promise<Result<Click>> {
  const payload = parsePayload(message.body);
  if (!payload) return err(problem("invalid_body", "The body is not an interaction of Slack."));
  const [endpointId = "", requestId = ""] = payload.actions[0]!.value?.split(" ") ?? [];
  const signer = await findSigner(endpointId, message, ports, nowSeconds);
  if (!signer.ok) return signer;
  const action = payload.actions[0]!.action_id;
  if (action !== "review_approve" && action !== "review_deny") return ok(async () => null);
  return ok(async () => {
    const reviewed = await review(signer.value, requestId, payload.user.id, SLACK_ACTIONS[action], ports);
    return reply(payload.response_url, reviewed, where.local);
  });
}

/** The endpoint that the button names, where its app's secret signed the click. */
async function findSigner(
  endpointId: string,
  message: SlackSigned,
  { registry, slack }: SlackPorts,
  nowSeconds: number,
): Promise<Result<EndpointRecord>> {
  if (!isId("whe", endpointId)) return err(UNSIGNED);
  const endpoint = await registry.endpoint(endpointId);
  if (!endpoint.ok) return endpoint.error.code === "not_found" ? err(UNSIGNED) : endpoint;
  const settings = endpoint.value.enabled ? endpoint.value.slack : undefined;
  const secrets = settings && (await slack.open(endpointId, settings));
  if (!secrets?.signing_secret) return err(UNSIGNED);
  const verified = await verifySlack(message, secrets.signing_secret, nowSeconds);
  return verified.ok ? endpoint : err(signatureProblem(verified.error));
}

async function review(
  { id: endpointId, slack }: EndpointRecord,
  requestId: string,
  userId: string,
  outcome: "approve" | "deny",
  ports: SlackPorts,
): Promise<Result<Reviewed>> {
  const approver = Object.hasOwn(slack!.approvers, userId) ? slack!.approvers[userId] : undefined;
  if (!approver)
    return err(problem("forbidden", "Your Slack user is not among the approvers of this endpoint."));
  return ports.reviewInChat({
    access_request_id: requestId,
    // The same click again is the same review; another outcome of the same person is another.
    review_id: `rvw_${(await sha256Hex(`${endpointId} ${requestId} ${userId} ${outcome}`)).slice(0, 32)}`,
    approver,
    outcome,
    via: { endpoint_id: endpointId },
  });
}

function reply(url: string | undefined, reviewed: Result<Reviewed>, local: boolean): SlackReply {
  if (url === undefined || !isResponseUrl(url, local)) return null;
  const text = reviewed.ok
    ? `Access request ${reviewed.value.id} is ${reviewed.value.state}.`
    : reviewed.error.detail;
  // Buttons stay while another approver is needed, or where the click did not count.
  const over = reviewed.ok && reviewed.value.state !== "pending";
  return { url, body: JSON.stringify(slackOutcome(text, over)) };
}

/** Only Slack's own host is ever posted to, whatever a payload says; on a local deployment a double may be. */
export function isResponseUrl(text: string, local: boolean): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, host, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  if (local && protocol === "http:" && hostname === "127.0.0.1") return true;
  return protocol === "https:" && host === "hooks.slack.com";
}

function parsePayload(body: string): Payload | undefined {
  const text = new URLSearchParams(body).get("payload");
  const object = text === null ? undefined : parseUniqueObject(text);
  const parsed = payloadSchema.safeParse(object);
  return parsed.success ? parsed.data : undefined;
}

const UNSIGNED = problem("invalid_signature", "No Slack endpoint with this button has a signing secret.");

const FAULTS: Record<SlackSignatureFault, string> = {
  missing: "X-Slack-Signature and X-Slack-Request-Timestamp are needed.",
  malformed: "X-Slack-Signature is v0= and 64 hexadecimal digits; the timestamp is in seconds.",
  too_old: "X-Slack-Request-Timestamp is more than five minutes in the past.",
  too_new: "X-Slack-Request-Timestamp is more than five minutes in the future.",
  mismatch: "The signature is not of this endpoint's signing secret.",
};

function signatureProblem(fault: SlackSignatureFault): Problem {
  return problem("invalid_signature", FAULTS[fault]);
}
