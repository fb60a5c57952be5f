import { html } from "hono/html";
import { equalText } from "../protocol/equal-text.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import { isSameOrigin } from "../protocol/same-origin.ts";
import { page } from "./page.ts";
import type { BrowserDeps } from "./ports.ts";
import { type PresentedSession, presentedSession } from "./presented-session.ts";
import { isProvider } from "./provider.ts";
import { redirect } from "./redirect.ts";
import { clearCookie, csrfTokenOf, SESSION_COOKIE } from "./session-cookie.ts";

/** For the page that asks, and for no other site; and for this cookie only. */
const PRIVATE = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  vary: "Cookie",
};

/** Who is signed in, for the page's own scripts: 401 where nobody is. */
export async function showSession(request: Request, requestId: string, deps: BrowserDeps): Promise<Response> {
  const presented = await presentedSession(request, deps);
  if (!presented.ok) return problemResponse(presented.error, requestId, PRIVATE);
  const { cookie, record } = presented.value;
  const { id, subject, issuer_id, opened_at, idle_end, absolute_end } = record;
  const body = {
    id,
    subject,
    issuer_id,
    opened_at,
    idle_end,
    absolute_end,
    csrf_token: await csrfTokenOf(cookie),
  };
  return Response.json(body, { headers: PRIVATE });
}

/** Asks before it signs out: a link alone changes nothing. */
export async function signOutPage(request: Request, deps: BrowserDeps): Promise<Response> {
  const presented = await presentedSession(request, deps);
  if (!presented.ok) return signedOutPage();
  const { cookie, record } = presented.value;
  const elsewhere = await endSessionUrl(presented.value, deps);
  const body = html`<p>You are signed in as ${record.subject}.</p>
    <form method="post">
      <input type="hidden" name="csrf_token" value="${await csrfTokenOf(cookie)}">
      <button>Sign out everywhere</button>
    </form>`;
  return page("Sign out", body, elsewhere === undefined ? {} : { formTo: [new URL(elsewhere).origin] });
}

/**
 * Ends the session: its cookies are dead at every host, its access tokens are denied. Only a page of this host that
 * knows the session's token can do so. A form is led on to the provider, which ends its own session.
 */
export async function signOut(request: Request, requestId: string, deps: BrowserDeps): Promise<Response> {
  const refused = (detail: string) => problemResponse(problem("forbidden", detail), requestId);
  if (!isSameOrigin(request))
    return refused("Another site made this request. Sign out on a page of this one.");
  const presented = await presentedSession(request, deps);
  if (!presented.ok) {
    return presented.error.code === "invalid_token"
      ? redirect(`${deps.issuer}/session/signed-out`, [clearCookie(SESSION_COOKIE)])
      : problemResponse(presented.error, requestId);
  }
  const { cookie, record, session } = presented.value;
  if (!equalText(await csrfTokenGiven(request), await csrfTokenOf(cookie))) {
    return refused("This needs the session's token, as X-CSRF-Token or as the form's csrf_token.");
  }
  const revoked = await session.revoke(record.subject, "Signed out in the browser.");
  if (!revoked.ok) return problemResponse(revoked.error, requestId);
  const elsewhere = await endSessionUrl(presented.value, deps);
  return redirect(elsewhere ?? `${deps.issuer}/session/signed-out`, [clearCookie(SESSION_COOKIE)]);
}

export function signedOutPage(): Promise<Response> {
  return page(
    "Signed out",
    html`<p>Nobody is signed in here now.</p><a class="button" href="/session/sign-in">Sign in</a>`,
  );
}

async function csrfTokenGiven(request: Request): Promise<string> {
  const header = request.headers.get("x-csrf-token");
  if (header !== null) return header;
  return new URLSearchParams(await request.text()).get("csrf_token") ?? "";
}

/** RP-Initiated Logout, where the provider that signed the person in has it; or the sign-out of Cloudflare Access. */
async function endSessionUrl({ record }: PresentedSession, deps: BrowserDeps): Promise<string | undefined> {
  const policy = await deps.policy();
  const provider = policy.ok ? policy.value.issuers.find(({ id }) => id === record.issuer_id) : undefined;
  if (provider?.cloudflare_access) return `${deps.issuer}/cdn-cgi/access/logout`;
  if (!isProvider(provider)) return undefined;
  const providers = await deps.providers();
  return providers.endSessionUrl(provider);
}
