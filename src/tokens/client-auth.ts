import { type Clock, epochSeconds } from "../platform/clock.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { type OAuthError, oauthError, tooManyRequests } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  ASSERTION_TYPE,
  assertionHolds,
  type ClientAssertion,
  readClientAssertion,
} from "./client-assertion.ts";
import { COMMAND_LINE_CLIENT } from "./public-client.ts";
import type { RemoteKeys } from "./remote-keys.ts";

/** What an OAuth endpoint knows of the client that calls. */
export type OAuthClient = {
  id: string;
  grant_types: string[];
  scopes: string[];
  roles: string[];
  /** Gets no token without a DPoP proof (RFC 9449 §5.2). */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4). */
  tls_client_certificate_bound_access_tokens?: boolean;
  /** Audiences whose access tokens it may introspect. */
  introspects?: string[];
};

/** Ways in which a registered client authenticates. */
export const AUTH_METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"] as const;

type RegisteredClient = OAuthClient & { jwks?: object; jwks_uri?: string };
type Outcome =
  | { outcome: "accepted"; client: RegisteredClient; at: number }
  | { outcome: "refused" | "disabled" | "replayed" }
  | { outcome: "other_method"; registered: string }
  | { outcome: "locked" | "busy"; wait_seconds: number };

/** The register of clients: it compares secrets, remembers assertions and counts what is tried. */
export type ClientRegisterPort = {
  authenticateSecret(check: {
    client_id: string;
    secret_hash: string;
    method: "client_secret_basic" | "client_secret_post";
    address: string;
  }): Promise<Result<Outcome>>;
  clientForAssertion(id: string, address: string): Promise<Result<Outcome>>;
  useAssertion(use: {
    client_id: string;
    address: string;
    jti_hash: string;
    expires_at: number;
  }): Promise<Result<Outcome>>;
  authenticationFailed(id: string, address: string): Promise<Result<Outcome>>;
};

export type ClientAuthDeps = {
  issuer: string;
  clock: Clock;
  clients: ClientRegisterPort;
  /** Keys of clients, apart from those of issuers. */
  clientKeys: RemoteKeys;
};

/** One call of an OAuth endpoint: the header, the form, from where, and the endpoint's own URL. */
export type OAuthCall = {
  authorization: string | null;
  form: URLSearchParams;
  address: string;
  endpoint: string;
};

/** `at`: when it was authenticated, epoch seconds. A secret that is given up later takes back what follows from it. */
export type AuthenticatedClient = OAuthClient & { at: number };

const MAX_CREDENTIAL_CHARS = 256;

/**
 * Authenticates the client of a call by exactly one method (RFC 6749 §2.3, RFC 7523 §2.2), the one that it is
 * registered for. An unknown client and a wrong secret are the same answer.
 */
export async function authenticateClient(
  call: OAuthCall,
  deps: ClientAuthDeps,
): Promise<Result<AuthenticatedClient, OAuthError>> {
  if (isPublic(call)) return ok({ ...COMMAND_LINE_CLIENT, at: epochSeconds(deps.clock()) });
  const credential = readCredential(call);
  if (!credential.ok) return credential;
  const outcome =
    credential.value.method === "private_key_jwt"
      ? await checkAssertion(credential.value, call, deps)
      : await checkSecret(credential.value, call, deps);
  if (!outcome.ok) return outcome;
  return told(outcome.value);
}

/** It names itself and shows nothing: its calls are checked by what they carry, as a code or a refresh token. */
function isPublic({ authorization, form }: OAuthCall): boolean {
  const shown = ["client_secret", "client_assertion", "client_assertion_type"].some((name) => form.has(name));
  return form.get("client_id") === COMMAND_LINE_CLIENT.id && authorization === null && !shown;
}

type SecretCredential = { method: "client_secret_basic" | "client_secret_post"; id: string; secret: string };
type AssertionCredential = { method: "private_key_jwt"; id?: string; assertion: string };

/** The one credential that the call carries. */
export function readCredential({
  authorization,
  form,
}: Pick<OAuthCall, "authorization" | "form">): Result<SecretCredential | AssertionCredential, OAuthError> {
  const id = form.get("client_id");
  const secret = form.get("client_secret");
  const assertion = form.get("client_assertion");
  const type = form.get("client_assertion_type");
  if ([authorization, secret, assertion ?? type].filter((each) => each !== null).length > 1) {
    return err(oauthError("invalid_request", "Use one way to authenticate the client, not two."));
  }
  if (authorization !== null) return basicCredential(authorization, id);
  if (assertion !== null || type !== null) {
    if (assertion === null || type !== ASSERTION_TYPE) {
      return err(oauthError("invalid_request", `Send client_assertion with the type ${ASSERTION_TYPE}.`));
    }
    return ok({ method: "private_key_jwt", assertion, ...(id === null ? {} : { id }) });
  }
  if (id !== null && secret !== null) return checkedLength({ method: "client_secret_post", id, secret });
  return refused("Authenticate the client: HTTP Basic, client_id with client_secret, or client_assertion.");
}

