import { calculateJwkThumbprint, type JWK } from "jose";
import type { Json } from "../protocol/json.ts";
import { importPublicKey, isKeyFor, publicMembers } from "../protocol/public-key.ts";

/** Whose keys: a trusted issuer's or a client's. Exactly one of `jwks`, `jwks_uri` and `secret_ref` is there. */
export type KeySource = {
  id: string;
  issuer: string;
  jwks?: object | undefined;
  jwks_uri?: string | undefined;
  secret_ref?: string | undefined;
};

/** A key of a trusted issuer, ready to verify one algorithm with. */
export type IssuerKey = { kid: string; key: CryptoKey };

const MAX_KEYS = 32;
type Candidate = { kid?: string; alg?: string; jwk: JWK; text: string };

/**
 * The signature keys of one issuer (RFC 7517). Keys that cannot verify here are left out, as RFC 7517 §5
 * asks: symmetric, private, of another use, of an unknown kind. Imported on first use.
 */
export class IssuerKeys {
  readonly #candidates: readonly Candidate[];
  readonly #imported = new Map<string, IssuerKey>();
  readonly #current = new Set<CryptoKey>();

  private constructor(candidates: readonly Candidate[]) {
    this.#candidates = candidates;
  }

  /** Undefined where the document is not a JWK set of at most 32 keys. Unchanged keys stay the same objects. */
  static read(document: Json | undefined, previous?: IssuerKeys): IssuerKeys | undefined {
    if (document === null || typeof document !== "object" || Array.isArray(document)) return undefined;
    const { keys } = document;
    if (!Array.isArray(keys) || keys.length > MAX_KEYS) return undefined;
    const set = new IssuerKeys(keys.map(readCandidate).filter((each) => each !== undefined));
    const kept = new Set(set.#candidates.map(({ text }) => text));
    for (const [slot, key] of previous ? previous.#imported : []) {
      if (kept.has(slot.slice(slot.indexOf(" ") + 1))) set.#keep(slot, key);
    }
    return set;
  }

  /**
   * The one key that a header points at. Without a `kid` the set must hold exactly one key for the
   * algorithm; two keys that fit are no key at all.
   */
  async find(kid: string | undefined, alg: string): Promise<IssuerKey | undefined> {
    const fitting = this.#candidates.filter((each) => fits(each, kid, alg));
    const [candidate] = fitting;
    if (!candidate || fitting.length > 1) return undefined;
    const slot = `${alg} ${candidate.text}`;
    const known = this.#imported.get(slot);
    if (known) return known;
    const key = await importPublic(candidate, alg);
    return key && this.#keep(slot, key);
  }

  /** Whether the key is one of this set's. */
  has(key: CryptoKey): boolean {
    return this.#current.has(key);
  }

  #keep(slot: string, key: IssuerKey): IssuerKey {
    const first = this.#imported.get(slot);
    if (first) return first;
    this.#imported.set(slot, key);
    this.#current.add(key.key);
    return key;
  }
}

function readCandidate(jwk: Json): Candidate | undefined {
  if (jwk === null || typeof jwk !== "object" || Array.isArray(jwk)) return undefined;
  const members = publicMembers(jwk);
  if (!members) return undefined;
  const { kid, alg, use, key_ops: operations } = jwk;
  if (kid !== undefined && (typeof kid !== "string" || kid === "")) return undefined;
  if (alg !== undefined && typeof alg !== "string") return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
    return undefined;
  const text = JSON.stringify([kid ?? null, alg ?? null, members]);
  return {
    jwk: members,
    text,
    ...(kid === undefined ? {} : { kid }),
    ...(alg === undefined ? {} : { alg }),
  };
}

function fits(candidate: Candidate, kid: string | undefined, alg: string): boolean {
  if (kid !== undefined && candidate.kid !== kid) return false;
  if (candidate.alg !== undefined && candidate.alg !== alg) return false;
  return isKeyFor(alg, candidate.jwk);
}

/** Undefined where the key is not sound: a point off its curve, a modulus too small or too large. */
async function importPublic({ kid, jwk }: Candidate, alg: string): Promise<IssuerKey | undefined> {
  const key = await importPublicKey(jwk, alg);
  // A revocation by key must hit tokens that leave the `kid` out, too.
  return key && { kid: kid ?? (await calculateJwkThumbprint(jwk)), key };
}
