import type { DetectionPolicy } from "../policy/detection-policy.ts";
import type { Place } from "./observation.ts";

type Stay = { latitude: number; longitude: number; country: string | undefined; at: number };

/** Where a token was last, and when it moved faster than anybody can. */
export type Travel = { last: Stay; moves: number[]; fastest?: Move };

export type Move = { from: string; to: string; distance_km: number; speed_kmh: number };

export type TravelPolicy = Pick<
  DetectionPolicy["impossible_travel"],
  "window_seconds" | "min_distance_km" | "max_speed_kmh" | "same_country"
>;

const EARTH_RADIUS_KM = 6_371;
/** Two places at the same moment are this far apart in time: no way has no speed. */
const LEAST_HOURS = 1 / 3_600;
const MAX_MOVES = 1_000;

/** Adds where a token was seen; undefined where it is not known. */
export function addStay(
  before: Travel | undefined,
  { latitude, longitude, country }: Place,
  at: number,
  policy: TravelPolicy,
): Travel | undefined {
  if (latitude === undefined || longitude === undefined) return before;
  const last: Stay = { latitude, longitude, country, at };
  if (!before) return { last, moves: [] };
  const latest = Math.max(at, before.last.at);
  const moves = before.moves.filter((moved) => moved > latest - policy.window_seconds);
  const kept: Travel = { ...before, last: { ...last, at: latest }, moves };
  const move = moveOf(before.last, last);
  if (!isImpossible(move, before.last, last, policy)) return kept;
  return { ...kept, moves: [...moves, at].slice(-MAX_MOVES), fastest: move };
}

function isImpossible(move: Move, from: Stay, to: Stay, policy: TravelPolicy): boolean {
  if (move.distance_km < policy.min_distance_km || move.speed_kmh <= policy.max_speed_kmh) return false;
  return policy.same_country || from.country === undefined || from.country !== to.country;
}

function moveOf(from: Stay, to: Stay): Move {
  const distance = distanceKm(from, to);
  const hours = Math.max(Math.abs(to.at - from.at) / 3_600, LEAST_HOURS);
  return {
    from: from.country ?? "?",
    to: to.country ?? "?",
    distance_km: Math.round(distance),
    speed_kmh: Math.round(distance / hours),
  };
}

/** Along the surface (haversine). */
export function distanceKm(
  a: { latitude: number; longitude: number },
  b: { latitude: number; longitude: number },
): number {
  const rad = (degrees: number) => (degrees * Math.PI) / 180;
  const sin2 = (angle: number) => Math.sin(angle / 2) ** 2;
  const h =
    sin2(rad(b.latitude - a.latitude)) +
    Math.cos(rad(a.latitude)) * Math.cos(rad(b.latitude)) * sin2(rad(b.longitude - a.longitude));
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}
