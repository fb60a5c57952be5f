import { type AgesByTier, type Histogram, sumOf, sumOfAges } from "./histogram.ts";

export const OUTCOMES = ["allow", "refuse"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Decisions by route and reason. A reason belongs to one outcome. */
export type DecisionCounts = { [route: string]: { [reason: string]: number } };

/** Everything that is counted of requests, of some isolates and some time. */
export type Tally = {
  decisions: DecisionCounts;
  /** What decisions waited for. */
  decided: Partial<Record<Outcome, Histogram>>;
  /** Answers of origins by the origin's name, and what went wrong with them. */
  origins: { [origin: string]: { time: Histogram; faults: { [reason: string]: number } } };
  ages: AgesByTier;
  /** Tokens that isolates had verified before, and had to verify. */
  cache: { hits: number; misses: number };
  /** Decisions whose record was not kept, as there were too many at once. */
  unrecorded: number;
};

/** A verified token that was refused. */
export type RefusedToken = { iss: string; jti: string; refused: number };

/** Where what is over a bound is counted; no route has such a name. */
export const OTHER = "(other)";
/** Of a request for which there is no route, and of one to the control plane. */
export const NO_ROUTE = "(none)";
export const CONTROL = "(control)";

/** So many pairs of route and reason, and so many origins, are told apart in one tally. */
export const MAX_SERIES = 2_000;
const MAX_ORIGINS = 200;

/** Reasons for which a request is let through; all others are refusals. */
const ALLOWED: ReadonlySet<string> = new Set(["token", "public", "vouched"]);

export function outcomeOf(reason: string): Outcome {
  return ALLOWED.has(reason) ? "allow" : "refuse";
}

export function noTraffic(): Tally {
  return {
    decisions: {},
    decided: {},
    origins: {},
    ages: {},
    cache: { hits: 0, misses: 0 },
    unrecorded: 0,
  };
}

/** Both together, bounded: what comes beyond the bound is counted as {@link OTHER}, with its reason. */
export function sumOfTallies(a: Tally, b: Tally): Tally {
  return {
    decisions: sumOfDecisions(a.decisions, b.decisions),
    decided: Object.fromEntries(
      OUTCOMES.flatMap((outcome) => {
        const both = sumOf(a.decided[outcome], b.decided[outcome]);
        return both ? [[outcome, both]] : [];
      }),
    ),
    origins: sumOfOrigins(a.origins, b.origins),
    ages: sumOfAges(a.ages, b.ages),
    cache: { hits: a.cache.hits + b.cache.hits, misses: a.cache.misses + b.cache.misses },
    unrecorded: a.unrecorded + b.unrecorded,
  };
}

export function sumOfDecisions(
  a: DecisionCounts,
  b: DecisionCounts,
  maxSeries: number = MAX_SERIES,
): DecisionCounts {
  // Maps, as a route may be called `constructor`.
  const sum = new Map(Object.entries(a).map(([route, reasons]) => [route, new Map(Object.entries(reasons))]));
  let series = Array.from(sum.values(), ({ size }) => size).reduce((total, size) => total + size, 0);
  for (const [route, reasons] of Object.entries(b)) {
    for (const [reason, count] of Object.entries(reasons)) {
      const known = sum.get(route)?.has(reason) === true;
      const place = known || series < maxSeries ? route : OTHER;
      if (!known) series++;
      let counts = sum.get(place);
      if (!counts) {
        counts = new Map();
        sum.set(place, counts);
      }
      counts.set(reason, (counts.get(reason) ?? 0) + count);
    }
  }
  return Object.fromEntries(
    Array.from(sum, ([route, reasons]) => [route, Object.fromEntries(reasons)] as const),
  );
}

function sumOfOrigins(a: Tally["origins"], b: Tally["origins"]): Tally["origins"] {
  const sum = new Map(Object.entries(a));
  for (const [name, { time, faults }] of Object.entries(b)) {
    const place = sum.has(name) || sum.size < MAX_ORIGINS ? name : OTHER;
    const before = sum.get(place);
    const { [place]: both = {} } = sumOfDecisions({ [place]: before?.faults ?? {} }, { [place]: faults });
    sum.set(place, { time: sumOf(before?.time, time)!, faults: both });
  }
  return Object.fromEntries(sum);
}