function basicCredential(authorization: string, named: string | null): Result<SecretCredential, OAuthError> {
  const credentials = readBasic(authorization);
  if (!credentials) return refused("The Authorization header is not HTTP Basic.");
  if (named !== null && named !== credentials.id) return err(OTHER_CLIENT);
  return checkedLength({ method: "client_secret_basic", ...credentials });
}

const OTHER_CLIENT = oauthError("invalid_request", "client_id is not the client that authenticates.");

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1). */
function readBasic(authorization: string): { id: string; secret: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization);
  if (!match) return undefined;
  try {
    const text = atob(match[1]!);
    const colon = text.indexOf(":");
    if (colon < 1) return undefined;
    const decode = (part: string) => decodeURIComponent(part.replaceAll("+", " "));
    return { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}

function checkedLength(credential: SecretCredential): Result<SecretCredential, OAuthError> {
  const { id, secret } = credential;
  if (id.length <= MAX_CREDENTIAL_CHARS && secret.length <= MAX_CREDENTIAL_CHARS) return ok(credential);
  return refused("The client's id or secret is too long.");
}

async function checkSecret(
  { method, id, secret }: SecretCredential,
  { address }: OAuthCall,
  { clients }: ClientAuthDeps,
): Promise<Result<Outcome, OAuthError>> {
  const secret_hash = await sha256Hex(secret);
  return available(await clients.authenticateSecret({ client_id: id, secret_hash, method, address }));
}

async function checkAssertion(
  credential: AssertionCredential,
  { address, endpoint }: OAuthCall,
  deps: ClientAuthDeps,
): Promise<Result<Outcome, OAuthError>> {
  const { clients, issuer, clock } = deps;
  const audiences = [issuer, `${issuer}/oauth/token`, endpoint];
  const assertion = readClientAssertion(credential.assertion, audiences, epochSeconds(clock()));
  if (!assertion) return refused(BAD_ASSERTION);
  const { clientId: client_id, jti, forgetAt: expires_at } = assertion;
  if (credential.id !== undefined && credential.id !== client_id) return err(OTHER_CLIENT);
  const found = available(await clients.clientForAssertion(client_id, address));
  if (!found.ok || found.value.outcome !== "accepted") return found;
  const holds = await heldAgainst(assertion, found.value.client, deps);
  if (holds === "unavailable") return err(unavailable("The client's keys could not be fetched."));
  if (!holds) return available(await clients.authenticationFailed(client_id, address));
  const jti_hash = await sha256Hex(jti);
  return available(await clients.useAssertion({ client_id, address, jti_hash, expires_at }));
}

function heldAgainst(assertion: ClientAssertion, client: RegisteredClient, deps: ClientAuthDeps) {
  const { id, jwks, jwks_uri } = client;
  const keys = { id, issuer: id, ...(jwks ? { jwks } : {}), ...(jwks_uri ? { jwks_uri } : {}) };
  return assertionHolds(assertion, keys, deps.clientKeys);
}

const BAD_ASSERTION =
  "The client_assertion is not accepted: iss and sub must be the client, aud this issuer, exp at most five minutes ahead, with a jti.";

function available<T>(result: Result<T>): Result<T, OAuthError> {
  return result.ok ? result : err(unavailable("The client register did not answer."));
}

function unavailable(what: string): OAuthError {
  return oauthError("temporarily_unavailable", `${what} Try again shortly.`);
}

function refused(description: string): Result<never, OAuthError> {
  return err(oauthError("invalid_client", description));
}

function told(outcome: Outcome): Result<AuthenticatedClient, OAuthError> {
  switch (outcome.outcome) {
    case "accepted": {
      const { id, grant_types, scopes, roles, introspects } = outcome.client;
      const { dpop_bound_access_tokens, tls_client_certificate_bound_access_tokens } = outcome.client;
      const more = {
        ...(introspects ? { introspects } : {}),
        ...(dpop_bound_access_tokens ? { dpop_bound_access_tokens } : {}),
        ...(tls_client_certificate_bound_access_tokens ? { tls_client_certificate_bound_access_tokens } : {}),
      };
      return ok({ id, grant_types, scopes, roles, ...more, at: outcome.at });
    }
    case "refused":
      return refused("The client is not known, or its credential is wrong.");
    case "disabled":
      return refused("The client is disabled. An operator can enable it again.");
    case "replayed":
      return refused("The client_assertion was used before: each needs a jti of its own.");
    case "other_method":
      return refused(`The client is registered to authenticate by ${outcome.registered}.`);
    case "locked":
      return err(
        tooManyRequests("Too many failed authentications of this client from here.", outcome.wait_seconds),
      );
    case "busy":
      return err(tooManyRequests("This client sends too many requests.", outcome.wait_seconds));
  }
}
