import { DETECTION_KINDS } from "../protocol/detection.ts";
import { FilterForm, FilterSelect, FilterText } from "./filter-form.tsx";
import { cutText, shortAbout } from "./firing.ts";
import { Empty } from "./notice.tsx";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Countdown, Time } from "./time.tsx";
import type { DetectionView, FiringView, OutcomeView } from "./watch-wire.ts";

export const DETECTIONS = "/console/detections";

export type DetectionFilters = Record<"kind" | "sub" | "jti" | "address" | "cursor", string | undefined>;

type Props = {
  held: readonly FiringView[];
  /** More are held than are shown. */
  moreHeld: boolean;
  detections: readonly DetectionView[];
  now: number;
  version: string;
  query: DetectionFilters;
  next: string | undefined;
};

export function detectionPath(id: string): string {
  return `${DETECTIONS}/${encodeURIComponent(id.toWellFormed())}`;
}

/** What waits for a person, then everything that was noticed and what was done about it. */
export function DetectionsPage({ held, moreHeld, detections, now, version, query, next }: Props) {
  return (
    <>
      <p>
        <a href={`${DETECTIONS}/firings`}>All firings of rules, those in the shadow too</a>
      </p>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        {held.length === 0 ? null : (
          <section aria-labelledby="held">
            <h2 id="held">Waits for you</h2>
            {held.map((firing) => (
              <HeldCard firing={firing} now={now} />
            ))}
            {moreHeld ? <a href={`${DETECTIONS}/firings?state=held`}>All that is held</a> : null}
          </section>
        )}
        <section aria-labelledby="noticed">
          <h2 id="noticed">Noticed</h2>
          <FilterForm action={DETECTIONS}>
            <FilterSelect name="kind" label="Kind" options={DETECTION_KINDS} value={query.kind} />
            <FilterText name="sub" label="Subject" value={query.sub} />
            <FilterText name="jti" label="Token id" value={query.jti} />
            <FilterText name="address" label="Address" value={query.address} />
          </FilterForm>
          {detections.length === 0 ? (
            <Empty title="Nothing was noticed">
              Forged, expired and revoked tokens in use, tokens in many places, and what else the policy looks
              for are listed here for 30 days.
            </Empty>
          ) : (
            <Table caption="Detections, newest first" columns={columns(now)} rows={detections} />
          )}
        </section>
      </div>
      <Pager path={DETECTIONS} query={query} next={next} />
    </>
  );
}

function HeldCard({ firing, now }: { firing: FiringView; now: number }) {
  const title = `held-${firing.id}`;
  return (
    <article class="card" aria-labelledby={title}>
      <header>
        <h3 id={title}>
          <a href={detectionPath(firing.detection_id)}>
            {firing.rule_id}: {kindText(firing.detection_kind)}
          </a>
        </h3>
        <Countdown until={firing.held?.until ?? now} now={now} over="too late to confirm" />
      </header>
      <p>{cutText(firing)}, which is more than the rule may by itself.</p>
      <p class="quiet">{targetsOf(firing)}</p>
    </article>
  );
}

/** Whom it is for, each once. */
function targetsOf({ actions }: FiringView): string {
  return [...new Set(actions.map(({ on }) => shortAbout(on ?? {})))].filter((on) => on !== "").join("; ");
}

function columns(now: number): Column<DetectionView>[] {
  return [
    {
      head: "What",
      isHead: true,
      cell: ({ id, kind }) => <a href={detectionPath(id)}>{kindText(kind)}</a>,
    },
    { head: "About", cell: ({ about }) => shortAbout(about) || "–" },
    { head: "Counted", cell: ({ count, threshold }) => `${count} (from ${threshold})` },
    { head: "Done", cell: ({ outcomes }) => <Outcomes of={outcomes} /> },
    { head: "When", cell: ({ at }) => <Time at={at} now={now} /> },
  ];
}

function Outcomes({ of }: { of: readonly OutcomeView[] }) {
  if (of.length === 0) return <span class="quiet">no rule for it</span>;
  return (
    <ul class="plain">
      {of.map(({ rule_id: rule, outcome }) => (
        <li>
          <StateBadge state={outcome} /> <span class="quiet">{rule}</span>
        </li>
      ))}
    </ul>
  );
}

/** `token_many_countries` as words. */
export function kindText(kind: string): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("_", " ");
}
