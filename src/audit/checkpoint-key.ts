import { SecretBox, type WrappingSecrets } from "../platform/secret-box.ts";
import { canonicalBase64url, utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type NoteKey, signedNote, verifierKey } from "../protocol/signed-note.ts";
import type { AuditStore } from "./audit-store.ts";

type StoredKey = { public_key: string; sealed: string };

const STATE = "key";
const CONTEXT = "audit";
const UNREADABLE = problem(
  "misconfigured",
  "The audit log's key cannot be unwrapped: PORTCULLIS_SECRET is not the one it was wrapped with, nor is PORTCULLIS_SECRET_PREVIOUS.",
);

/**
 * The key that signs checkpoints and nothing else: Ed25519, made on first use, for the life of the log as those
 * of other transparency logs are. The private half is stored sealed and never leaves.
 */
export class CheckpointKey {
  readonly #store: AuditStore;
  readonly #box: SecretBox;
  readonly #origin: string;
  #imported: CryptoKey | undefined;

  constructor(store: AuditStore, secrets: WrappingSecrets, origin: string) {
    this.#store = store;
    this.#box = new SecretBox(secrets, "audit-key");
    this.#origin = origin;
  }

  /** For verifiers, in the form of C2SP signed-note. */
  async verifier(): Promise<Result<string>> {
    const key = await this.#key();
    return key.ok ? ok(await verifierKey(this.#named(key.value))) : key;
  }

  async sign(text: string): Promise<Result<string>> {
    const key = await this.#key();
    if (!key.ok) return key;
    this.#imported ??= await this.#import(key.value);
    if (!this.#imported) return err(UNREADABLE);
    const signature = await crypto.subtle.sign("Ed25519", this.#imported, utf8(text));
    return ok(await signedNote(text, this.#named(key.value), new Uint8Array(signature)));
  }

  /** Seals it anew where the deployment's previous secret wraps it; tells of how many values. */
  async rewrap(): Promise<number> {
    const stored = this.#store.state<StoredKey>(STATE);
    const anew = stored && (await this.#box.rewrap(stored.sealed, CONTEXT));
    if (!anew) return 0;
    this.#store.setState(STATE, { ...stored, sealed: anew });
    return 1;
  }

  async #key(): Promise<Result<StoredKey>> {
    const known = this.#store.state<StoredKey>(STATE);
    if (known) return ok(known);
    const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
    const { x, d } = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JsonWebKey;
    const made = { public_key: x!, sealed: await this.#box.seal(utf8(d!), CONTEXT) };
    // Two first uses may both come this far: the key that was stored first is the log's.
    const first = this.#store.state<StoredKey>(STATE);
    if (!first) this.#store.setState(STATE, made);
    return ok(first ?? made);
  }

  async #import({ public_key: x, sealed }: StoredKey): Promise<CryptoKey | undefined> {
    const opened = await this.#box.open(sealed, CONTEXT);
    if (!opened) return undefined;
    const jwk = { kty: "OKP", crv: "Ed25519", x, d: new TextDecoder().decode(opened) };
    return crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"]);
  }

  #named({ public_key }: StoredKey): NoteKey {
    return { name: this.#origin, publicKey: canonicalBase64url(public_key)! };
  }
}
