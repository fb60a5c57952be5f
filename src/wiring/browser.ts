import type { BrowserDeps } from "../browser/ports.ts";
import { findSession } from "../browser/presented-session.ts";
import type { Providers } from "../browser/provider.ts";
import { Sealed } from "../browser/sealed.ts";
import type { Config } from "../config.ts";
import type { SessionAsk } from "../edge/session-tokens.ts";
import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { loadConditionsOf } from "../policy/condition.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok } from "../protocol/result.ts";
import type { RemoteKeys } from "../tokens/remote-keys.ts";
import { SESSION_CREDENTIAL_PURPOSE, sessionOf } from "../tokens/session-credential.ts";
import type { ObjectPorts } from "./objects.ts";

export type BrowserWiring = {
  config: Config;
  objects: ObjectPorts;
  keys: RemoteKeys;
  clock: Clock;
  log: Logger;
};

/** What signing in with a browser works with, once for each isolate. */
export function wireBrowser({ config, objects, keys, clock, log }: BrowserWiring): BrowserDeps {
  const { issuer, local, wrapping, signInSecrets: secrets } = config;
  const at = { issuer, local };
  let providers: Providers | undefined;
  const credentials = new SecretBox(wrapping, SESSION_CREDENTIAL_PURPOSE);
  return {
    ...{ ...at, clock, log, keys },
    policy: async () => {
      const active = await objects.registry.activePolicy();
      if (!active.ok) return active;
      await loadConditionsOf(active.value.document);
      return ok(active.value.document);
    },
    session: objects.session,
    newSessionId: () => newId("ses", clock()),
    sessionOf: (cookie) => sessionOf(credentials, "session_cookie", cookie),
    providers: async () => {
      const { Providers } = await import("../browser/provider.ts");
      providers ??= new Providers({ ...at, clock, log, secrets, fetch: (url, init) => fetch(url, init) });
      return providers;
    },
    signIns: new Sealed(new SecretBox(wrapping, "sign-in")),
    handOvers: new Sealed(new SecretBox(wrapping, "session-hand-over")),
  };
}

const OVER = problem("invalid_token", "The session is over.");

/** The access token of a cookie, by the policy in force as the registry has it, and not as an edge remembers it. */
export function sessionAsk(deps: BrowserDeps): SessionAsk {
  return async (cookie, host, audience, refused) => {
    const found = await findSession(cookie, host, deps);
    if (!found) return err(OVER);
    // Where nobody signs in any more, nobody is signed in.
    if (!found.ok) return found.error.code === "not_found" ? err(OVER) : found;
    return found.value.session.token(found.value.use, audience, refused);
  };
}
