import type { Json } from "../protocol/json.ts";
import type { Revocation } from "./rule.ts";
import { BUCKET_BITS, bucketOf, hashToken, tokenHash } from "./token-hash.ts";

/** A token that is denied by name, one of any number. Without `iss` it is denied whoever issued it. */
export type DeniedToken = {
  jti: string;
  iss?: string;
  /** Epoch seconds; when the token is over anyway. */
  expires_at: number;
  reason?: string;
  /** The revocation that stands behind the entry, where the log has handed it over: entries of rules are apart. */
  rule?: string;
};

/** A token to deny; without `expires_at` as long as any token can live. */
export type DenialInput = Omit<DeniedToken, "expires_at"> & { expires_at?: number };

type RuleContent = Pick<Revocation, "match" | "issued_before" | "effect">;

/** What is to be stored. Without `extend` an entry that still denies the token stays as it is. */
export type Denial = { token: DeniedToken; extend: boolean };

/** One bucket as KV lists it: all denied tokens that were published up to `build`. */
export type DeniedBucket = { build: number; tokens: DeniedToken[] };

export const MAX_CLAIM_CHARS = 512;
/** No token with such a claim is ever accepted, and no text that is stored holds one. */
const CONTROL = /\p{Cc}/u;

/** Whether the value can be a claim of an accepted token and is stored as it is. */
export function isClaim(value: Json | undefined): value is string {
  if (typeof value !== "string" || value.length === 0 || value.length > MAX_CLAIM_CHARS) return false;
  return !CONTROL.test(value) && value.isWellFormed();
}

/** Whether the rule refuses one token by name and does nothing else. */
export function namesOneToken({ match, issued_before, effect }: RuleContent): boolean {
  if (match.jti === undefined || issued_before !== undefined || effect !== undefined) return false;
  if (match.iss !== undefined && !isClaim(match.iss)) return false;
  return isClaim(match.jti) && Object.keys(match).every((member) => member === "jti" || member === "iss");
}

/** The rule for one token as an entry of the list. */
export function tokenOfRule({
  match,
  expires_at,
  reason,
}: Omit<Revocation, "id" | "actor" | "created_at">): DenialInput {
  return {
    jti: match.jti!,
    ...(match.iss === undefined ? {} : { iss: match.iss }),
    ...(expires_at === undefined ? {} : { expires_at }),
    reason,
  };
}

/** The KV key of a bucket. */
export function deniedBucketKey(bucket: number): string {
  return `denied:${bucket.toString(16).padStart(Math.ceil(BUCKET_BITS / 4), "0")}`;
}

/** The bucket that lists the entries of an id. */
export function bucketOfToken(jti: string): number {
  hashToken(jti);
  return bucketOf(tokenHash.hi);
}

/** Until when the list denies the token, in epoch seconds; 0 where it does not. */
export function deniedUntil(tokens: readonly DeniedToken[], iss: string, jti: string): number {
  let until = 0;
  for (const token of tokens) {
    if (token.jti !== jti || (token.iss !== undefined && token.iss !== iss)) continue;
    until = Math.max(until, token.expires_at);
  }
  return until;
}

/** Each token once, with its latest end; one that names none does not shorten or lengthen what is there. */
export function distinctDenials(tokens: readonly DenialInput[], defaultExpiry: number): Denial[] {
  const byName = new Map<string, Denial>();
  for (const { expires_at, ...token } of tokens) {
    const name = `${token.iss ?? ""}\0${token.jti}\0${token.rule ?? ""}`;
    const known = byName.get(name);
    const end = Math.ceil(expires_at ?? defaultExpiry);
    if (known && (known.token.expires_at >= end || expires_at === undefined)) continue;
    byName.set(name, { token: { ...token, expires_at: end }, extend: expires_at !== undefined });
  }
  return [...byName.values()];
}
