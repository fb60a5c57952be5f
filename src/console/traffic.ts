import type { Traffic } from "../client/contract.ts";

export type TrafficView = Traffic;
/** Decisions of one step, which begins at a moment in epoch seconds. */
export type PointView = Traffic["series"][number];

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;

/** How far back one looks, in how many steps. What is older than a day is known by the hour. */
export const RANGES = {
  hour: { label: "Last hour", seconds: HOUR_SECONDS, step_seconds: 60 },
  "6-hours": { label: "Last 6 hours", seconds: 6 * HOUR_SECONDS, step_seconds: 300 },
  day: { label: "Last day", seconds: DAY_SECONDS - 60, step_seconds: 900 },
  week: { label: "Last 7 days", seconds: 7 * DAY_SECONDS, step_seconds: 2 * HOUR_SECONDS },
  month: { label: "Last 30 days", seconds: 30 * DAY_SECONDS - HOUR_SECONDS, step_seconds: 8 * HOUR_SECONDS },
} as const;

export type RangeName = keyof typeof RANGES;

/** The range of this name, else the last hour. */
export function rangeOf(name: string | undefined): RangeName {
  return name !== undefined && Object.hasOwn(RANGES, name) ? (name as RangeName) : "hour";
}

/** Every step, those without a decision too. */
export function filledSteps({ since, until, step_seconds: step, series }: TrafficView): PointView[] {
  const known = new Map(series.map((point) => [point.at, point]));
  return Array.from({ length: Math.round((until - since) / step) }, (_, n) => {
    const at = since + n * step;
    return known.get(at) ?? { at, allow: 0, refuse: 0, reasons: {} };
  });
}

/** Acceptances have reasons too; these are they. */
const ALLOWED: ReadonlySet<string> = new Set(["token", "public", "vouched"]);

export type ReasonSeries = { reason: string; refused: number; steps: number[] };

/** Why requests were refused, the most frequent first, each step by step. */
export function refusalReasons(steps: readonly Pick<PointView, "reasons">[]): ReasonSeries[] {
  const names = new Set(steps.flatMap(({ reasons }) => Object.keys(reasons)));
  return [...names]
    .filter((reason) => !ALLOWED.has(reason))
    .map((reason) => {
      const counts = steps.map(({ reasons }) => (Object.hasOwn(reasons, reason) ? reasons[reason]! : 0));
      return { reason, refused: counts.reduce((sum, count) => sum + count, 0), steps: counts };
    })
    .sort((a, b) => b.refused - a.refused || (a.reason < b.reason ? -1 : 1));
}
