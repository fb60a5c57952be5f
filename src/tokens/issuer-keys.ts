import { calculateJwkThumbprint, importJWK, type JWK } from "jose";
import type { Json } from "../protocol/json.ts";

/** A key of a trusted issuer, ready to verify one algorithm with. */
export type IssuerKey = { kid: string; key: CryptoKey };

const MAX_KEYS = 32;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/** Which key each algorithm needs (RFC 7518 §3.1, RFC 8037 §3.1). Symmetric algorithms are not among them. */
const KEY_OF_ALGORITHM: Record<string, { kty: string; crv?: string }> = {
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  ...Object.fromEntries(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map((alg) => [alg, { kty: "RSA" }]),
  ),
};

/** Only these are imported: a private or symmetric member never reaches the key. */
const PUBLIC_MEMBERS = ["kty", "crv", "x", "y", "n", "e"] as const;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

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
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) return undefined;
  const { kid, alg, use, key_ops: operations } = jwk;
  if (kid !== undefined && (typeof kid !== "string" || kid === "")) return undefined;
  if (alg !== undefined && typeof alg !== "string") return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
    return undefined;
  const members: Record<string, string> = {};
  for (const name of PUBLIC_MEMBERS) {
    const value = jwk[name];
    if (value === undefined) continue;
    if (typeof value !== "string") return undefined;
    members[name] = value;
  }
  const text = JSON.stringify([kid ?? null, members]);
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
  const needed = KEY_OF_ALGORITHM[alg];
  if (!needed || candidate.jwk.kty !== needed.kty) return false;
  return needed.crv === undefined || candidate.jwk.crv === needed.crv;
}

/** Undefined where the key is not sound: a point off its curve, a modulus too small or too large. */
async function importPublic({ kid, jwk }: Candidate, alg: string): Promise<IssuerKey | undefined> {
  try {
    const key = (await importJWK(jwk, alg, { extractable: false })) as CryptoKey;
    const { modulusLength: bits } = key.algorithm as { modulusLength?: number };
    if (bits !== undefined && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)) return undefined;
    // A revocation by key must hit tokens that leave the `kid` out, too.
    return { kid: kid ?? (await calculateJwkThumbprint(jwk)), key };
  } catch {
    return undefined;
  }
}
