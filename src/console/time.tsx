import { dateText, durationText } from "./duration.ts";

/** A moment: when exactly, and how far from `now` where that is given. Epoch seconds. */
export function Time({ at, now }: { at: number; now?: number }) {
  return (
    <time datetime={new Date(at * 1000).toISOString()}>
      <span>{dateText(at)}</span>
      {now === undefined ? null : (
        <>
          {" "}
          <span class="quiet">({distanceText(at, now)})</span>
        </>
      )}
    </time>
  );
}

/** From a minute on, seconds say nothing: `4 min ago`, `in 1 h 30 min`. */
function distanceText(at: number, now: number): string {
  const seconds = Math.abs(at - now);
  const distance = durationText(seconds < 60 ? seconds : seconds - (seconds % 60));
  return at > now ? `in ${distance}` : `${distance} ago`;
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
