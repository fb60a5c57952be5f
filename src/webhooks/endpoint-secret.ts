import { type RandomBytes, secureRandom } from "../platform/ids.ts";
import { base64url, canonicalBase64url } from "../protocol/encoding.ts";
import {
  type Ed25519Pair,
  ed25519Signer,
  hmacSigner,
  newEd25519Pair,
  SECRET_BYTES,
  type Signer,
  shownPublicKey,
} from "./signature.ts";

/** How an endpoint's messages are signed: a secret that both sides have, or a key of which receivers have the public half. */
export type SignatureScheme = "hmac" | "ed25519";

const ED25519 = /^v1a\.([A-Za-z0-9_-]{43})\.(.+)$/;

import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";

/** Makes, seals and opens the signing secrets of endpoints. Only sealed ones are stored. */
export class EndpointSecrets {
  readonly #box: SecretBox;
  readonly #random: RandomBytes;

  constructor(secrets: WrappingSecrets, random: RandomBytes = secureRandom) {
    this.#box = new SecretBox(secrets, "webhook-endpoint");
    this.#random = random;
  }

  /** A new secret, sealed for the registry. An Ed25519 one is `v1a.<public key>.<sealed seed>`. */
  async create(endpointId: string, scheme: SignatureScheme = "hmac"): Promise<string> {
    if (scheme === "hmac") return this.#box.seal(this.#random(SECRET_BYTES), endpointId);
    const { seed, publicKey } = await newEd25519Pair();
    const shown = base64url(publicKey);
    return `v1a.${shown}.${await this.#box.seal(seed, `${endpointId} ${shown}`)}`;
  }

  /** The HMAC secrets in the order given, without those that cannot be opened (sealed under another root). */
  async open(endpointId: string, sealed: readonly string[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const symmetric = sealed.filter((one) => schemeOf(one) === "hmac");
    const opened = await Promise.all(symmetric.map((one) => this.#box.open(one, endpointId)));
    return opened.filter((bytes) => bytes !== undefined);
  }

  /** What signs a message with each secret, in the order given, without those that cannot be opened. */
  async signers(endpointId: string, sealed: readonly string[]): Promise<Signer[]> {
    const signers = await Promise.all(sealed.map((one) => this.#signer(endpointId, one)));
    return signers.filter((signer) => signer !== undefined);
  }

  async #signer(endpointId: string, sealed: string): Promise<Signer | undefined> {
    if (schemeOf(sealed) === "ed25519") {
      const pair = await this.#openPair(endpointId, sealed);
      return pair && ed25519Signer(pair);
    }
    const secret = await this.#box.open(sealed, endpointId);
    return secret && hmacSigner(secret);
  }

  async #openPair(endpointId: string, sealed: string): Promise<Ed25519Pair | undefined> {
    const [, shown = "", seedSealed = ""] = ED25519.exec(sealed) ?? [];
    const publicKey = canonicalBase64url(shown);
    const seed = await this.#box.open(seedSealed, `${endpointId} ${shown}`);
    return publicKey && seed && { seed, publicKey };
  }

  /** The secrets sealed anew, where one of them is sealed with the deployment's previous secret; else undefined. */
  async rewrap(endpointId: string, sealed: readonly string[]): Promise<string[] | undefined> {
    const anew = await Promise.all(sealed.map((one) => this.#rewrapOne(endpointId, one)));
    return anew.some(Boolean) ? anew.map((one, i) => one ?? sealed[i]!) : undefined;
  }

  async #rewrapOne(endpointId: string, sealed: string): Promise<string | undefined> {
    const [, shown, seedSealed] = ED25519.exec(sealed) ?? [];
    if (shown === undefined || seedSealed === undefined) return this.#box.rewrap(sealed, endpointId);
    const seed = await this.#box.rewrap(seedSealed, `${endpointId} ${shown}`);
    return seed && `v1a.${shown}.${seed}`;
  }
}

export function schemeOf(sealed: string): SignatureScheme {
  return sealed.startsWith("v1a.") ? "ed25519" : "hmac";
}

/** `whpk_…` of each Ed25519 secret: what receivers verify with. */
export function publicKeysOf(sealed: readonly string[]): string[] {
  return sealed.flatMap((one) => {
    const publicKey = canonicalBase64url(ED25519.exec(one)?.[1] ?? "");
    return publicKey?.length === SECRET_BYTES ? [shownPublicKey(publicKey)] : [];
  });
}
