import { type DetectionPolicy, MAX_DISTINCT } from "../policy/detection-policy.ts";
import type { Detection, DetectionKind } from "../protocol/detection.ts";
import { hashToken, tokenHash } from "../revocation/token-hash.ts";
import type { Observation, Place } from "./observation.ts";
import { addUses, type OwnRate } from "./own-rate.ts";
import { addValue, type RecentValues } from "./recent-values.ts";
import { addStay, type Travel } from "./travel.ts";

/** What was reached, before anybody says of whom and when. */
export type Finding = Pick<Detection, "kind" | "window_seconds" | "count" | "threshold" | "facts">;

/** Where and how often one token, or a session's tokens, are used. */
export type TokenState = {
  addresses?: RecentValues<number>;
  countries?: RecentValues<string>;
  networks?: RecentValues<number>;
  travel?: Travel;
  rate?: OwnRate;
  /** Isolates that it was used in: each of them leaves uses untold. */
  isolates?: RecentValues<number>;
};

const NO_MOVES = 0;
const ISOLATE_SECONDS = 3_600;

/** The longest window that a token's state is needed for. */
export function tokenWindowSeconds(policy: DetectionPolicy): number {
  const { token_overused, token_many_addresses, token_many_countries, token_many_networks } = policy;
  const all = [token_overused, token_many_addresses, token_many_countries, token_many_networks];
  return Math.max(...all.map((kind) => kind.window_seconds), policy.impossible_travel.window_seconds, 3_600);
}

/** Adds one observation of a token, and says what has been reached. */
export function watchToken(
  before: TokenState | undefined,
  observed: Observation & { what: "seen" | "used" },
  isolate: string,
  policy: DetectionPolicy,
): { state: TokenState; findings: Finding[] } {
  const state: TokenState = { ...before };
  const { at } = observed;
  hashToken(isolate);
  state.isolates = addValue(state.isolates ?? [], tokenHash.hi, at, ISOLATE_SECONDS, MAX_DISTINCT);
  if (observed.what === "seen") {
    // From here on its history is known, also where isolates have no more to tell of it.
    state.rate ??= addUses(undefined, at, 0, policy.token_overused.window_seconds, 1).rate;
    return { state, findings: addPlace(state, observed, at, policy) };
  }
  const { window_seconds, threshold, times_own_rate: times } = policy.token_overused;
  const { rate, total, usual } = addUses(
    state.rate,
    at,
    observed.count,
    window_seconds,
    state.isolates.length,
  );
  state.rate = rate;
  const most = usual === undefined ? threshold : Math.min(threshold, Math.ceil(usual * times) + 1);
  const facts = usual === undefined || most === threshold ? {} : { facts: { usual: Math.round(usual) } };
  const found: Finding = { kind: "token_overused", window_seconds, count: total, threshold: most, ...facts };
  return { state, findings: total >= most ? [found] : [] };
}

function addPlace(state: TokenState, place: Place, at: number, policy: DetectionPolicy): Finding[] {
  const { token_many_addresses, token_many_countries, token_many_networks, impossible_travel } = policy;
  const { address_hash, country, asn } = place;
  const add = <V extends string | number>(
    before: RecentValues<V> = [],
    value: V | undefined,
    windowSeconds: number,
  ) => (value === undefined ? before : addValue(before, value, at, windowSeconds, MAX_DISTINCT));
  state.addresses = add(state.addresses, address_hash, token_many_addresses.window_seconds);
  state.countries = add(state.countries, country, token_many_countries.window_seconds);
  state.networks = add(state.networks, asn, token_many_networks.window_seconds);
  const movesBefore = state.travel?.moves.at(-1);
  const travel = addStay(state.travel, place, at, impossible_travel);
  if (travel) state.travel = travel;
  const moved = travel?.moves.at(-1) !== movesBefore;
  return [
    ...reached("token_many_addresses", state.addresses.length, token_many_addresses),
    ...reached("token_many_countries", state.countries.length, token_many_countries, {
      countries: state.countries.map(([each]) => each).join(" "),
    }),
    ...reached("token_many_networks", state.networks.length, token_many_networks, {
      networks: state.networks.map(([each]) => each).join(" "),
    }),
    ...reached(
      "impossible_travel",
      moved ? travel!.moves.length : NO_MOVES,
      impossible_travel,
      travel?.fastest,
    ),
  ];
}

function reached(
  kind: DetectionKind,
  count: number,
  { threshold, window_seconds }: { threshold: number; window_seconds: number },
  facts?: Detection["facts"],
): Finding[] {
  if (count < threshold) return [];
  return [{ kind, window_seconds, count, threshold, ...(facts ? { facts } : {}) }];
}
