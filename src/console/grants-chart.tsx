import { dateText } from "./duration.ts";
import { Figure, percent } from "./figure.tsx";
import type { GrantView } from "./wire.ts";

/** A stretch of time, epoch seconds. */
type Window = { from: number; until: number };

/** When a grant ended, or is to end. */
export function endOf({ revoked_at, used_up_at, access_expiry }: GrantView): number {
  return revoked_at ?? used_up_at ?? access_expiry;
}

/** From the first beginning to the last end, with now in it and a little room around. */
export function windowOf(grants: readonly GrantView[], now: number): Window {
  const from = Math.min(now, ...grants.map(({ access_start }) => access_start));
  const until = Math.max(now, ...grants.map(({ access_expiry }) => access_expiry));
  const room = Math.max(60, Math.round((until - from) * 0.03));
  return { from: from - room, until: until + room };
}

/** Who has what, from when until when, and where now is. The table below it says the same. */
export function GrantsChart({ grants, now }: { grants: readonly GrantView[]; now: number }) {
  const window = windowOf(grants, now);
  return (
    <Figure
      caption="Who has what, from when until when. The upright line is now; what was cut short is drawn faintly to where it would have ended."
      from={dateText(window.from)}
      until={dateText(window.until)}
      rows={grants.map((grant) => ({
        label: `${grant.subject}: ${grant.resource}`,
        picture: <Bar grant={grant} window={window} now={now} />,
      }))}
    />
  );
}

const TONES: Partial<Record<GrantView["state"], string>> = {
  active: "bar good",
  scheduled: "bar waiting",
  revoked: "bar bad",
};

function Bar({ grant, window, now }: { grant: GrantView; window: Window; now: number }) {
  const at = (moment: number) => percent((moment - window.from) / (window.until - window.from));
  const length = (from: number, until: number) =>
    percent(Math.max(0, until - from) / (window.until - window.from));
  const { access_start: start, access_expiry: expiry } = grant;
  const end = Math.max(start, Math.min(endOf(grant), expiry));
  return (
    <>
      <rect class="bar rest" x={at(start)} width={length(start, expiry)} y="6" height="8" />
      <rect class={TONES[grant.state] ?? "bar"} x={at(start)} width={length(start, end)} y="4" height="12" />
      <line class="now" x1={at(now)} x2={at(now)} y1="0" y2="20" />
    </>
  );
}
