import { dateText, durationText } from "./duration.ts";

/** A moment: when exactly, and how far from now. Epoch seconds. */
export function Time({ at, now }: { at: number; now: number }) {
  const distance = Math.abs(at - now);
  const relative = at > now ? `in ${durationText(distance)}` : `${durationText(distance)} ago`;
  return (
    <time datetime={new Date(at * 1000).toISOString()}>
      {dateText(at)} <span class="quiet">({relative})</span>
    </time>
  );
}

/** The time that is left, which counts down where scripts run. `over`: what is said when none is. */
export function Countdown({ until, now, over = "over" }: { until: number; now: number; over?: string }) {
  return (
    <time
      class="countdown"
      datetime={new Date(until * 1000).toISOString()}
      data-until={until}
      data-over={over}
    >
      {until > now ? `${durationText(until - now)} left` : over}
    </time>
  );
}
