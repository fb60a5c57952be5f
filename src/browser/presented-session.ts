import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import { type BrowserTerms, browserTerms, type CookieUse } from "../tokens/browser-session.ts";
import type { BrowserSessionPort } from "../tokens/session-ports.ts";
import type { BrowserDeps } from "./ports.ts";
import { readCookie, SESSION_COOKIE } from "./session-cookie.ts";

/** The session of a request's cookie, alive. */
export type PresentedSession = { cookie: string; record: SessionRecord; session: BrowserSessionPort };

const NONE = problem("invalid_token", "Nobody is signed in here. Sign in first.");
const NO_SIGN_IN = problem("not_found", "Nobody can sign in here: the policy names no provider for it.");

/** What the policy in force says of browsers' sessions. */
export async function readTerms(deps: Pick<BrowserDeps, "policy" | "issuer">): Promise<Result<BrowserTerms>> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const terms = browserTerms(policy.value, deps.issuer);
  return terms ? ok(terms) : err(NO_SIGN_IN);
}

/** The session that the request's cookie stands for at this host; `invalid_token` where there is none. */
export async function presentedSession(
  request: Request,
  deps: Pick<BrowserDeps, "policy" | "issuer" | "session" | "sessionOf">,
): Promise<Result<PresentedSession>> {
  const cookie = readCookie(request.headers, SESSION_COOKIE);
  const found = cookie === undefined ? undefined : await findSession(cookie, new URL(request.url).host, deps);
  if (cookie === undefined || !found) return err(NONE);
  if (!found.ok) return found;
  const { session, use } = found.value;
  const record = await session.who(use);
  if (record.ok) return ok({ cookie, record: record.value, session });
  return record.error.code === "invalid_token" ? err(NONE) : record;
}

/** The object of a cookie's session, and how the cookie is shown to it; undefined for what is none of ours. */
export async function findSession(
  cookie: string,
  host: string,
  deps: Pick<BrowserDeps, "policy" | "issuer" | "session" | "sessionOf">,
): Promise<Result<{ session: BrowserSessionPort; use: CookieUse }> | undefined> {
  const id = await deps.sessionOf(cookie);
  if (id === undefined) return undefined;
  const terms = await readTerms(deps);
  if (!terms.ok) return terms;
  const use: CookieUse = { host, credential: await sha256Hex(cookie), terms: terms.value };
  return ok({ session: deps.session(id), use });
}
