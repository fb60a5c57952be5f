import { html } from "hono/html";
import { htmlPage, pageHeaders } from "../platform/html-page.ts";
import { newSecret } from "../platform/ids.ts";
import { type ProblemCode, problemTitle } from "../protocol/problem.ts";
import type { Refusal } from "./decision.ts";
import { TELLINGS } from "./tellings.ts";

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 12vh auto; padding: 0 1rem; color: #1a1a1a; background: #fff; overflow-wrap: anywhere }
  a { color: #0b4fc4 }
  code { font: .9em ui-monospace, monospace }
  @media (prefers-color-scheme: dark) { body { background: #1a1a1a; color: #eee } a { color: #93bdff } }
`;

/** Title and text for a person, where those of the problem are for a program. */
const FOR_PEOPLE: Partial<Record<ProblemCode, readonly [title: string, text?: string]>> = {
  invalid_token: [
    "You have to sign in for this",
    "The request came without a session or an access token that is valid here.",
  ],
  insufficient_scope: ["You have no access to this", "You are known here, but may not open this."],
  forbidden: ["You have no access to this"],
  insufficient_user_authentication: ["You have to sign in again for this"],
  stale: ["Not available right now"],
  unavailable: ["Not available right now"],
  issuer_keys_unavailable: ["Not available right now"],
  bad_origin: [
    "Not available right now",
    "You may open this, but what is behind it could not be reached. Try again in a moment.",
  ],
  origin_timeout: [
    "Not available right now",
    "You may open this, but what is behind it did not answer in time. Try again in a moment.",
  ],
};

/** The same refusal, or fault of an origin, for somebody before a browser: what happened, its id, and where access can be asked for. */
export async function refusalPage(
  told: Response,
  { reason, ask }: Refusal,
  issuer: string,
  requestId: string,
): Promise<Response> {
  const { code, detail } = TELLINGS[reason];
  const [title, text = detail] = FOR_PEOPLE[code] ?? [problemTitle(code)];
  const nonce = newSecret();
  const body = html`<main><h1>${title}</h1>
    <p>${text}</p>
    ${ask ? html`<p><a href="${askAddress(ask, issuer)}">Ask for access to ${ask.resource}</a></p>` : ""}
    <p>Decision <code>${requestId}</code>: quote it when you ask for help.</p></main>`;
  const headers = new Headers(told.headers);
  for (const [name, value] of Object.entries(pageHeaders(nonce, { referrer: "no-referrer" })))
    headers.set(name, value);
  return new Response(String(await htmlPage(title, body, { style: STYLE, nonce })), {
    status: told.status,
    headers,
  });
}

function askAddress({ resource, scopes }: NonNullable<Refusal["ask"]>, issuer: string): string {
  return `${issuer}/console/ask/new?${new URLSearchParams({ resource, scope: scopes.join(" ") })}`;
}
