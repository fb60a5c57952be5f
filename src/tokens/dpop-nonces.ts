import type { Clock } from "../platform/clock.ts";
import { deriveKey } from "../protocol/derived-key.ts";
import { base64url, utf8 } from "../protocol/encoding.ts";

/** A nonce is given out for this long, and taken for as long again. */
export const NONCE_WINDOW_SECONDS = 120;

const HMAC = { name: "HMAC", hash: "SHA-256", length: 256 };

/**
 * The nonces of this deployment (RFC 9449 §8 and §9): the same for everybody, changing with time, and known to
 * every isolate without being stored anywhere, as each is an HMAC of its window.
 */
export class DpopNonces {
  readonly #secret: string;
  readonly #clock: Clock;
  readonly #known = new Map<number, string>();
  #key: CryptoKey | undefined;

  constructor(secret: string, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** What a client is told to put into its next proof. */
  current(): Promise<string> {
    return this.#of(this.#window());
  }

  /** Whether it was given out recently enough. */
  async isGood(nonce: string): Promise<boolean> {
    const window = this.#window();
    return nonce === (await this.#of(window)) || nonce === (await this.#of(window - 1));
  }

  #window(): number {
    return Math.floor(this.#clock() / (NONCE_WINDOW_SECONDS * 1000));
  }

  async #of(window: number): Promise<string> {
    const known = this.#known.get(window);
    if (known !== undefined) return known;
    this.#key ??= await deriveKey(this.#secret, "portcullis dpop-nonce v1", HMAC, ["sign"]);
    const mac = await crypto.subtle.sign("HMAC", this.#key, utf8(String(window)));
    const nonce = base64url(new Uint8Array(mac));
    for (const old of this.#known.keys()) if (old < window - 1) this.#known.delete(old);
    this.#known.set(window, nonce);
    return nonce;
  }
}
