import { html } from "hono/html";
import { epochSeconds } from "../platform/clock.ts";
import { newSecret } from "../platform/ids.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { HOST_SESSION_PATH } from "../policy/reserved-paths.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { ACCESS_HEADER, accessTeams, readAccessAssertion } from "./cloudflare-access.ts";
import { HAND_OVER_SECONDS, is256Bits } from "./hand-over.ts";
import { beginSession } from "./open-session.ts";
import { page } from "./page.ts";
import type { BrowserDeps } from "./ports.ts";
import { presentedSession } from "./presented-session.ts";
import { isProvider, type Provider } from "./provider.ts";
import { redirect } from "./redirect.ts";
import { type ReturnTo, readReturnTo } from "./return-to.ts";
import { setCookie } from "./session-cookie.ts";
import { clearLeftSignIns, SIGN_IN_SECONDS, type SignIn, signInCookie } from "./sign-in.ts";

/** What the query of a sign-in asks for, checked. */
type Asked = ReturnTo & { challenge?: string };

/** `GET /session/sign-in?provider=&return_to=`: to the provider, or on to another host where there is a session already. */
export async function signIn(request: Request, deps: BrowserDeps): Promise<Response> {
  const policy = await deps.policy();
  if (!policy.ok) return refusalPage(policy.error);
  const query = new URL(request.url).searchParams;
  const asked = readAsked(query, policy.value, deps);
  if ("code" in asked) return refusalPage(asked);
  if (asked.challenge !== undefined) {
    const presented = await presentedSession(request, deps);
    if (presented.ok) return handOver(presented.value.record.id, asked.challenge, asked, deps);
  }
  const access = request.headers.get(ACCESS_HEADER);
  if (access !== null && accessTeams(policy.value).length > 0) {
    return byAccess(access, policy.value, asked, request, deps);
  }
  const providers = policy.value.issuers.filter(isProvider);
  const named = query.get("provider");
  const [provider, ...others] = providers.filter(({ id }) => named === null || id === named);
  if (!provider) return refusalPage(problem("not_found", "There is no such provider to sign in at here."));
  if (others.length > 0) return choicePage(providers, query);
  return toProvider(provider, asked, request, deps);
}

/** Whoever Cloudflare Access has let through is signed in without being asked again. */
async function byAccess(
  text: string,
  policy: PolicyDocument,
  asked: Asked,
  request: Request,
  deps: BrowserDeps,
): Promise<Response> {
  const assertion = await readAccessAssertion(text, policy, deps.keys, deps.clock() / 1000);
  if (!assertion.ok) {
    const { code, detail } = assertion.error;
    deps.log("warn", "sign_in.cloudflare_access", { code, detail });
    return refusalPage(assertion.error);
  }
  const begun = await beginSession(request, assertion.value, deps);
  if (!begun.ok) return refusalPage(begun.error);
  const { sessionId, cookie } = begun.value;
  return asked.challenge === undefined
    ? redirect(asked.url, [cookie])
    : handOver(sessionId, asked.challenge, asked, deps, [cookie]);
}

function readAsked(query: URLSearchParams, policy: PolicyDocument, deps: BrowserDeps): Asked | Problem {
  const returnTo = readReturnTo(query.get("return_to") ?? "/session", { ...deps, policy });
  if (!returnTo) {
    return problem(
      "invalid_request",
      "return_to is no place of this deployment, so nobody is sent on to it.",
    );
  }
  const challenge = query.get("challenge");
  if (returnTo.host === new URL(deps.issuer).host) return returnTo;
  if (challenge === null || !is256Bits(challenge)) {
    return problem("invalid_request", "Another host is signed in from a page of that host. Open it there.");
  }
  return { ...returnTo, challenge };
}

async function toProvider(
  provider: Provider,
  asked: Asked,
  request: Request,
  deps: BrowserDeps,
): Promise<Response> {
  const begun: SignIn = {
    provider: provider.id,
    state: newSecret(),
    nonce: newSecret(),
    code_verifier: newSecret(),
    return_to: asked.url,
    ...(asked.challenge === undefined ? {} : { challenge: asked.challenge }),
    expires_at: epochSeconds(deps.clock()) + SIGN_IN_SECONDS,
  };
  const providers = await deps.providers();
  const url = await providers.authorizationUrl(provider, begun);
  if (!url.ok) return refusalPage(url.error);
  const cookie = await deps.signIns.seal(begun, begun.state);
  const left = clearLeftSignIns(request.headers.get("cookie"));
  return redirect(url.value, [...left, setCookie(signInCookie(begun.state), cookie, SIGN_IN_SECONDS)]);
}

/** Sends the browser to the host that it came from, with what it gets a cookie for there. */
export async function handOver(
  sessionId: string,
  challenge: string,
  { host, url }: ReturnTo,
  deps: BrowserDeps,
  cookies: string[] = [],
): Promise<Response> {
  const expires_at = epochSeconds(deps.clock()) + HAND_OVER_SECONDS;
  const value = { id: newSecret(), session_id: sessionId, challenge, return_to: url, expires_at };
  const to = new URL(HOST_SESSION_PATH, url);
  to.searchParams.set("code", await deps.handOvers.seal(value, host));
  return redirect(to.href, cookies);
}

function choicePage(providers: Provider[], query: URLSearchParams): Promise<Response> {
  const links = providers.map(({ id }) => {
    const chosen = new URLSearchParams(query);
    chosen.set("provider", id);
    return html`<a class="button" href="/session/sign-in?${chosen.toString()}">${id}</a>`;
  });
  return page("Sign in", html`<p>Where do you sign in?</p>${links}`);
}

/** `again`: where a new attempt begins. */
export function refusalPage(
  { code, detail }: Problem,
  { again = "/session/sign-in", cookies = [] }: { again?: string; cookies?: string[] } = {},
): Promise<Response> {
  const body = html`<p>${detail}</p><a class="button" href="${again}">Sign in again</a>`;
  return page("That did not work", body, { status: problemStatus(code), cookies });
}
