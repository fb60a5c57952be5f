import type { WebhookEndpointsCreateBody, WebhookEndpointsUpdateBody } from "../client/contract.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { patchOf, taken } from "./editing.ts";
import type { EndpointView } from "./operator-wire.ts";
import { textOf } from "./review.ts";

type Events = WebhookEndpointsCreateBody["events"];
type Slack = NonNullable<WebhookEndpointsCreateBody["slack"]>;

/** What people call the members of an endpoint. */
export const ENDPOINT_WORDS: Readonly<Record<string, string>> = {
  url: "Address",
  events: "Is told of",
  description: "For",
};

/** The form's fields as the endpoint has them now. */
export function endpointFilled(endpoint: EndpointView): URLSearchParams {
  const { url, events, description = "", revision, slack } = endpoint;
  const approvers = Object.entries(slack?.approvers ?? {}).map(([user, { subject, roles = [] }]) =>
    [user, subject, ...roles].join(" "),
  );
  return new URLSearchParams({
    ...{ url, events: events.join(" "), description, revision: String(revision) },
    ...{ channel: slack?.channel ?? "", approvers: approvers.join("\n") },
  });
}

/** What every form of an endpoint has. The control plane knows which events there are. */
export function readEndpoint(form: URLSearchParams): Pick<WebhookEndpointsCreateBody, "url" | "events"> & {
  description?: string;
} {
  const description = textOf(form, "description");
  const events = (textOf(form, "events") ?? "").split(/[\s,]+/).filter((word) => word !== "") as Events;
  return { url: textOf(form, "url") ?? "", events, ...(description === undefined ? {} : { description }) };
}

/** What the form changes of the endpoint. */
export function readEndpointEdit(
  form: URLSearchParams,
  endpoint: EndpointView,
): Result<WebhookEndpointsUpdateBody> {
  const edited = { description: null, ...readEndpoint(form) };
  const patch = patchOf<WebhookEndpointsUpdateBody>(endpoint, edited);
  return Object.keys(patch).length > 0
    ? ok(patch)
    : err(problem("invalid_body", "Nothing is changed by this."));
}

export function endpointConsequences(endpoint: EndpointView, { url, events }: WebhookEndpointsUpdateBody) {
  const says: readonly (readonly [boolean, string])[] = [
    [
      url !== undefined,
      "What waits to be sent goes to the new address from now on, signed with the same secret: whoever is there must have it.",
    ],
    [
      taken(endpoint.events, events).length > 0,
      "It is not told of those any more; what it was to be told of before is still sent.",
    ],
  ];
  return says.flatMap(([applies, text]) => (applies ? [text] : []));
}

/** Reads how to send to Slack. An approver is a line: Slack's user, the subject, and the subject's roles. */
export function readSlack(form: URLSearchParams): Result<Slack> {
  const approvers: NonNullable<Slack["approvers"]> = {};
  for (const line of (textOf(form, "approvers") ?? "").split("\n")) {
    const [user, subject, ...roles] = line.split(/[\s,]+/).filter((word) => word !== "");
    if (user === undefined) continue;
    if (subject === undefined || Object.hasOwn(approvers, user)) {
      const detail = "Who decides by a click: one person a line, as U024BE7LH corp|bob approver.";
      return err(problem("invalid_body", detail));
    }
    Object.defineProperty(approvers, user, { value: { subject, roles }, enumerable: true });
  }
  const given = ["bot_token", "channel", "signing_secret"].flatMap((name) => {
    const text = textOf(form, name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return ok({ ...Object.fromEntries(given), approvers });
}
