import { base64url, canonicalBase64url, utf8 } from "../protocol/encoding.ts";
import { deriveKey } from "./derived-key.ts";

const VERSION = "v1";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const AES = { name: "AES-GCM", length: 256 };

/**
 * Keeps secrets at rest: AES-256-GCM under a key derived by HKDF-SHA-256 (RFC 5869) from the deployment's
 * secret. `purpose` separates the keys of different uses; `context`, e.g. the record's id, is authenticated,
 * so that a sealed value cannot be moved to another record.
 */
export class SecretBox {
  readonly #secret: string;
  readonly #purpose: string;
  #key: CryptoKey | undefined;

  constructor(secret: string, purpose: string) {
    this.#secret = secret;
    this.#purpose = purpose;
  }

  /** `v1.<iv>.<ciphertext>`, both base64url; every call gives another string. */
  async seal(plain: Uint8Array, context: string): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const sealed = await crypto.subtle.encrypt(parameters(iv, context), await this.#derived(), plain);
    return `${VERSION}.${base64url(iv)}.${base64url(new Uint8Array(sealed))}`;
  }

  /** The plain bytes, or undefined where the value was changed or sealed for another purpose, context or secret. */
  async open(sealed: string, context: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const [version, ivText, text, ...rest] = sealed.split(".");
    if (version !== VERSION || ivText === undefined || text === undefined || rest.length) return undefined;
    const iv = canonicalBase64url(ivText);
    const bytes = canonicalBase64url(text);
    if (iv?.length !== IV_BYTES || !bytes || bytes.length < TAG_BYTES) return undefined;
    const key = await this.#derived();
    try {
      return new Uint8Array(await crypto.subtle.decrypt(parameters(iv, context), key, bytes));
    } catch {
      return undefined;
    }
  }

  async #derived(): Promise<CryptoKey> {
    const info = `portcullis secret-box ${VERSION} ${this.#purpose}`;
    this.#key ??= await deriveKey(this.#secret, info, AES, ["encrypt", "decrypt"]);
    return this.#key;
  }
}

function parameters(iv: Uint8Array<ArrayBuffer>, context: string) {
  return { name: "AES-GCM", iv, additionalData: utf8(context), tagLength: TAG_BYTES * 8 };
}
