import { csrfTokenOf } from "../browser/session-cookie.ts";
import type { Clock } from "../platform/clock.ts";
import { equalText } from "../protocol/equal-text.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { renewFrom } from "../tokens/browser-session.ts";
import type { CookieToken } from "../tokens/browser-session-flow.ts";
import type { Renewal } from "./admission.ts";
import { type CredentialRequest, changesState } from "./credential.ts";
import { type Refusal, refusal } from "./decision.ts";
import type { WaitUntil } from "./freshness.ts";
import { TokenCache } from "./token-cache.ts";

/**
 * Asks the session itself for the access token of a cookie, another one than was refused; `invalid_token` where the
 * session is over.
 */
export type SessionAsk = (
  cookie: string,
  host: string,
  audience: string,
  refused?: string,
) => Promise<Result<CookieToken>>;

/** A session's cookie at a host, for which a token for an audience is needed. */
export type SessionCookie = { cookie: string; host: string; audience: string };

/** What one request has done about its session. */
export type SessionUse = Renewal & {
  csrfHeld?: boolean;
  /** The access token that it got last, and the one of these that was refused. */
  given?: string;
  refused?: string | undefined;
};

type Held = CookieToken & { renewingUntilMs: number };

/** A renewal that takes longer is taken for lost: the request that made it was cancelled. */
const RENEWAL_MS = 5_000;

/**
 * The access tokens of sessions that this isolate has seen, so that a warm request asks nobody. Bounded as the verified
 * ones are; whatever is taken from here is verified like any token. No promise is shared between requests.
 */
export class SessionTokens {
  readonly #ask: SessionAsk;
  readonly #clock: Clock;
  readonly #held = new TokenCache<Held>();

  constructor(ask: SessionAsk, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** The token, renewed in the background once it is due, so that nobody waits for it. */
  get(
    what: SessionCookie,
    waitUntil: WaitUntil,
    refused?: string,
  ): Result<string, Refusal> | Promise<Result<string, Refusal>> {
    const held = this.#held.get(keyOf(what));
    const nowMs = this.#clock();
    if (!held || held.access_token === refused || nowMs >= held.expires_at * 1000)
      return this.#fetch(what, refused);
    if (nowMs >= renewFrom(held) * 1000 && nowMs >= held.renewingUntilMs) {
      held.renewingUntilMs = nowMs + RENEWAL_MS;
      waitUntil(this.#fetch(what));
    }
    return ok(held.access_token);
  }

  async #fetch(what: SessionCookie, refused?: string): Promise<Result<string, Refusal>> {
    const asked = await this.#ask(what.cookie, what.host, what.audience, refused);
    if (asked.ok) {
      this.#held.set(keyOf(what), { ...asked.value, renewingUntilMs: 0 });
      return ok(asked.value.access_token);
    }
    if (asked.error.code !== "invalid_token") return err(refusal("session_unavailable"));
    this.#held.delete(keyOf(what));
    return err(refusal("session_over"));
  }
}

/** A cookie has neither spaces nor line ends in it, and no host has. */
function keyOf({ cookie, host, audience }: SessionCookie): string {
  return `${cookie} ${host} ${audience}`;
}

/** The access token that a request's session stands for, once the request has shown that it is the session's own. */
export async function exchangeSession(
  what: SessionCookie & { csrf: "origin" | "token" },
  request: CredentialRequest,
  use: SessionUse,
  { sessions, waitUntil }: { sessions: SessionTokens; waitUntil: WaitUntil },
): Promise<Result<string, Refusal>> {
  if (what.csrf === "token" && changesState(request) && !use.csrfHeld) {
    const shown = request.headers.get("x-csrf-token");
    if (shown === null || !equalText(shown, await csrfTokenOf(what.cookie))) {
      return err(refusal("credential_csrf"));
    }
    use.csrfHeld = true;
  }
  // Once: a token that is refused again is not refused because it was old.
  use.renew ??= () => {
    use.refused = use.given;
    use.renew = () => false;
    return true;
  };
  const getting = sessions.get(what, waitUntil, use.refused);
  const got = getting instanceof Promise ? await getting : getting;
  if (got.ok) use.given = got.value;
  return got;
}
