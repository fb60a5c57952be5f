/**
 * A 64-bit hash of one denied token, as two unsigned halves. The last one is kept in here rather than
 * returned: a look-up on the request path allocates nothing. Read both halves before the next call.
 */
export const tokenHash = { hi: 0, lo: 0 };

/**
 * Hashes a token's id. The issuer is no part of it: an entry with one and an entry without one are found by the
 * same look. The result is stored with every entry and shapes the filter: a change of this function is a migration.
 */
export function hashToken(jti: string): void {
  let a = 0x2545f491;
  let b = 0x9e3779b9 | 0;
  for (let i = 0; i < jti.length; i++) {
    const unit = jti.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x85ebca6b);
    a = (a << 13) | (a >>> 19);
    b ^= unit;
    b = (Math.imul((b << 5) | (b >>> 27), 0xc2b2ae35) + a) | 0;
  }
  // Every step is a bijection of the 64 bits, here as above: two ids meet by chance only.
  a = mix32(a ^ b);
  b = mix32((b + a) | 0);
  tokenHash.hi = mix32(a ^ b) >>> 0;
  tokenHash.lo = b >>> 0;
}

/** The finaliser of MurmurHash3: a bijection in which every bit depends on every bit. */
export function mix32(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Entries are listed in KV by the first 10 bits of their hash, whatever their number. */
export const BUCKET_BITS = 10;
export const BUCKETS = 2 ** BUCKET_BITS;

export function bucketOf(hi: number): number {
  return hi >>> (32 - BUCKET_BITS);
}
