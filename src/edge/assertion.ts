import { type Clock, epochSeconds } from "../platform/clock.ts";
import { base64, base64url, utf8 } from "../protocol/encoding.ts";
import type { Json } from "../protocol/json.ts";
import { ok, type Result } from "../protocol/result.ts";
import { SIGNING_PARAMETERS, type SigningAlgorithm } from "../protocol/signature-algorithm.ts";
import type { ReplicaView } from "../replication/replica.ts";
import { usableUntil, type VerifiedToken } from "../tokens/claims.ts";
import { ASSERTION_KEY_HELD_SECONDS, ASSERTION_TTL_SECONDS } from "../tokens/key-ring.ts";
import type { WaitUntil } from "./freshness.ts";
import { type SignedRequest, signatureBase } from "./message-signature.ts";

/** The private key that signs assertions, and nothing else. */
export type AssertionKey = { kid: string; alg: SigningAlgorithm; key: CryptoKey };
export type AssertionKeyPort = () => Promise<Result<AssertionKey>>;

export const ASSERTION_TYPE = "portcullis-assertion+jwt";
/** An assertion is made anew rather than sent with less time than this left, unless the token ends with it. */
export const MIN_LEFT_SECONDS = 30;
/** The key is asked for again after this time, so that a rotation reaches every isolate. */
const RENEW_KEY_AFTER_MS = 60_000;
/** A key that was made a moment ago may not be in the view yet. */
const KEY_UNKNOWN_FOR_MS = 5_000;

/** `header`: the first part of what it signs, encoded. */
type HeldKey = AssertionKey & { fetchedAtMs: number; header: string };
/** `other`: made for another audience. */
type Issued = {
  audience: string;
  jwt: string;
  usableUntil: number;
  key: HeldKey;
  other?: Issued | undefined;
};

/**
 * Makes `X-Portcullis-Assertion`: who is behind a request, for one origin, signed in this isolate. One
 * assertion serves a token and an origin for up to two minutes; it is forgotten together with the token.
 */
