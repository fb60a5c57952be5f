import {
  type DecisionCounts,
  type Outcome,
  outcomeOf,
  type RefusedToken,
  sumOfDecisions,
} from "./traffic.ts";

/** Times in epoch seconds; `until` is not among them. */
export type TrafficQuery = { since: number; until: number; step_seconds: number; route?: string };

export type Counts = Record<Outcome, number> & { reasons: { [reason: string]: number } };

/** Decisions of one step, which begins `at`. Steps without any are left out. */
export type TrafficPoint = { at: number } & Counts;
export type RouteTraffic = { route: string } & Counts;

export type TrafficView = { series: TrafficPoint[]; routes: RouteTraffic[]; tokens: RefusedToken[] };

/** Routes and tokens that are shown: those that were refused most. */
export const TOP = 20;

export const MINUTE_SECONDS = 60;
export const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
/** For how long decisions are known by the minute, and by the hour. */
export const MINUTES_KEPT_SECONDS = DAY_SECONDS;
export const HOURS_KEPT_SECONDS = 30 * DAY_SECONDS;

/** Of one shard, as far as it is needed to add up with the others. */
export type TrafficPart = {
  steps: { at: number; decisions: DecisionCounts }[];
  tokens: RefusedToken[];
};

/** Cells of minutes or hours, put together to the steps that were asked for. */
export function stepsOf(
  cells: readonly { at: number; decisions: DecisionCounts }[],
  cellSeconds: number,
  { since, step_seconds, route }: TrafficQuery,
): TrafficPart["steps"] {
  const steps = new Map<number, DecisionCounts>();
  for (const { at, decisions } of cells) {
    const step = Math.floor((at * cellSeconds - since) / step_seconds);
    const wanted = route === undefined ? decisions : onlyOf(decisions, route);
    const begins = since + step * step_seconds;
    steps.set(begins, sumOfDecisions(steps.get(begins) ?? {}, wanted));
  }
  return Array.from(steps, ([at, decisions]) => ({ at, decisions }));
}

/** What all shards know, as it is answered. */
export function viewOf(parts: readonly TrafficPart[]): TrafficView {
  const steps = new Map<number, DecisionCounts>();
  const tokens = new Map<string, RefusedToken>();
  for (const part of parts) {
    for (const { at, decisions } of part.steps) {
      steps.set(at, sumOfDecisions(steps.get(at) ?? {}, decisions));
    }
    for (const { iss, jti, refused } of part.tokens) {
      const key = `${iss} ${jti}`;
      tokens.set(key, { iss, jti, refused: (tokens.get(key)?.refused ?? 0) + refused });
    }
  }
  const all = [...steps.values()].reduce<DecisionCounts>((sum, step) => sumOfDecisions(sum, step), {});
  return {
    series: Array.from(steps, ([at, decisions]) => ({ at, ...countsOf(Object.values(decisions)) }))
      .filter(({ allow, refuse }) => allow + refuse > 0)
      .sort((a, b) => a.at - b.at),
    routes: Object.entries(all)
      .map(([route, reasons]) => ({ route, ...countsOf([reasons]) }))
      .filter(({ refuse }) => refuse > 0)
      .sort((a, b) => b.refuse - a.refuse || (a.route < b.route ? -1 : 1))
      .slice(0, TOP),
    tokens: [...tokens.values()]
      .sort((a, b) => b.refused - a.refused || (a.jti < b.jti ? -1 : 1))
      .slice(0, TOP),
  };
}

function onlyOf(decisions: DecisionCounts, route: string): DecisionCounts {
  return Object.hasOwn(decisions, route) ? { [route]: decisions[route]! } : {};
}

function countsOf(each: readonly { [reason: string]: number }[]): Counts {
  const counts: Counts = { allow: 0, refuse: 0, reasons: {} };
  for (const reasons of each) {
    for (const [reason, count] of Object.entries(reasons)) {
      counts[outcomeOf(reason)] += count;
      counts.reasons[reason] = (counts.reasons[reason] ?? 0) + count;
    }
  }
  return counts;
}
