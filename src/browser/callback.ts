import { epochSeconds } from "../platform/clock.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { namedRoles } from "../policy/named-roles.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Assertion } from "../tokens/session.ts";
import { verifyIdToken } from "./id-token.ts";
import type { BrowserDeps } from "./ports.ts";
import { findSession, readTerms } from "./presented-session.ts";
import type { Provider } from "./provider.ts";
import { redirect } from "./redirect.ts";
import { readReturnTo } from "./return-to.ts";
import { clearCookie, readCookie, SESSION_COOKIE, setCookie } from "./session-cookie.ts";
import { type SignIn, signInCookie } from "./sign-in.ts";
import { handOver, refusalPage } from "./sign-in-start.ts";

const NOT_BEGUN_HERE = problem(
  "invalid_request",
  "This sign-in was not begun in this browser, was used already, or took too long.",
);

/** `GET /session/callback/<provider>`: the provider's answer. It always makes a new session. */
export async function callback(request: Request, providerId: string, deps: BrowserDeps): Promise<Response> {
  const answer = new URL(request.url).searchParams;
  const name = signInCookie(answer.get("state") ?? "");
  const sealed = readCookie(request.headers, name);
  const now = epochSeconds(deps.clock());
  const signIn = sealed && (await deps.signIns.open(sealed, answer.get("state") ?? "", now));
  if (!signIn || signIn.provider !== providerId) return refusalPage(NOT_BEGUN_HERE);
  const opened = await openSession(signIn, answer, deps);
  if (!opened.ok) {
    const again = `/session/sign-in?${againQuery(signIn)}`;
    return refusalPage(opened.error, { again, cookies: [clearCookie(name)] });
  }
  await endBefore(request, deps);
  const { sessionId, cookie, expires_at, policy } = opened.value;
  const cookies = [setCookie(SESSION_COOKIE, cookie, expires_at - now), clearCookie(name)];
  // The policy may have lost a host while somebody signed in.
  const returnTo = readReturnTo(signIn.return_to, { ...deps, policy });
  if (!returnTo) return redirect(`${deps.issuer}/session`, cookies);
  return signIn.challenge === undefined
    ? redirect(returnTo.url, cookies)
    : handOver(sessionId, signIn.challenge, returnTo, deps, cookies);
}

type Opened = { sessionId: string; cookie: string; expires_at: number; policy: PolicyDocument };

async function openSession(
  signIn: SignIn,
  answer: URLSearchParams,
  deps: BrowserDeps,
): Promise<Result<Opened>> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const provider = policy.value.issuers.find(({ id }) => id === signIn.provider);
  const terms = await readTerms(deps);
  if (!terms.ok) return terms;
  if (!provider?.sign_in) return err(NOT_BEGUN_HERE);
  const assertion = await readAssertion(provider as Provider, signIn, answer, policy.value, deps);
  if (!assertion.ok) return assertion;
  const sessionId = deps.newSessionId();
  const opened = await deps.session(sessionId).signIn({
    id: sessionId,
    host: new URL(deps.issuer).host,
    audience: deps.issuer,
    assertion: assertion.value,
    terms: terms.value,
  });
  return opened.ok ? ok({ ...opened.value, sessionId, policy: policy.value }) : opened;
}

/** What the provider says of the person, verified. */
async function readAssertion(
  provider: Provider,
  signIn: SignIn,
  answer: URLSearchParams,
  policy: PolicyDocument,
  deps: BrowserDeps,
): Promise<Result<Assertion>> {
  const providers = await deps.providers();
  const idToken = await providers.idToken(provider, signIn, answer);
  if (!idToken.ok) return idToken;
  const { nonce } = signIn;
  const expected = { issuer: provider, clientId: provider.sign_in.client_id, nonce };
  const token = await verifyIdToken(idToken.value, expected, deps.keys, deps.clock() / 1000);
  if (!token.ok) {
    const { code, detail } = token.error;
    deps.log("warn", "sign_in.id_token", { issuer: provider.issuer, code, detail });
    return token;
  }
  const { facts, roles, scopes, signIn: how } = token.value;
  const named = namedRoles(policy);
  return ok({
    facts,
    issuer_id: provider.id,
    roles: roles.filter((role) => named.has(role)),
    scopes,
    ...(how ? { sign_in: how } : {}),
  });
}

/** The session that the browser had here before is over: its cookie is about to be replaced. */
async function endBefore(request: Request, deps: BrowserDeps): Promise<void> {
  const cookie = readCookie(request.headers, SESSION_COOKIE);
  const host = new URL(deps.issuer).host;
  const before = cookie === undefined ? undefined : await findSession(cookie, host, deps);
  if (!before?.ok) return;
  const { session, use } = before.value;
  const record = await session.who(use);
  if (record.ok) await session.revoke(record.value.subject, "Signed in anew in the same browser.");
}

function againQuery({ provider, return_to, challenge }: SignIn): string {
  const query = new URLSearchParams({ provider, return_to });
  if (challenge !== undefined) query.set("challenge", challenge);
  return query.toString();
}
