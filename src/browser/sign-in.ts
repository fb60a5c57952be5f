import { COOKIE_PREFIX, clearCookie } from "./session-cookie.ts";

/** A sign-in on its way over the provider, sealed in a cookie: only the browser that began it can end it. */
export type SignIn = {
  /** Id of the provider in the policy. */
  provider: string;
  state: string;
  nonce: string;
  code_verifier: string;
  /** Where to go on: an address that was checked. */
  return_to: string;
  /** Of a hand-over to another host, what binds it to who asked there. */
  challenge?: string;
  expires_at: number;
};

export const SIGN_IN_SECONDS = 600;
const SIGN_IN_PREFIX = `${COOKIE_PREFIX}sign-in-`;
/** Tabs that were restored together sign in at once, each with its own cookie. */
const MAX_AT_ONCE = 8;
const STATE_HEAD_CHARS = 12;

/** The cookie of the sign-in with this state. */
export function signInCookie(state: string): string {
  return SIGN_IN_PREFIX + state.slice(0, STATE_HEAD_CHARS).replace(/[^\w-]/g, "_");
}

/** Clears the cookies of sign-ins that were left, where there are too many. */
export function clearLeftSignIns(cookieHeader: string | null): string[] {
  const names = (cookieHeader ?? "")
    .split(";")
    .map((pair) => pair.trim().split("=", 1)[0]!)
    .filter((name) => name.startsWith(SIGN_IN_PREFIX));
  return names.length < MAX_AT_ONCE ? [] : names.map(clearCookie);
}
