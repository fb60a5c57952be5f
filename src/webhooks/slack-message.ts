import { unseenShown } from "../platform/visible-text.ts";
import type { Json } from "../protocol/json.ts";
import type { WebhookEvent } from "./event.ts";
import type { SlackSettings } from "./slack-settings.ts";

/** Slack refuses a section's text above 3,000 characters. */
const MAX_FIELD_CHARS = 500;

const TEXTS = ["id", "state", "requester", "resource", "scope", "justification"] as const;

/** What the message says of an access request; everything else of the event is left out. */
type Subject = Record<(typeof TEXTS)[number], string> & {
  duration_seconds: number;
  ticket?: string;
  decide_in_chat?: boolean;
};

type Block = { [member: string]: Json };

/** Of the two buttons: `value` is `<endpoint> <access request>`. */
export const SLACK_ACTIONS = { review_approve: "approve", review_deny: "deny" } as const;

/** Events that ask people to do something. */
const ASKING: ReadonlySet<WebhookEvent["type"]> = new Set([
  "access_request.created",
  "access_request.stage_passed",
  "access_request.reminder_due",
  "access_request.escalated",
  "grant.extension_requested",
  "break_glass.review_due",
  "break_glass.review_overdue",
]);

/** One event as a message (Block Kit). Buttons that decide are there where the rule and the endpoint allow it. */
export function slackMessage(
  event: WebhookEvent,
  endpointId: string,
  { channel, approvers }: Pick<SlackSettings, "channel" | "approvers">,
  issuer: string,
): { [member: string]: Json } {
  const request = event.data.access_request;
  const to = channel === undefined ? {} : { channel };
  if (!isSubject(request)) return { ...to, text: escapeMrkdwn(event.type) };
  const text = `${escapeMrkdwn(event.type)}: ${field(request.requester)} – ${field(request.resource)}`;
  const blocks: Block[] = [{ type: "section", text: { type: "mrkdwn", text: describe(event, request) } }];
  if (ASKING.has(event.type)) {
    // A click reviews the request; what is asked after its decision is reviewed where it is opened.
    const waits = request.state === "pending" && request.decide_in_chat === true;
    const native = waits && Object.keys(approvers).length > 0;
    const url = `${issuer}/console/access-requests/${request.id}`;
    const value = `${endpointId} ${request.id}`;
    // Slack tells of clicks on links too, and wants them signed for and answered like the others.
    const open: Block = { type: "button", action_id: "open", text: plain("Open"), url, value };
    const approve: Block = {
      ...{ type: "button", action_id: "review_approve", text: plain("Approve"), style: "primary", value },
    };
    const deny: Block = {
      ...{ type: "button", action_id: "review_deny", text: plain("Deny"), style: "danger", value },
    };
    blocks.push({ type: "actions", elements: native ? [approve, deny, open] : [open] });
  }
  return { ...to, text, blocks, unfurl_links: false, unfurl_media: false };
}

/** What replaces the message once somebody has decided, or tells the one who clicked why not. */
export function slackOutcome(text: string, replace: boolean): { [member: string]: Json } {
  const escaped = escapeMrkdwn(text);
  return replace
    ? { replace_original: true, text: escaped }
    : { replace_original: false, response_type: "ephemeral", text: escaped };
}

/** Slack's own way to say no: status 200, `{"ok": false}`. */
export function slackAccepts(body: string): boolean {
  return /^\s*\{\s*"ok"\s*:\s*true\b/.test(body);
}

/** The three characters that begin links, mentions and entities in Slack's text. */
export function escapeMrkdwn(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function isSubject(value: unknown): value is Subject {
  if (typeof value !== "object" || value === null) return false;
  const {
    duration_seconds,
    ticket = "",
    decide_in_chat = false,
    ...texts
  } = value as Record<string, unknown>;
  return (
    TEXTS.every((name) => typeof texts[name] === "string") &&
    typeof duration_seconds === "number" &&
    typeof ticket === "string" &&
    typeof decide_in_chat === "boolean"
  );
}

function describe(event: WebhookEvent, request: Subject): string {
  const lines = [
    `*${escapeMrkdwn(event.type)}* (${field(request.state)})`,
    `Who: ${field(request.requester)}`,
    `What: ${field(request.resource)} – ${field(request.scope)}, for ${request.duration_seconds} s`,
    `Why: ${field(request.justification)}`,
  ];
  if (request.ticket !== undefined) lines.push(`Ticket: ${field(request.ticket)}`);
  return lines.join("\n");
}

/**
 * One line of somebody's text: without markup, without line breaks that could imitate our own lines, and with what
 * nobody would see written out.
 */
function field(text: string): string {
  const line = unseenShown(text).replaceAll(/[\r\n]+/g, " ");
  const cut = line.length > MAX_FIELD_CHARS ? `${line.slice(0, MAX_FIELD_CHARS)}…` : line;
  // A zero-width space before each mark keeps the text readable and the mark without effect.
  return escapeMrkdwn(cut).replaceAll(/[*_~`]/g, (mark) => `\u200b${mark}`);
}

function plain(text: string): Block {
  return { type: "plain_text", text };
}
