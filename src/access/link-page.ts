import { html } from "hono/html";
import { htmlPage, type Markup } from "../platform/html-page.ts";
import type { AccessRequest } from "./access-request.ts";
import type { ApprovalLink } from "./approval-link.ts";
import { type RequestState, type Round, roundState } from "./round.ts";

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #1a1a1a }
  dt { font-weight: 600 } dd { margin: 0 0 .75rem; white-space: pre-wrap; overflow-wrap: anywhere }
  textarea { width: 100%; box-sizing: border-box; font: inherit } button { font: inherit; padding: .5rem 1.25rem; margin: 1rem .5rem 0 0 }
`;

/** What is asked for, and the two buttons. */
export function reviewPage(request: AccessRequest, { extension, approver }: ApprovalLink, nonce: string) {
  const { ask, requester } = request;
  const more = request.extensions.find(({ id }) => id === extension);
  const { duration_seconds: seconds, justification } = more ?? ask;
  const body = html`<h1>Access request</h1>
    <dl>
      <dt>Who asks</dt><dd>${requester.subject}</dd>
      <dt>For</dt><dd>${ask.resource}: ${ask.scope.join(" ")}</dd>
      <dt>How long</dt><dd>${more ? `${seconds} seconds more` : `${seconds} seconds`}</dd>
      <dt>Why</dt><dd>${justification}</dd>
      ${ask.ticket === undefined ? "" : html`<dt>Ticket</dt><dd>${ask.ticket}</dd>`}
      <dt>Decide before</dt><dd>${new Date((more ?? request).review_deadline * 1000).toISOString()}</dd>
    </dl>
    <form method="post">
      <label for="comment">Comment, seen by who asks</label>
      <textarea id="comment" name="comment" rows="3" maxlength="2000"></textarea>
      <p>You decide as ${approver.subject}. The link works once.</p>
      <button name="outcome" value="approve">Approve</button>
      <button name="outcome" value="deny">Deny</button>
    </form>`;
  return page("Access request", body, nonce);
}

const OUTCOMES: Record<RequestState, string> = {
  pending: "Your review is recorded. The request still needs another approver.",
  approved: "The request is approved.",
  denied: "The request is denied.",
  cancelled: "The request was cancelled by who made it.",
  expired: "The time to review this request is over.",
};

export function outcomePage(round: Round, now: number, nonce: string) {
  return messagePage(OUTCOMES[roundState(round, now)], nonce);
}

export function messagePage(text: string, nonce: string) {
  return page("Access request", html`<h1>Access request</h1><p>${text}</p>`, nonce);
}

function page(title: string, body: Markup, nonce: string) {
  return htmlPage(title, body, { style: STYLE, nonce });
}
