import { challengeOf, is256Bits, VERIFIER_SECONDS } from "../browser/hand-over.ts";
import { redirect } from "../browser/redirect.ts";
import { HAND_OVER_COOKIE, readCookie, setCookie } from "../browser/session-cookie.ts";
import { newSecret } from "../platform/ids.ts";
import type { Refusal, RefuseReason } from "./decision.ts";

/** What signing in would mend. */
const SIGN_IN_HELPS: ReadonlySet<RefuseReason> = new Set(["credential_missing", "session_over"]);
/** The sign-in does not take longer addresses. */
const MAX_RETURN_CHARS = 2_000;

type BrowserRequest = Pick<Request, "method" | "url"> & { headers: Pick<Headers, "get"> };

/**
 * Where a browser that opens a page without a session goes to get one; undefined for everything else, which is told
 * 401. A host that the route does not name gets no session, so that nobody is sent in a circle.
 */
export async function signInRedirect(
  request: BrowserRequest,
  { reason, route }: Refusal,
  issuer: string,
): Promise<Response | undefined> {
  if (!route?.credential.some(({ from }) => from === "session") || !SIGN_IN_HELPS.has(reason))
    return undefined;
  if (!isNavigation(request)) return undefined;
  const { origin, href } = new URL(request.url);
  const signIn = new URL(`${issuer}/session/sign-in`);
  signIn.searchParams.set("return_to", href.length > MAX_RETURN_CHARS ? `${origin}/` : href);
  if (origin === issuer) return redirect(signIn.href);
  if (route.host === undefined) return undefined;
  // Tabs that are restored together share the verifier: the first one's is not lost to the others.
  const known = readCookie(request.headers, HAND_OVER_COOKIE);
  const verifier = known !== undefined && is256Bits(known) ? known : newSecret();
  signIn.searchParams.set("challenge", await challengeOf(verifier));
  return redirect(signIn.href, [setCookie(HAND_OVER_COOKIE, verifier, VERIFIER_SECONDS)]);
}

/** Whether a browser loads a page with it, and not a script, an image or a frame. */
export function isNavigation({ method, headers }: BrowserRequest): boolean {
  if (method !== "GET" || headers.get("upgrade") !== null) return false;
  const mode = headers.get("sec-fetch-mode") ?? "navigate";
  const destination = headers.get("sec-fetch-dest") ?? "document";
  const accepted = headers.get("accept") ?? "";
  return mode === "navigate" && destination === "document" && accepted.includes("text/html");
}
