import { epochSeconds } from "../platform/clock.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Assertion } from "../tokens/session.ts";
import { verifyIdToken } from "./id-token.ts";
import { assertionOf, beginSession } from "./open-session.ts";
import type { BrowserDeps } from "./ports.ts";
import { isProvider } from "./provider.ts";
import { redirect } from "./redirect.ts";
import { readReturnTo } from "./return-to.ts";
import { clearCookie, readCookie } from "./session-cookie.ts";
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
  const refused = (p: Problem) =>
    refusalPage(p, { again: `/session/sign-in?${againQuery(signIn)}`, cookies: [clearCookie(name)] });
  const policy = await deps.policy();
  if (!policy.ok) return refused(policy.error);
  const assertion = await readAssertion(signIn, answer, policy.value, deps);
  if (!assertion.ok) return refused(assertion.error);
  const begun = await beginSession(request, assertion.value, deps);
  if (!begun.ok) return refused(begun.error);
  const { sessionId, cookie } = begun.value;
  const cookies = [cookie, clearCookie(name)];
  // The policy may have lost a host while somebody signed in.
  const returnTo = readReturnTo(signIn.return_to, { ...deps, policy: policy.value });
  if (!returnTo) return redirect(`${deps.issuer}/session`, cookies);
  return signIn.challenge === undefined
    ? redirect(returnTo.url, cookies)
    : handOver(sessionId, signIn.challenge, returnTo, deps, cookies);
}

/** What the provider says of the person, verified. */
async function readAssertion(
  signIn: SignIn,
  answer: URLSearchParams,
  policy: PolicyDocument,
  deps: BrowserDeps,
): Promise<Result<Assertion>> {
  const provider = policy.issuers.find(({ id }) => id === signIn.provider);
  if (!isProvider(provider)) return err(NOT_BEGUN_HERE);
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
  return ok(assertionOf(token.value, provider, policy));
}

function againQuery({ provider, return_to, challenge }: SignIn): string {
  const query = new URLSearchParams({ provider, return_to });
  if (challenge !== undefined) query.set("challenge", challenge);
  return query.toString();
}
