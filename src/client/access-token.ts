import { PortcullisError, PortcullisOAuthError, PortcullisUnreachable, readObject } from "./errors.ts";
import type { Sender } from "./sending.ts";
import { clientAssertion, type Prover, type SigningKey } from "./signing.ts";

/** How an OAuth client authenticates, by a secret or by a key. */
export type ClientCredentials = {
  clientId: string;
  /** Where the client has one; never in a browser. */
  clientSecret?: string;
  privateKeyJwt?: { key: SigningKey; kid?: string };
  /** Fewer scopes than the client has, separated by spaces. */
  scope?: string;
};

/** A session of a person: each renewal may bring another refresh token. */
export type RefreshCredentials = ClientCredentials & {
  refreshToken: string;
  /** Keeps the new one, before the access token that came with it is used. */
  onRefresh?: (refreshToken: string) => void | Promise<void>;
};

/** Gives the access token for the next call; `refused` is the one that was not taken any more. */
export type TokenProvider = (refused?: string) => string | Promise<string>;

/** With which access tokens a client calls: exactly one of them. */
export type Access =
  | { token: string }
  | { tokenProvider: TokenProvider }
  | { credentials: ClientCredentials | RefreshCredentials };

/** Where access tokens come from. */
export type TokenSource = {
  /** The token to send. `refused`: one that the deployment does not take any more. */
  token(refused?: string): Promise<string>;
  /** Whether another one can be had. */
  readonly renews: boolean;
};

export function tokenSource(
  issuer: string,
  access: Access,
  sender: Sender,
  prover: Prover | undefined,
): TokenSource {
  if ("token" in access) return fixedToken(access.token);
  if ("tokenProvider" in access) return providedToken(access.tokenProvider);
  if ("credentials" in access) return new IssuedTokens(issuer, access.credentials, sender, prover);
  throw new PortcullisError("Give token, tokenProvider or credentials.");
}

function fixedToken(token: string): TokenSource {
  return { renews: false, token: async () => checked(token) };
}

function providedToken(provider: TokenProvider): TokenSource {
  return { renews: true, token: async (refused) => checked(await provider(refused)) };
}

/** A header's value, or no token: runtimes quote what they refuse to send. */
function checked(token: unknown): string {
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new PortcullisError("The access token is not one: it must be printable ASCII without spaces.");
}

type Held = { token: string; renewAtMs: number };

/** It is renewed so long before its end, or at nine tenths of its life. */
const RENEW_AHEAD_SECONDS = 30;
/** So long a call waits for the renewal that another has begun: the other's may never end where it was broken off. */
const WAIT_FOR_OTHER_MS = 5_000;

/** Gets access tokens at the token endpoint, one call for all that need one at the same time. */
class IssuedTokens implements TokenSource {
  readonly renews = true;
  readonly #credentials: ClientCredentials | RefreshCredentials;
  readonly #issuer: string;
  readonly #sender: Sender;
  readonly #prover: Prover | undefined;
  #held: Held | undefined;
  #renewing: Promise<Held> | undefined;
  #refreshToken: string | undefined;

  constructor(
    issuer: string,
    credentials: ClientCredentials | RefreshCredentials,
    sender: Sender,
    prover: Prover | undefined,
  ) {
    this.#issuer = issuer;
    this.#credentials = credentials;
    this.#sender = sender;
    this.#prover = prover;
    if ("refreshToken" in credentials) this.#refreshToken = credentials.refreshToken;
  }

  async token(refused?: string): Promise<string> {
    const held = this.#held;
    if (held && held.token !== refused && Date.now() < held.renewAtMs) return held.token;
    const other = this.#renewing && (await within(this.#renewing, WAIT_FOR_OTHER_MS));
    if (other) return other.token;
    const renewing = this.#renew();
    this.#renewing = renewing;
    try {
      this.#held = await renewing;
      return this.#held.token;
    } finally {
      if (this.#renewing === renewing) this.#renewing = undefined;
    }
  }

  async #renew(): Promise<Held> {
    const url = `${this.#issuer}/oauth/token`;
    const send = async () => {
      const { headers, form } = await this.#authenticated(url);
      if (this.#prover) headers.dpop = await this.#prover.proof("POST", url);
      const body = new URLSearchParams({ ...this.#grant(), ...form }).toString();
      return { url, init: { method: "POST", headers, body } };
    };
    const sending = { attempt: send, repeatable: true };
    const first = await this.#sender.send(sending);
    const asksForNonce = this.#prover?.learn(first) && first.status === 400;
    const response = asksForNonce ? await this.#sender.send(sending) : first;
    return this.#read(response);
  }

  #grant(): Record<string, string> {
    const { scope } = this.#credentials;
    const asked: Record<string, string> = scope === undefined ? {} : { scope };
    return this.#refreshToken === undefined
      ? { grant_type: "client_credentials", ...asked }
      : { grant_type: "refresh_token", refresh_token: this.#refreshToken, ...asked };
  }

  /** RFC 6749 §2.3.1: both parts are form-encoded first. RFC 7523 §2.2. */
  async #authenticated(endpoint: string) {
    const { clientId, clientSecret, privateKeyJwt } = this.#credentials;
    const headers: Record<string, string> = { "content-type": "application/x-www-form-urlencoded" };
    if (clientSecret !== undefined) {
      const [id, secret] = [clientId, clientSecret].map((part) => encodeURIComponent(part));
      headers.authorization = `Basic ${btoa(`${id}:${secret}`)}`;
      return { headers, form: {} };
    }
    if (!privateKeyJwt) return { headers, form: { client_id: clientId } };
    const form = {
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: await clientAssertion(privateKeyJwt, clientId, endpoint),
    };
    return { headers, form };
  }

  async #read(response: Response): Promise<Held> {
    const body = (await readObject(response)) ?? {};
    const { access_token, expires_in, refresh_token, error, error_description } = body;
    if (typeof error === "string") {
      const description = typeof error_description === "string" ? error_description : "";
      throw new PortcullisOAuthError(error, response.status, description);
    }
    if (response.status !== 200 || typeof access_token !== "string") {
      const said = `The token endpoint's answer (status ${response.status}) is not one.`;
      throw new PortcullisUnreachable(said, response.status);
    }
    if (typeof refresh_token === "string" && this.#refreshToken !== undefined)
      await this.#keep(refresh_token);
    const seconds = typeof expires_in === "number" ? expires_in : 0;
    const ahead = Math.min(RENEW_AHEAD_SECONDS, seconds / 10);
    return { token: checked(access_token), renewAtMs: Date.now() + (seconds - ahead) * 1_000 };
  }

  async #keep(refreshToken: string): Promise<void> {
    if (refreshToken === this.#refreshToken) return;
    this.#refreshToken = refreshToken;
    if ("onRefresh" in this.#credentials) await this.#credentials.onRefresh?.(refreshToken);
  }
}

/** What the work comes to; undefined where it fails or takes longer. */
async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  try {
    return await Promise.race([work, late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
