import * as oauth from "oauth4webapi";
import { DEMO_CLIENT_ID, IDENTITY_AUDIENCE } from "./identity-provider.ts";
import type { Person } from "./people.ts";

const REDIRECT_URI = "http://127.0.0.1:9/callback";
const MAX_HOPS = 8;
const overHttp = { [oauth.allowInsecureRequests]: true };

/**
 * Signs a person in at the demo identity provider as a browser would: authorization code flow with PKCE,
 * redirects and cookies followed, the person chosen on the sign-in page. Answers the access token.
 */
export async function signIn(options: { idp: string; user: Person }): Promise<string> {
  const issuer = new URL(options.idp);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, overHttp));
  const client: oauth.Client = { client_id: DEMO_CLIENT_ID, id_token_signed_response_alg: "ES256" };
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();

  const start = new URL(server.authorization_endpoint!);
  start.search = new URLSearchParams({
    client_id: DEMO_CLIENT_ID,
    redirect_uri: REDIRECT_URI,
    response_type: "code",
    scope: "openid",
    resource: IDENTITY_AUDIENCE,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
  }).toString();
  const callback = await browse(start, options.user);

  const parameters = oauth.validateAuthResponse(server, client, callback, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    REDIRECT_URI,
    verifier,
    overHttp,
  );
  return (await oauth.processAuthorizationCodeResponse(server, client, answer)).access_token;
}

/** Follows redirects with a cookie jar until the client's redirect URI; chooses the person on the way. */
async function browse(start: URL, user: Person): Promise<URL> {
  const jar = new Map<string, string>();
  let url = start;
  let init: RequestInit = {};
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const cookie = Array.from(jar, ([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { ...init, redirect: "manual", headers: { cookie } });
    keepCookies(jar, answer);
    const location = answer.headers.get("location");
    if (location) {
      url = new URL(location, url);
      if (url.href.startsWith(REDIRECT_URI)) return url;
      init = {};
    } else if (answer.ok && init.method !== "POST") {
      init = { method: "POST", body: new URLSearchParams({ person: user }) };
    } else {
      throw new Error(`Sign-in stopped at ${url.pathname} with status ${answer.status}.`);
    }
    await answer.body?.cancel();
  }
  throw new Error(`Sign-in did not come back to the client after ${MAX_HOPS} steps.`);
}

function keepCookies(jar: Map<string, string>, answer: Response): void {
  for (const line of answer.headers.getSetCookie()) {
    const [pair = ""] = line.split(";", 1);
    const at = pair.indexOf("=");
    const value = pair.slice(at + 1);
    if (value === "") jar.delete(pair.slice(0, at));
    else jar.set(pair.slice(0, at), value);
  }
}
