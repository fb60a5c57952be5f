import { html } from "hono/html";
import { sha256Hex } from "../protocol/encoding.ts";
import { equalText } from "../protocol/equal-text.ts";
import { problem } from "../protocol/problem.ts";
import { isSameOrigin } from "../protocol/same-origin.ts";
import { type DeviceLoginPort, readUserCode, type ShownLogin } from "../tokens/device-login.ts";
import { page } from "./page.ts";
import type { BrowserDeps } from "./ports.ts";
import { type PresentedSession, presentedSession, readTerms } from "./presented-session.ts";
import { redirect } from "./redirect.ts";
import { csrfTokenOf } from "./session-cookie.ts";
import { refusalPage } from "./sign-in-start.ts";

export type DevicePageDeps = BrowserDeps & { devices: DeviceLoginPort };

const PATH = "/session/device";

/** `GET /session/device?user_code=` (RFC 8628 §3.3): asks who is signed in whether a device may act as them. */
export async function devicePage(request: Request, deps: DevicePageDeps): Promise<Response> {
  const typed = new URL(request.url).searchParams.get("user_code") ?? "";
  const presented = await presentedSession(request, deps);
  if (!presented.ok) {
    if (presented.error.code !== "invalid_token") return refusalPage(presented.error);
    const back = new URLSearchParams({ return_to: `${PATH}?user_code=${encodeURIComponent(typed)}` });
    return redirect(`${deps.issuer}/session/sign-in?${back}`);
  }
  const code = readUserCode(typed);
  if (code === undefined) return codePage(typed === "" ? undefined : "That is not a code of eight letters.");
  const login = await deps.devices.look(code);
  if (!login.ok) return codePage(login.error.detail);
  return confirmPage(login.value, presented.value, deps);
}

/** `POST /session/device`: the decision, which only a page of this host can send, with the session's token. */
export async function decideDevice(request: Request, deps: DevicePageDeps): Promise<Response> {
  if (!isSameOrigin(request)) {
    return refusalPage(
      problem("forbidden", "Another site made this request. Open the page and decide there."),
      { again: PATH },
    );
  }
  const presented = await presentedSession(request, deps);
  if (!presented.ok) return refusalPage(presented.error);
  const form = new URLSearchParams(await request.text());
  const { cookie, session } = presented.value;
  if (!equalText(form.get("csrf_token") ?? "", await csrfTokenOf(cookie))) {
    return refusalPage(problem("forbidden", "The page is from another session. Open it again."), {
      again: PATH,
    });
  }
  const code = readUserCode(form.get("user_code") ?? "");
  if (code === undefined) return codePage("That is not a code of eight letters.");
  if (form.get("decision") !== "allow") {
    const denied = await deps.devices.decide(code, { outcome: "deny" });
    return denied.ok
      ? donePage("Nothing was given", "The device gets nothing.")
      : codePage(denied.error.detail);
  }
  const terms = await readTerms(deps);
  if (!terms.ok) return refusalPage(terms.error);
  const use = { host: new URL(request.url).host, credential: await sha256Hex(cookie), terms: terms.value };
  const assertion = await session.vouch(use);
  if (!assertion.ok) return refusalPage(assertion.error);
  const session_id = deps.newSessionId();
  const done = await deps.devices.decide(code, {
    outcome: "approve",
    assertion: assertion.value,
    session_id,
  });
  return done.ok
    ? donePage("The device is signed in", "You can close this page and go on there.")
    : codePage(done.error.detail);
}

function codePage(fault?: string): Promise<Response> {
  const body = html`${fault === undefined ? "" : html`<p role="alert">${fault}</p>`}
    <form method="get" action="${PATH}">
      <label for="user_code">The code that your device shows</label>
      <input id="user_code" name="user_code" required maxlength="16" autocomplete="off" autocapitalize="characters" spellcheck="false">
      <button>Go on</button>
    </form>`;
  return page("Sign in a device", body, fault === undefined ? {} : { status: 400 });
}

async function confirmPage(
  { user_code, client_id, scopes, address, begun_at }: ShownLogin,
  { cookie, record }: PresentedSession,
  { clock }: DevicePageDeps,
): Promise<Response> {
  const minutes = Math.max(0, Math.round((clock() / 1000 - begun_at) / 60));
  const body = html`<p>A device wants to act as <strong>${record.subject}</strong>. Go on only if you began this yourself and the device shows the code</p>
    <p><strong>${user_code}</strong></p>
    <p>It is the client <code>${client_id}</code>, began ${minutes === 0 ? "just now" : `${minutes} min ago`}${address === "" ? "" : ` from ${address}`},
    and gets ${scopes ? html`the scopes <code>${scopes.join(" ")}</code>` : "everything that you may do here"}, until you sign it out or it is not used for long.</p>
    <p>Nobody who calls or writes to you needs this code.</p>
    <form method="post" action="${PATH}">
      <input type="hidden" name="csrf_token" value="${await csrfTokenOf(cookie)}">
      <input type="hidden" name="user_code" value="${user_code}">
      <button name="decision" value="allow">Yes, sign this device in</button>
      <button name="decision" value="deny">No, I did not begin this</button>
    </form>`;
  return page("Sign in a device", body);
}

function donePage(title: string, text: string): Promise<Response> {
  return page(title, html`<p>${text}</p>`);
}
