import { sha256Hex, utf8 } from "../protocol/encoding.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** What the token endpoint needs to know of a client. */
export type OAuthClient = {
  id: string;
  /** SHA-256, hex, of its secrets; two while one is being rotated. */
  secret_hashes: string[];
  grant_types: string[];
  scopes: string[];
  roles: string[];
  /** Audiences whose access tokens it may introspect. */
  introspects?: string[];
};

export type ClientLookup = (id: string) => Promise<Result<OAuthClient>>;

const MAX_CREDENTIAL_CHARS = 256;

/** Compared where the client is unknown, so that the answer takes as long. */
const NO_CLIENT_HASH = "0".repeat(64);

/** The client's id and secret, from HTTP Basic or from the form, never from both (RFC 6749 §2.3.1). */
export function readClientCredentials(
  authorization: string | null,
  form: URLSearchParams,
): Result<{ id: string; secret: string }, OAuthError> {
  const inForm = form.has("client_secret");
  if (authorization === null) {
    const id = form.get("client_id");
    const secret = form.get("client_secret");
    if (id && secret) return checkedLength(id, secret);
    return err(
      oauthError("invalid_client", "Authenticate the client: HTTP Basic, or client_id and client_secret."),
    );
  }
  if (inForm) return err(oauthError("invalid_request", "Use one way to authenticate the client, not two."));
  const credentials = readBasic(authorization);
  if (!credentials) return err(oauthError("invalid_client", "The Authorization header is not HTTP Basic."));
  const named = form.get("client_id");
  if (named !== null && named !== credentials.id) {
    return err(oauthError("invalid_request", "client_id is not the client that authenticates."));
  }
  return checkedLength(credentials.id, credentials.secret);
}

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

function checkedLength(id: string, secret: string): Result<{ id: string; secret: string }, OAuthError> {
  if (id.length <= MAX_CREDENTIAL_CHARS && secret.length <= MAX_CREDENTIAL_CHARS) return ok({ id, secret });
  return err(oauthError("invalid_client", "The client's id or secret is too long."));
}

/**
 * Looks the client up and checks its secret in constant time. Unknown client and wrong secret are the same
 * answer.
 */
export async function authenticateClient(
  authorization: string | null,
  form: URLSearchParams,
  lookup: ClientLookup,
): Promise<Result<OAuthClient, OAuthError>> {
  const credentials = readClientCredentials(authorization, form);
  if (!credentials.ok) return credentials;
  const { id, secret } = credentials.value;
  const client = await lookup(id);
  if (!client.ok && client.error.code !== "not_found") {
    return err(
      oauthError("temporarily_unavailable", "The client register did not answer. Try again shortly."),
    );
  }
  const presented = utf8(await sha256Hex(secret));
  const hashes = client.ok ? client.value.secret_hashes : [NO_CLIENT_HASH];
  let matches = false;
  for (const hash of hashes) if (equalBytes(presented, utf8(hash))) matches = true;
  if (client.ok && matches) return ok(client.value);
  return err(oauthError("invalid_client", "The client is not known or its secret is wrong."));
}

/** Constant time for equal lengths. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
