import { base64url, sha256Bytes, utf8 } from "../protocol/encoding.ts";
import { PortcullisError } from "./errors.ts";

/** A WebCrypto key of any runtime: ECDSA with P-256, Ed25519, or RSASSA-PKCS1-v1_5 with SHA-256. */
export type SigningKey = {
  readonly type: string;
  readonly extractable: boolean;
  readonly algorithm: { readonly name: string };
  readonly usages: readonly string[];
};

/** `publicKey` can be exported. */
export type SigningKeyPair = { publicKey: SigningKey; privateKey: SigningKey };

const ALGORITHMS: Record<string, { alg: string; parameters: { name: string; hash?: string } }> = {
  ECDSA: { alg: "ES256", parameters: { name: "ECDSA", hash: "SHA-256" } },
  Ed25519: { alg: "EdDSA", parameters: { name: "Ed25519" } },
  "RSASSA-PKCS1-v1_5": { alg: "RS256", parameters: { name: "RSASSA-PKCS1-v1_5" } },
};

type Subtle = typeof crypto.subtle;

/** A new pair for DPoP (ES256); the private key cannot be exported. */
export async function newSigningKeyPair(): Promise<SigningKeyPair> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
    "sign",
    "verify",
  ]);
  return pair as SigningKeyPair;
}

/** A compact JWS (RFC 7515 §3.1). */
export async function signJwt(header: object, claims: object, key: SigningKey): Promise<string> {
  const known = ALGORITHMS[key.algorithm.name];
  if (!known) throw new PortcullisError(`A key for ${key.algorithm.name} cannot sign here.`);
  const part = (value: object) => base64url(utf8(JSON.stringify(value)));
  const signed = `${part({ alg: known.alg, ...header })}.${part(claims)}`;
  const signature = await crypto.subtle.sign(
    known.parameters as Parameters<Subtle["sign"]>[0],
    key as Parameters<Subtle["sign"]>[1],
    utf8(signed),
  );
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** A client assertion (RFC 7523 §2.2), good for a minute and once. */
export function clientAssertion(
  { key, kid }: { key: SigningKey; kid?: string },
  clientId: string,
  audience: string,
): Promise<string> {
  const iat = nowSeconds();
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    jti: crypto.randomUUID(),
    iat,
    exp: iat + 60,
  };
  return signJwt({ typ: "JWT", ...(kid === undefined ? {} : { kid }) }, claims, key);
}

/** Proves with each request that whoever sends it holds a key (RFC 9449 §4.2). */
export class Prover {
  readonly #keys: SigningKeyPair;
  #jwk: object | undefined;
  /** What the deployment asked the next proof to hold. */
  #nonce: string | undefined;

  constructor(keys: SigningKeyPair) {
    this.#keys = keys;
  }

  async proof(method: string, url: string, accessToken?: string): Promise<string> {
    const { origin, pathname } = new URL(url);
    const hash = accessToken === undefined ? undefined : base64url(await sha256Bytes(utf8(accessToken)));
    const claims = {
      jti: crypto.randomUUID(),
      htm: method,
      htu: `${origin}${pathname}`,
      iat: nowSeconds(),
      ...(hash === undefined ? {} : { ath: hash }),
      ...(this.#nonce === undefined ? {} : { nonce: this.#nonce }),
    };
    return signJwt({ typ: "dpop+jwt", jwk: await this.#publicJwk() }, claims, this.#keys.privateKey);
  }

  /** Takes the nonce of an answer (RFC 9449 §8.2); whether it is another one than the last proof held. */
  learn({ headers }: Response): boolean {
    const nonce = headers.get("dpop-nonce");
    if (nonce === null || nonce === this.#nonce) return false;
    this.#nonce = nonce;
    return true;
  }

  async #publicJwk(): Promise<object> {
    if (this.#jwk) return this.#jwk;
    const key = this.#keys.publicKey as Parameters<Subtle["exportKey"]>[1];
    const jwk: object = await crypto.subtle.exportKey("jwk", key);
    const known = ["kty", "crv", "x", "y", "n", "e"];
    this.#jwk = Object.fromEntries(Object.entries(jwk).filter(([name]) => known.includes(name)));
    return this.#jwk!;
  }
}
