import { html } from "hono/html";
import { epochSeconds } from "../platform/clock.ts";
import { HOST_SESSION_PATH } from "../policy/reserved-paths.ts";
import { equalText } from "../protocol/equal-text.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import { challengeOf, type HandOver } from "./hand-over.ts";
import { page } from "./page.ts";
import type { BrowserDeps } from "./ports.ts";
import { readTerms } from "./presented-session.ts";
import { redirect } from "./redirect.ts";
import { clearCookie, HAND_OVER_COOKIE, readCookie, SESSION_COOKIE, setCookie } from "./session-cookie.ts";
import { showSession, signOut } from "./session-view.ts";

/**
 * What every host but the issuer's has of a session, below `/.portcullis/session`: GET tells who is signed in, GET
 * with `code` brings the session here, POST to `…/sign-out` ends it.
 */
export async function answerAtHost(
  request: Request,
  requestId: string,
  deps: BrowserDeps,
): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const code = searchParams.get("code");
  const call = `${request.method} ${pathname.slice(HOST_SESSION_PATH.length)}`;
  if (call === "GET " && code !== null) return redeemCode(code, request, requestId, deps);
  if (call === "GET ") return showSession(request, requestId, deps);
  if (call === "POST /sign-out") return signOut(request, requestId, deps);
  return problemResponse(problem("not_found", `There is no ${request.method} ${pathname} here.`), requestId);
}

async function redeemCode(
  code: string,
  request: Request,
  requestId: string,
  deps: BrowserDeps,
): Promise<Response> {
  const { host } = new URL(request.url);
  const now = epochSeconds(deps.clock());
  const handOver = await deps.handOvers.open(code, host, now);
  if (!handOver) return lost(`${deps.issuer}/session/sign-in`);
  if (!(await isAsked(request, handOver))) {
    // Another tab of this browser was faster; its cookie is good for this one.
    const known = readCookie(request.headers, SESSION_COOKIE) !== undefined;
    return known ? redirect(handOver.return_to) : lost(handOver.return_to);
  }
  const terms = await readTerms(deps);
  if (!terms.ok) return problemResponse(terms.error, requestId);
  const { id, session_id, expires_at, return_to } = handOver;
  const given = await deps.session(session_id).handOver({ id, host, expires_at, terms: terms.value });
  if (!given.ok) {
    return given.error.code === "invalid_token" ? lost(return_to) : problemResponse(given.error, requestId);
  }
  const cookie = setCookie(SESSION_COOKIE, given.value.cookie, given.value.expires_at - now);
  return redirect(return_to, [cookie, clearCookie(HAND_OVER_COOKIE)]);
}

/** Whether this browser is the one that asked to be signed in here. */
async function isAsked(request: Request, { challenge }: HandOver): Promise<boolean> {
  const verifier = readCookie(request.headers, HAND_OVER_COOKIE);
  return verifier !== undefined && equalText(await challengeOf(verifier), challenge);
}

/** Not sent on by itself: a browser that keeps no cookies would go round in a circle. */
function lost(returnTo: string): Promise<Response> {
  const body = html`<p>This sign-in was not begun in this browser, was used already, or took too long.</p>
    <a class="button" href="${returnTo}">Go on, and sign in again where it is needed</a>`;
  return page("That did not work", body, { status: 400, cookies: [clearCookie(HAND_OVER_COOKIE)] });
}
