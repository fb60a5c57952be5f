import { utf8 } from "../protocol/encoding.ts";
import type { IssuerKey, KeySource } from "./issuer-keys.ts";

/** RFC 7518 §3.2: the key has at least as many bits as the hash. */
const HMAC = { name: "HMAC", hash: "SHA-256" };

/**
 * The keys of issuers that sign with a secret that is shared with them (HS256). The secrets are the deployment's
 * own, by the names that the policy uses for them; public keys never come here, and these go nowhere else.
 */
export class SharedSecrets {
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #imported = new Map<string, IssuerKey>();

  /** Secrets by their name; checked by the configuration. */
  constructor(secrets: ReadonlyMap<string, string>) {
    this.#secrets = secrets;
  }

  /** Undefined where the deployment has no secret of that name. */
  async find(issuer: KeySource): Promise<IssuerKey | undefined> {
    const { id, secret_ref: name } = issuer;
    const secret = name === undefined ? undefined : this.#secrets.get(name);
    if (secret === undefined) return undefined;
    const slot = `${id} ${name}`;
    const known = this.#imported.get(slot);
    if (known) return known;
    const key = await crypto.subtle.importKey("raw", utf8(secret), HMAC, false, ["verify"]);
    const first = this.#imported.get(slot) ?? { kid: `secret:${name}`, key };
    this.#imported.set(slot, first);
    return first;
  }

  holds({ id, secret_ref: name }: KeySource, key: CryptoKey): boolean {
    return this.#imported.get(`${id} ${name}`)?.key === key;
  }
}
