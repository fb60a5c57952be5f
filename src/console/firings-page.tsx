import { DETECTIONS, detectionPath, kindText } from "./detections-page.tsx";
import { FilterForm, FilterSelect, FilterText } from "./filter-form.tsx";
import { actionText, shortAbout } from "./firing.ts";
import { Empty } from "./notice.tsx";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";
import { FIRING_STATES, type FiringView } from "./watch-wire.ts";

export const FIRINGS = `${DETECTIONS}/firings`;

type Props = {
  firings: readonly FiringView[];
  now: number;
  query: Record<"state" | "rule" | "cursor", string | undefined>;
  next: string | undefined;
};

/** Every time that a rule fired: those that acted, and what those in the shadow would have done. */
export function FiringsPage({ firings, now, query, next }: Props) {
  return (
    <>
      <p>
        <a href={DETECTIONS}>Detections</a>
      </p>
      <FilterForm action={FIRINGS}>
        <FilterSelect name="state" label="State" options={FIRING_STATES} value={query.state} />
        <FilterText name="rule" label="Rule" value={query.rule} />
      </FilterForm>
      {firings.length === 0 ? (
        <Empty title="No rule has fired">
          What the remediation rules of the policy did, or in the shadow would have done, is listed here for
          90 days.
        </Empty>
      ) : (
        <Table caption="Firings of remediation rules, newest first" columns={columns(now)} rows={firings} />
      )}
      <Pager path={FIRINGS} query={query} next={next} />
    </>
  );
}

function columns(now: number): Column<FiringView>[] {
  return [
    {
      head: "Rule",
      isHead: true,
      cell: ({ rule_id: rule, detection_id: id }) => <a href={detectionPath(id)}>{rule}</a>,
    },
    { head: "State", cell: ({ state }) => <StateBadge state={state} /> },
    { head: "Because of", cell: ({ detection_kind: kind }) => kindText(kind) },
    { head: "What", cell: ({ actions }) => <Actions of={actions} /> },
    {
      head: "Live tokens",
      cell: ({ would_cut: cut, would_hold: holds }) =>
        `${cut.toLocaleString("en")}${holds ? " (would have waited for a person)" : ""}`,
    },
    { head: "When", cell: ({ at }) => <Time at={at} now={now} /> },
  ];
}

function Actions({ of }: { of: FiringView["actions"] }) {
  return (
    <ul class="plain">
      {of.map((action) => (
        <li>
          {kindText(actionText(action))}
          {action.on === null || shortAbout(action.on) === "" ? "" : `: ${shortAbout(action.on)}`}
        </li>
      ))}
    </ul>
  );
}
