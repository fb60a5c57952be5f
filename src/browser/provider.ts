import * as oauth from "oauth4webapi";
import type { Clock } from "../platform/clock.ts";
import { faultText, type Logger } from "../platform/log.ts";
import type { TrustedIssuer } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { readLimited } from "../tokens/remote-keys.ts";
import type { SignIn } from "./sign-in.ts";

export type ProviderOptions = {
  /** The issuer's origin; callbacks are below it. */
  issuer: string;
  /** Plain http is allowed, on loopback. */
  local: boolean;
  clock: Clock;
  log: Logger;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Secrets of our clients, by the names that the policy has. */
  secrets: ReadonlyMap<string, string>;
};

/** A trusted issuer where people sign in. */
export type Provider = TrustedIssuer & { sign_in: NonNullable<TrustedIssuer["sign_in"]> };

export function isProvider(issuer: TrustedIssuer | undefined): issuer is Provider {
  return issuer?.sign_in !== undefined;
}

const METADATA_SECONDS = 600;
const MAX_ANSWER_BYTES = 64 * 1024;
const TIMEOUT_MS = 5_000;
/** A policy has at most 64 issuers. */
const MAX_PROVIDERS = 64;

const UNREACHABLE = problem("unavailable", "The identity provider did not answer. Try again shortly.");

/** The OpenID providers that people sign in at: authorization code flow with PKCE (RFC 9700 §2.1.1). */
export class Providers {
  readonly #o: ProviderOptions;
  readonly #known = new Map<string, { server: oauth.AuthorizationServer; until: number }>();

  constructor(options: ProviderOptions) {
    this.#o = options;
  }

  /** Where the browser is sent. Each provider has a callback of its own, so that none can answer for another. */
  async authorizationUrl(provider: Provider, signIn: SignIn): Promise<Result<string>> {
    const server = await this.#server(provider);
    if (!server.ok) return server;
    const url = this.#endpoint(server.value.authorization_endpoint);
    if (!url) return err(problem("unavailable", "The identity provider names no authorization endpoint."));
    const parameters = {
      client_id: provider.sign_in.client_id,
      redirect_uri: this.#callback(provider),
      response_type: "code",
      scope: provider.sign_in.scopes.join(" "),
      state: signIn.state,
      nonce: signIn.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(signIn.code_verifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return ok(url.href);
  }

  /**
   * The ID token that the provider's answer (the callback's query) is worth; its signature is not checked yet.
   * `forbidden` where the provider refused the person, `invalid_request` where the answer is not one to this sign-in.
   */
  async idToken(provider: Provider, signIn: SignIn, answer: URLSearchParams): Promise<Result<string>> {
    const server = await this.#server(provider);
    if (!server.ok) return server;
    const client: oauth.Client = { client_id: provider.sign_in.client_id, [oauth.clockTolerance]: 30 };
    try {
      // State, and the issuer that answers (RFC 9207).
      const parameters = oauth.validateAuthResponse(server.value, client, answer, signIn.state);
      const response = await oauth.authorizationCodeGrantRequest(
        server.value,
        client,
        this.#authentication(provider),
        parameters,
        this.#callback(provider),
        signIn.code_verifier,
        this.#requestOptions(),
      );
      const expected = { expectedNonce: signIn.nonce, requireIdToken: true };
      const tokens = await oauth.processAuthorizationCodeResponse(server.value, client, response, expected);
      return ok(tokens.id_token!);
    } catch (fault) {
      return this.#refused(provider, fault);
    }
  }

  /** RP-Initiated Logout §2: where the browser ends the provider's own session; undefined where it cannot. */
  async endSessionUrl(provider: Provider): Promise<string | undefined> {
    const server = await this.#server(provider);
    const url = server.ok ? this.#endpoint(server.value.end_session_endpoint) : undefined;
    if (!url) return undefined;
    url.searchParams.set("client_id", provider.sign_in.client_id);
    url.searchParams.set("post_logout_redirect_uri", `${this.#o.issuer}/session/signed-out`);
    return url.href;
  }

  #callback(provider: Provider): string {
    return `${this.#o.issuer}/session/callback/${provider.id}`;
  }

  #authentication({ sign_in }: Provider): oauth.ClientAuth {
    const { client_secret_ref, client_auth } = sign_in;
    if (client_secret_ref === undefined) return oauth.None();
    const secret = this.#o.secrets.get(client_secret_ref);
    if (secret === undefined) throw new Error(`the deployment has no secret ${client_secret_ref}`);
    return client_auth === "client_secret_post"
      ? oauth.ClientSecretPost(secret)
      : oauth.ClientSecretBasic(secret);
  }

  /** What the provider says of itself; kept for a while, never as a promise that two requests share. */
  async #server({ id, issuer }: Provider): Promise<Result<oauth.AuthorizationServer>> {
    const now = this.#o.clock() / 1000;
    const key = `${id} ${issuer}`;
    const known = this.#known.get(key);
    if (known && known.until > now) return ok(known.server);
    try {
      const url = new URL(issuer);
      const response = await oauth.discoveryRequest(url, this.#requestOptions());
      const server = await oauth.processDiscoveryResponse(url, response);
      if (server.issuer !== issuer) throw new Error("its metadata has another issuer than the policy");
      if (this.#known.size >= MAX_PROVIDERS) this.#known.clear();
      this.#known.set(key, { server, until: now + METADATA_SECONDS });
      return ok(server);
    } catch (fault) {
      this.#o.log("warn", "provider.unreachable", { issuer, fault: faultText(fault) });
      return err(UNREACHABLE);
    }
  }

  #endpoint(text: string | undefined): URL | undefined {
    const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
    return url && (url.protocol === "https:" || (this.#o.local && url.protocol === "http:"))
      ? url
      : undefined;
  }

  #requestOptions() {
    const { local, fetch } = this.#o;
    return {
      [oauth.allowInsecureRequests]: local,
      [oauth.customFetch]: async (url: string, init: oauth.CustomFetchOptions<string, unknown>) => {
        const { method, headers, body } = init;
        const request: RequestInit = { method, headers, redirect: "manual" };
        if (body !== undefined && body !== null) request.body = String(body);
        const response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
        const bytes = await readLimited(response, MAX_ANSWER_BYTES);
        return new Response(bytes as Uint8Array<ArrayBuffer>, {
          status: response.status,
          headers: response.headers,
        });
      },
    };
  }

  #refused({ issuer }: Provider, fault: unknown): Result<never> {
    if (fault instanceof oauth.AuthorizationResponseError) {
      this.#o.log("info", "sign_in.refused", { issuer, error: fault.error });
      return err(problem("forbidden", "The identity provider did not sign you in."));
    }
    this.#o.log("warn", "sign_in.failed", { issuer, fault: faultText(fault) });
    if (fault instanceof oauth.ResponseBodyError || fault instanceof oauth.OperationProcessingError) {
      return err(
        problem("invalid_request", "This sign-in is not one that was begun here, or was used already."),
      );
    }
    return err(UNREACHABLE);
  }
}