export class AssertionSigner {
  readonly #o: { issuer: string; clock: Clock; key: AssertionKeyPort };
  readonly #issued = new WeakMap<VerifiedToken, Issued>();
  #key: HeldKey | undefined;
  #renewedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { issuer: string; clock: Clock; key: AssertionKeyPort }) {
    this.#o = options;
  }

  /** Has the key at hand before a request is decided on, so that nothing is fetched between decision and use. */
  prepare(view: ReplicaView | undefined, waitUntil: WaitUntil): Promise<unknown> | undefined {
    const key = this.#usableKey(view);
    if (!key) return this.#fetchKey();
    const now = this.#o.clock();
    if (now - Math.max(key.fetchedAtMs, this.#renewedAtMs) <= RENEW_KEY_AFTER_MS) return undefined;
    this.#renewedAtMs = now;
    const renewal = this.#fetchKey();
    // An isolate that slept may hold a key that was replaced, and is about to be forgotten everywhere.
    if (now - key.fetchedAtMs > ASSERTION_KEY_HELD_SECONDS * 1000) return renewal;
    waitUntil(renewal);
    return undefined;
  }

  /** The assertion made before, while it may be used. */
  recall(token: VerifiedToken, audience: string, view: ReplicaView | undefined): string | undefined {
    const issued = this.#find(token, audience);
    if (!issued || this.#o.clock() / 1000 >= issued.usableUntil) return undefined;
    return this.#isCurrent(issued.key, view) ? issued.jwt : undefined;
  }

  async sign(token: VerifiedToken, audience: string, view: ReplicaView | undefined): Promise<Result<string>> {
    const held = this.#usableKey(view);
    const key = held ? ok(held) : await this.#fetchKey();
    if (!key.ok) return key;
    const nowSeconds = Math.floor(this.#o.clock() / 1000);
    const tokenEnd = Math.floor(usableUntil(token));
    const expiresAt = Math.min(tokenEnd, nowSeconds + ASSERTION_TTL_SECONDS);
    const claims = assertionClaims(token, this.#o.issuer, audience, nowSeconds, expiresAt);
    const jwt = await signJwt(key.value, claims);
    const usableUntilSeconds = expiresAt === tokenEnd ? expiresAt : expiresAt - MIN_LEFT_SECONDS;
    this.#remember(token, { audience, jwt, usableUntil: usableUntilSeconds, key: key.value });
    return ok(jwt);
  }

  #find(token: VerifiedToken, audience: string): Issued | undefined {
    let issued = this.#issued.get(token);
    while (issued && issued.audience !== audience) issued = issued.other;
    return issued;
  }

  /** A token is sent to few origins, and mostly to one: a list is shorter than a map for each. */
  #remember(token: VerifiedToken, issued: Issued): void {
    const before = this.#find(token, issued.audience);
    if (before) Object.assign(before, issued);
    else this.#issued.set(token, { ...issued, other: this.#issued.get(token) });
  }

  /** The fields that sign a request for its origin (RFC 9421), under the label `portcullis`, by the same key. */
  async signRequest(
    request: SignedRequest,
    view: ReplicaView | undefined,
  ): Promise<Result<{ input: string; signature: string }>> {
    const held = this.#usableKey(view);
    const found = held ? ok(held) : await this.#fetchKey();
    if (!found.ok) return found;
    const { kid, alg, key } = found.value;
    const createdSeconds = epochSeconds(this.#o.clock());
    const { base: signed, parameters } = signatureBase(request, { keyId: kid, alg, createdSeconds });
    const signature = await crypto.subtle.sign(SIGNING_PARAMETERS[alg].sign, key, utf8(signed));
    return ok({
      input: `portcullis=${parameters}`,
      signature: `portcullis=:${base64(new Uint8Array(signature))}:`,
    });
  }

  #usableKey(view: ReplicaView | undefined): HeldKey | undefined {
    return this.#key && this.#isCurrent(this.#key, view) ? this.#key : undefined;
  }

  /** A key that the view no longer has was taken back, and signs nothing any more. */
  #isCurrent(key: HeldKey, view: ReplicaView | undefined): boolean {
    if (view?.keys.has(key.kid)) return true;
    return this.#o.clock() - key.fetchedAtMs <= KEY_UNKNOWN_FOR_MS;
  }

  async #fetchKey(): Promise<Result<HeldKey>> {
    const fetchedAtMs = this.#o.clock();
    const key = await this.#o.key();
    if (!key.ok) return key;
    const { kid, alg } = key.value;
    const header = base64url(utf8(JSON.stringify({ alg, typ: ASSERTION_TYPE, kid })));
    this.#key = { ...key.value, fetchedAtMs, header };
    return ok(this.#key);
  }
}

/** RFC 7519 claims; `sub` is the subject that policy and grants name, `token_id` the `jti` of the access token. */
function assertionClaims(
  token: VerifiedToken,
  issuer: string,
  audience: string,
  iat: number,
  exp: number,
): Record<string, Json> {
  const { facts, scopes, roles, act } = token;
  return {
    iss: issuer,
    aud: audience,
    sub: facts.subject,
    ...(facts.client_id === undefined ? {} : { client_id: facts.client_id }),
    scope: scopes.join(" "),
    ...(roles.length > 0 ? { roles } : {}),
    ...(facts.grant === undefined ? {} : { grant: facts.grant }),
    ...(facts.jti === undefined ? {} : { token_id: facts.jti }),
    ...(act ? { act } : {}),
    iat,
    exp,
  };
}

async function signJwt(key: HeldKey, claims: Record<string, Json>): Promise<string> {
  const signed = `${key.header}.${base64url(utf8(JSON.stringify(claims)))}`;
  const signature = await crypto.subtle.sign(SIGNING_PARAMETERS[key.alg].sign, key.key, utf8(signed));
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}
