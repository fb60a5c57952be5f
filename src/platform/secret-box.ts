import { deriveKey } from "../protocol/derived-key.ts";
import { base64url, canonicalBase64url, utf8 } from "../protocol/encoding.ts";

const VERSION = "v1";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const AES = { name: "AES-GCM", length: 256 };

/** The deployment's secrets that wrap what is stored: the one in use, and while it is changed the one before it. */
export type WrappingSecrets = { PORTCULLIS_SECRET: string; PORTCULLIS_SECRET_PREVIOUS?: string };

/**
 * Keeps secrets at rest: AES-256-GCM under a key derived by HKDF-SHA-256 (RFC 5869) from the deployment's
 * secret. `purpose` separates the keys of different uses; `context`, e.g. the record's id, is authenticated,
 * so that a sealed value cannot be moved to another record. Seals with the secret in use, opens with either.
 */
export class SecretBox {
  readonly #keys: readonly DerivedKey[];

  constructor(secrets: WrappingSecrets, purpose: string) {
    const { PORTCULLIS_SECRET: current, PORTCULLIS_SECRET_PREVIOUS: previous } = secrets;
    const roots = previous ? [current, previous] : [current];
    this.#keys = roots.map((root) => new DerivedKey(root, purpose));
  }

  /** `v1.<iv>.<ciphertext>`, both base64url; every call gives another string. */
  async seal(plain: Uint8Array, context: string): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    const key = await this.#keys[0]!.get();
    const sealed = await crypto.subtle.encrypt(parameters(iv, context), key, plain);
    return `${VERSION}.${base64url(iv)}.${base64url(new Uint8Array(sealed))}`;
  }

  /** The plain bytes, or undefined where the value was changed or sealed for another purpose, context or secret. */
  async open(sealed: string, context: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return (await this.#open(sealed, context))?.plain;
  }

  /** The value sealed anew, where only the previous secret opens it; undefined where nothing is to be done. */
  async rewrap(sealed: string, context: string): Promise<string | undefined> {
    if (this.#keys.length === 1) return undefined;
    const opened = await this.#open(sealed, context);
    return opened && !opened.current ? this.seal(opened.plain, context) : undefined;
  }

  async #open(
    sealed: string,
    context: string,
  ): Promise<{ plain: Uint8Array<ArrayBuffer>; current: boolean } | undefined> {
    const [version, ivText, text, ...rest] = sealed.split(".");
    if (version !== VERSION || ivText === undefined || text === undefined || rest.length) return undefined;
    const iv = canonicalBase64url(ivText);
    const bytes = canonicalBase64url(text);
    if (iv?.length !== IV_BYTES || !bytes || bytes.length < TAG_BYTES) return undefined;
    for (const key of this.#keys) {
      try {
        const plain = await crypto.subtle.decrypt(parameters(iv, context), await key.get(), bytes);
        return { plain: new Uint8Array(plain), current: key === this.#keys[0] };
      } catch {
        // Not sealed with this one.
      }
    }
    return undefined;
  }
}

class DerivedKey {
  readonly #root: string;
  readonly #purpose: string;
  #key: CryptoKey | undefined;

  constructor(root: string, purpose: string) {
    this.#root = root;
    this.#purpose = purpose;
  }

  async get(): Promise<CryptoKey> {
    const info = `portcullis secret-box ${VERSION} ${this.#purpose}`;
    this.#key ??= await deriveKey(this.#root, info, AES, ["encrypt", "decrypt"]);
    return this.#key;
  }
}

function parameters(iv: Uint8Array<ArrayBuffer>, context: string) {
  return { name: "AES-GCM", iv, additionalData: utf8(context), tagLength: TAG_BYTES * 8 };
}
