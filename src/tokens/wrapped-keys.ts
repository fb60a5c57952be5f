import { importJWK, type JWK } from "jose";
import type { SecretBox } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";
import type { KeyPurpose } from "../protocol/jwk.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";
import type { KeyringStore, SigningKeyRow } from "./keyring-store.ts";
import { generateSigningKey } from "./signing-key.ts";

/** The private halves: made, wrapped and opened here, and nowhere in the clear. */
export class WrappedKeys {
  readonly #box: SecretBox;
  readonly #store: KeyringStore;
  readonly #imported = new Map<string, CryptoKey>();

  constructor(box: SecretBox, store: KeyringStore) {
    this.#box = box;
    this.#store = store;
  }

  /** A new key that is not stored yet. */
  async make(purpose: KeyPurpose, alg: SigningAlgorithm, now: number): Promise<SigningKeyRow> {
    const { kid, publicJwk, privateJwk } = await generateSigningKey(alg);
    const privateSealed = await this.#box.seal(utf8(JSON.stringify(privateJwk)), kid);
    return { kid, purpose, publicJwk, privateSealed, createdAt: now };
  }

  /** The private key, not extractable. */
  async import(key: SigningKeyRow): Promise<Result<CryptoKey>> {
    const known = this.#imported.get(key.kid);
    if (known) return ok(known);
    const jwk = await this.unwrap(key);
    if (!jwk.ok) return jwk;
    const imported = (await importJWK(jwk.value, key.publicJwk.alg, { extractable: false })) as CryptoKey;
    // One for each purpose signs at a time.
    if (this.#imported.size >= 4) this.#imported.clear();
    this.#imported.set(key.kid, imported);
    return ok(imported);
  }

  /** The private JWK; `misconfigured` where the deployment's secrets do not open it. */
  async unwrap(key: SigningKeyRow): Promise<Result<JWK>> {
    const bytes = key.privateSealed && (await this.#box.open(key.privateSealed, key.kid));
    const text = bytes && fromUtf8(bytes);
    if (text) return ok(JSON.parse(text));
    const detail = `The signing key ${key.kid} cannot be unwrapped: PORTCULLIS_SECRET is not the one it was wrapped with, nor is PORTCULLIS_SECRET_PREVIOUS.`;
    return err(problem("misconfigured", detail));
  }

  /** Seals anew what the previous secret wraps, and tells how many keys that were. */
  async rewrap(): Promise<number> {
    let count = 0;
    for (const { kid, privateSealed } of this.#store.all()) {
      const anew = privateSealed && (await this.#box.rewrap(privateSealed, kid));
      if (!anew) continue;
      this.#store.rewrap(kid, privateSealed, anew);
      count++;
    }
    return count;
  }
}
