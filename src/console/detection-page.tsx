import type { Problem } from "../protocol/problem.ts";
import { kindText } from "./detections-page.tsx";
import { durationText } from "./duration.ts";
import { Facts } from "./facts.tsx";
import { aboutText } from "./firing.ts";
import { FiringCard } from "./firing-card.tsx";
import { Empty, Refused } from "./notice.tsx";
import { StateBadge } from "./state-badge.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import type { DetectionView, FiringView } from "./watch-wire.ts";

type Props = {
  detection: DetectionView;
  firings: readonly FiringView[];
  visitor: Visitor;
  now: number;
  version: string;
  refusal?: Problem | undefined;
  /** What was sent with a confirmation that needs a passkey. */
  comment?: string | undefined;
};

/** One detection: what was noticed, and each rule that had to do with it. */
export function DetectionPage({ detection, firings, visitor, now, version, refusal, comment = "" }: Props) {
  const withPasskey = refusal?.code === "passkey_required" ? { comment } : undefined;
  const fired = new Map(firings.map((firing) => [firing.id, firing]));
  return (
    <>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        <Refused problem={refusal} />
        <Noticed detection={detection} now={now} />
        <h2>What was done</h2>
        {detection.outcomes.length === 0 ? (
          <Empty title="Nothing">No rule of the policy is for this.</Empty>
        ) : null}
        {detection.outcomes.map(({ rule_id: rule, outcome, remediation_id: id }) => {
          const firing = id === undefined ? undefined : fired.get(id);
          return firing ? (
            <FiringCard firing={firing} visitor={visitor} now={now} withPasskey={withPasskey} />
          ) : (
            <p>
              <code>{rule}</code> <StateBadge state={outcome} />
            </p>
          );
        })}
      </div>
    </>
  );
}

function Noticed({ detection, now }: Pick<Props, "detection" | "now">) {
  const { id, about, count, threshold, window_seconds: window, facts = {}, at } = detection;
  return (
    <>
      <Facts
        of={{
          When: <Time at={at} now={now} />,
          Counted: `${count}${window === 0 ? "" : ` within ${durationText(window)}`}; noticed from ${threshold}`,
          ...about,
          ...Object.fromEntries(
            Object.entries(facts).map(([name, value]) => [kindText(name), String(value)]),
          ),
        }}
      />
      {aboutText(about) === "" ? <p class="quiet">It names nobody.</p> : null}
      <p class="quiet">
        <code>{id}</code>
      </p>
    </>
  );
}
