/** Milliseconds since the epoch. Passed as an argument wherever time decides anything. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();

/** NumericDate (RFC 7519 §2): whole epoch seconds. */
export function epochSeconds(nowMs: number): number {
  return Math.floor(nowMs / 1000);
}
