import { UNTOLD_USES_PER_SECOND } from "../protocol/detection.ts";

/** How often a token is used, window by window. */
export type OwnRate = {
  /** When it was used first, as far as is known. */
  since: number;
  /** The window that is being counted, as the number of those before it. */
  window: number;
  window_seconds: number;
  count: number;
  /** The highest count of an earlier window, as it was then. */
  peak: number;
  peak_window: number;
};

/** After this long, a peak counts half. */
const PEAK_HALF_LIFE_SECONDS = 3_600;
/** A token has a history once it has been in use for so many windows. */
const WARM_UP_WINDOWS = 5;

/**
 * Adds uses. What is usual for a token is `h = max(over earlier windows: count × 2^(−age / 1 h), 5/s × window × isolates)`: a
 * maximum that fades rather than a mean, because jobs come in bursts, and each burst after the first has one
 * before it to be held against. A burst at the start is no alarm: until a token has been in use for five windows,
 * it has no history, and one is never taken for less than what isolates leave untold.
 */
export function addUses(
  before: OwnRate | undefined,
  at: number,
  count: number,
  windowSeconds: number,
  isolates: number,
): { rate: OwnRate; total: number; usual: number | undefined } {
  const window = Math.floor(at / windowSeconds);
  const rate = before?.window_seconds === windowSeconds ? inWindow(before, window) : begun(at, windowSeconds);
  const since = Math.min(before?.since ?? at, rate.since);
  const total = rate.count + count;
  const known = window - Math.floor(since / windowSeconds) >= WARM_UP_WINDOWS;
  const untold = UNTOLD_USES_PER_SECOND * windowSeconds * isolates;
  const usual = known ? Math.max(faded(rate, window), untold) : undefined;
  return { rate: { ...rate, since, count: total }, total, usual };
}

function begun(at: number, windowSeconds: number): OwnRate {
  const window = Math.floor(at / windowSeconds);
  return { since: at, window, window_seconds: windowSeconds, count: 0, peak: 0, peak_window: window };
}

/** With the window that is over in the history. What comes late is counted in the newest. */
function inWindow(rate: OwnRate, window: number): OwnRate {
  if (window <= rate.window) return rate;
  const higher = rate.count >= faded(rate, rate.window);
  const peak = higher ? { peak: rate.count, peak_window: rate.window } : {};
  return { ...rate, ...peak, window, count: 0 };
}

function faded({ peak, peak_window, window_seconds }: OwnRate, window: number): number {
  return peak * 2 ** (-((window - peak_window) * window_seconds) / PEAK_HALF_LIFE_SECONDS);
}
