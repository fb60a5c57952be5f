/** Prefixes of the contract; an id names its kind. */
export type IdPrefix =
  | "req"
  | "grt"
  | "rev"
  | "evt"
  | "dlv"
  | "whe"
  | "cli"
  | "ses"
  | "tok"
  | "dec"
  | "log"
  | "smp"
  | "rpt"
  | "rot"
  | "ext"
  | "use"
  | "iso"
  | "det"
  | "rmd"
  | "sig"
  | "str"
  | "bak";

export type RandomBytes = (length: number) => Uint8Array;

export const secureRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/** Evenly from 0 up to 1, in 65,536 steps. */
export function randomShare(random: RandomBytes = secureRandom): number {
  const [high = 0, low = 0] = random(2);
  return (256 * high + low) / 65_536;
}

const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";

/** `prefix_` + 48 bits of milliseconds + 80 random bits in Crockford's base32 (ULID): sorts by time. */
export function newId(prefix: IdPrefix, nowMs: number, random: RandomBytes = secureRandom): string {
  return `${prefix}_${timeText(nowMs)}${randomText(16, random)}`;
}

/** An id of the same form that follows from a moment and a text: the same again is the same id. */
export function derivedId(prefix: IdPrefix, timeMs: number, text: string): string {
  // Loaded when it is first needed: few isolates ever need it.
  const { createHash } = process.getBuiltinModule("node:crypto");
  const digest = createHash("sha256").update(text).digest();
  return newId(prefix, timeMs, (length) => digest.subarray(0, length));
}

/**
 * Makes ids of the same form at a fraction of the cost, for what comes thousands of times a second and is no
 * secret: of the random bits, 60 are drawn once for a million ids, and the last 20 count.
 */
export function idSeries(prefix: IdPrefix, random: RandomBytes = secureRandom): (nowMs: number) => string {
  let timeMs = Number.NaN;
  let head = "";
  let drawn = "";
  let count = SERIES_LENGTH;
  return (nowMs) => {
    if (count === SERIES_LENGTH) {
      drawn = randomText(12, random);
      count = 0;
      timeMs = Number.NaN;
    }
    if (nowMs !== timeMs) {
      timeMs = nowMs;
      head = `${prefix}_${timeText(nowMs)}${drawn}`;
    }
    const n = count++;
    return (
      head + CROCKFORD[n >> 15] + CROCKFORD[(n >> 10) & 31] + CROCKFORD[(n >> 5) & 31] + CROCKFORD[n & 31]
    );
  };
}

const SERIES_LENGTH = 2 ** 20;

function timeText(nowMs: number): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = CROCKFORD[rest % 32] + time;
  return time;
}

function randomText(chars: number, random: RandomBytes): string {
  let text = "";
  for (const byte of random(chars)) text += CROCKFORD[byte & 31];
  return text;
}

const BODY = /^[0-9a-hjkmnp-tv-z]{26}$/;

export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}_`) && BODY.test(text.slice(prefix.length + 1));
}

/** The same moment and randomness under another prefix: a request and its grant share one object. */
export function siblingId(prefix: IdPrefix, id: string): string {
  return `${prefix}_${id.slice(id.indexOf("_") + 1)}`;
}

/** A secret of 256 bits, base64url. */
export function newSecret(random: RandomBytes = secureRandom): string {
  return btoa(String.fromCharCode(...random(32)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
