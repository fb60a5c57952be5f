import type { BrowserDeps } from "../browser/ports.ts";
import type { Config } from "../config.ts";
import { isGuarded } from "../edge/guarded.ts";
import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import { SecretBox } from "../platform/secret-box.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok } from "../protocol/result.ts";
import type { TokenStateDeps } from "../tokens/introspection.ts";
import { RemoteKeys } from "../tokens/remote-keys.ts";
import type { OAuthDeps } from "../tokens/routes.ts";
import { SESSION_CREDENTIAL_PURPOSE, sessionOf } from "../tokens/session-credential.ts";
import type { SharedVerifier } from "./edge.ts";
import type { ObjectPorts } from "./objects.ts";
import { ownTokenVerifier, subjectTokenVerifier } from "./verifiers.ts";

type OAuthWiring = {
  config: Config;
  objects: ObjectPorts;
  verifier: SharedVerifier;
  policy: BrowserDeps["policy"];
  backchannel: OAuthDeps["backchannel"];
  clock: Clock;
  log: Logger;
};

/** What issues tokens, and what says how one stands and takes it back. */
export function wireOAuth(wiring: OAuthWiring): { oauth: OAuthDeps; tokenState: TokenStateDeps } {
  const { config, objects, verifier, policy, backchannel, clock, log } = wiring;
  const { keyring, registry, session, devices } = objects;
  const { issuer } = config;
  const credentials = new SecretBox(config.wrapping, SESSION_CREDENTIAL_PURPOSE);
  const clientKeys = new RemoteKeys({ fetch: (url, init) => fetch(url, init), clock, log });
  const sessions: OAuthDeps["sessions"] = {
    newId: () => newId("ses", clock()),
    session,
    sessionOf: (kind, credential) => sessionOf(credentials, kind, credential),
  };
  const shared = { issuer, clock, clients: registry, clientKeys, sessions };
  return {
    oauth: {
      ...shared,
      ...{ keyring, policy, backchannel, devices, proofs: verifier.proofs },
      mint: (input) => keyring.mint(input),
      verifySubject: subjectTokenVerifier(verifier),
      isGuarded: async (url) => {
        const view = await verifier.freshness.first();
        return view ? ok(isGuarded(url, view)) : err(problem("unavailable", "The policy is not known yet."));
      },
    },
    tokenState: { ...shared, verifyOwn: ownTokenVerifier(verifier), log: objects.log },
  };
}
