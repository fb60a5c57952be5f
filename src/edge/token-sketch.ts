import { UNTOLD_USES_PER_SECOND } from "../protocol/detection.ts";
import type { Place } from "../remediation/observation.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { CloudflareFacts } from "./request-facts.ts";

/** What is known of one token's uses in this isolate. */
type Sight = {
  token: VerifiedToken;
  address: string | undefined;
  country: unknown;
  /** Addresses that were told lately, the latest last. */
  known: (string | undefined)[];
  toldAtMs: number;
  slotEndsMs: number;
  /** Uses in this slot, and how many of them were told. */
  count: number;
  told: number;
};

/** Uses of one token that are to be told. */
type Used = { token: VerifiedToken; uses: number };

/** ISO 3166, or `T1` for Tor; `XX` is Cloudflare's word for none. */
const COUNTRY = /^(?!XX)[A-Z][A-Z0-9]$/;
const SLOT_MS = 10_000;
/** So many uses in one slot are often. */
export const OFTEN = (UNTOLD_USES_PER_SECOND * SLOT_MS) / 1000;
/** Where a token is used from is told anew after this, so that whoever counts knows that it still is. */
export const TELL_PLACE_AGAIN_MS = 300_000;
const KNOWN_ADDRESSES = 8;
/** Tokens that are used often at the same time; others are told of when there is room. */
export const MAX_OFTEN = 1_000;

/**
 * Where and how often the tokens of this isolate are used. Kept with the verified token itself, so that it is as
 * bounded as the map of verified tokens is, and goes with the token; the way of a token that is used like before
 * allocates nothing.
 */
export class TokenSketch {
  readonly #sights = new WeakMap<VerifiedToken, Sight>();
  readonly #often = new Set<Sight>();

  /**
   * Counts one use. Answers whether there is something to tell: a place that is new, or that it is used often. `from`
   * has a getter for `cf`, at which the runtime takes its text apart: an address that is the same is in the same country.
   */
  use(
    token: VerifiedToken,
    address: string | undefined,
    from: { cf?: unknown },
    atMs: number,
  ): "place" | "often" | undefined {
    const sight = this.#sights.get(token);
    if (sight === undefined) {
      this.#sights.set(token, newSight(token, address, countryOf(from), atMs));
      return "place";
    }
    const news = this.#count(sight, atMs);
    if (
      sight.address === address &&
      atMs < sight.toldAtMs + TELL_PLACE_AGAIN_MS &&
      (address !== undefined || sight.country === countryOf(from))
    ) {
      return news;
    }
    return move(sight, address, countryOf(from), atMs) ? "place" : news;
  }

  /** The uses that are to be told, once. */
  takeUsed(): Used[] {
    const used: Used[] = [];
    for (const sight of this.#often) {
      used.push({ token: sight.token, uses: sight.count - sight.told });
      sight.told = sight.count;
    }
    this.#often.clear();
    return used;
  }

  #count(sight: Sight, atMs: number): "often" | undefined {
    if (atMs >= sight.slotEndsMs) {
      sight.slotEndsMs = atMs + SLOT_MS;
      // What was counted often and is not told yet is told with this slot's.
      sight.count = this.#often.has(sight) ? sight.count - sight.told : 0;
      sight.told = 0;
    }
    sight.count++;
    if (sight.count < OFTEN || this.#often.size >= MAX_OFTEN) return undefined;
    this.#often.add(sight);
    return "often";
  }
}

function countryOf({ cf }: { cf?: unknown }): unknown {
  return (cf as CloudflareFacts | undefined)?.country;
}

function newSight(token: VerifiedToken, address: string | undefined, country: unknown, atMs: number): Sight {
  return {
    token,
    address,
    country,
    known: [address],
    toldAtMs: atMs,
    slotEndsMs: atMs + SLOT_MS,
    count: 1,
    told: 0,
  };
}

/** Whether the place is to be told: one that is not known, a country other than before, or one told long ago. */
function move(sight: Sight, address: string | undefined, country: unknown, atMs: number): boolean {
  const again = atMs >= sight.toldAtMs + TELL_PLACE_AGAIN_MS;
  const isNews = again || country !== sight.country || !sight.known.includes(address);
  sight.address = address;
  sight.country = country;
  if (!isNews) return false;
  sight.toldAtMs = atMs;
  sight.known = again ? [address] : [...sight.known.filter((each) => each !== address), address];
  if (sight.known.length > KNOWN_ADDRESSES) sight.known.shift();
  return true;
}

/** Where Cloudflare says that a request comes from. */
export function placeOf(cf: CloudflareFacts | undefined): Place {
  const place: Place = {};
  const latitude = degrees(cf?.latitude, 90);
  const longitude = degrees(cf?.longitude, 180);
  if (typeof cf?.country === "string" && COUNTRY.test(cf.country)) place.country = cf.country;
  if (typeof cf?.asn === "number" && Number.isSafeInteger(cf.asn)) place.asn = cf.asn;
  if (latitude !== undefined && longitude !== undefined) Object.assign(place, { latitude, longitude });
  return place;
}

/** Cloudflare tells degrees as text. */
function degrees(value: unknown, most: number): number | undefined {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Math.abs(number) <= most ? number : undefined;
}
