import { dateText, durationText } from "./duration.ts";
import { FilterForm, FilterSelect, FilterText } from "./filter-form.tsx";
import { Empty } from "./notice.tsx";
import { address, type Column, Table } from "./table.tsx";
import {
  filledSteps,
  type PointView,
  RANGES,
  type RangeName,
  type ReasonSeries,
  refusalReasons,
  type TrafficView,
} from "./traffic.ts";
import { Bars } from "./traffic-chart.tsx";

export const TRAFFIC = "/console/traffic";
export const WHY = "/console/why";

type Props = { traffic: TrafficView; range: RangeName; route: string | undefined; seesDecisions: boolean };

/** Decisions over time, why requests were refused, and which routes and tokens most. */
export function TrafficPage({ traffic, range, route, seesDecisions }: Props) {
  const steps = filledSteps(traffic);
  return (
    <>
      <FilterForm action={TRAFFIC}>
        <FilterSelect
          name="range"
          label="Time"
          options={Object.keys(RANGES).slice(1)}
          any={RANGES.hour.label}
          value={range}
          textOf={(name) => RANGES[name as RangeName].label}
        />
        <FilterText name="route" label="Route" value={route} />
      </FilterForm>
      {traffic.series.length === 0 ? (
        <Empty title="No decision in this time">
          Decisions of the gate are counted here within seconds; by the minute for a day, by the hour for 30
          days.
        </Empty>
      ) : (
        <>
          <OverTime steps={steps} traffic={traffic} />
          <Reasons steps={steps} seesDecisions={seesDecisions} />
        </>
      )}
      <Routes routes={traffic.routes} range={range} />
      <Tokens tokens={traffic.tokens} seesDecisions={seesDecisions} />
    </>
  );
}

function OverTime({ steps, traffic }: { steps: readonly PointView[]; traffic: TrafficView }) {
  const { since, until, step_seconds: step } = traffic;
  return (
    <section aria-labelledby="over-time">
      <h2 id="over-time">Decisions over time</h2>
      <Series name="Let through" tone="good" counts={steps.map(({ allow }) => allow)} step={step} />
      <Series name="Refused" tone="bad" counts={steps.map(({ refuse }) => refuse)} step={step} />
      <p class="chart-edges">
        <span>{dateText(since)}</span>
        <span>{dateText(until)}</span>
      </p>
      <details>
        <summary>As a table</summary>
        <Table
          caption="Steps in which something was decided, newest first"
          columns={STEP_COLUMNS}
          rows={steps.filter(({ allow, refuse }) => allow + refuse > 0).toReversed()}
        />
      </details>
    </section>
  );
}

type SeriesProps = { name: string; tone: "good" | "bad"; counts: readonly number[]; step: number };

function Series({ name, tone, counts, step }: SeriesProps) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return (
    <figure class="series">
      <figcaption>
        <strong>{name}</strong> {numberText(total)}{" "}
        <span class="quiet">
          at most {numberText(Math.max(...counts))} in {durationText(step)}
        </span>
      </figcaption>
      <Bars counts={counts} tone={tone} />
    </figure>
  );
}

const STEP_COLUMNS: Column<PointView>[] = [
  { head: "From", isHead: true, cell: ({ at }) => dateText(at) },
  { head: "Let through", cell: ({ allow }) => numberText(allow) },
  { head: "Refused", cell: ({ refuse }) => numberText(refuse) },
  { head: "Why refused", cell: reasonsText },
];

function Reasons({ steps, seesDecisions }: { steps: readonly PointView[]; seesDecisions: boolean }) {
  const reasons = refusalReasons(steps);
  if (reasons.length === 0) return null;
  const columns: Column<ReasonSeries>[] = [
    {
      head: "Reason",
      isHead: true,
      cell: ({ reason }) =>
        seesDecisions ? <a href={address(WHY, { reason })}>{spaced(reason)}</a> : spaced(reason),
    },
    { head: "Refused", cell: ({ refused }) => numberText(refused) },
    { head: "Over time", cell: (each) => <Bars counts={each.steps} tone="bad" /> },
  ];
  return <Table caption="Why requests were refused" columns={columns} rows={reasons} />;
}

function Routes({ routes, range }: { routes: TrafficView["routes"]; range: RangeName }) {
  if (routes.length === 0) return null;
  const columns: Column<TrafficView["routes"][number]>[] = [
    {
      head: "Route",
      isHead: true,
      cell: ({ route }) => <a href={address(TRAFFIC, { range, route })}>{route}</a>,
    },
    { head: "Refused", cell: ({ refuse }) => numberText(refuse) },
    {
      head: "Of its decisions",
      cell: ({ allow, refuse }) => `${Math.round((refuse / Math.max(1, allow + refuse)) * 1000) / 10} %`,
    },
    { head: "Why refused", cell: reasonsText },
  ];
  return (
    <section aria-labelledby="routes">
      <h2 id="routes">Routes</h2>
      <Table caption="Routes that were refused most" columns={columns} rows={routes} />
    </section>
  );
}

function Tokens({ tokens, seesDecisions }: { tokens: TrafficView["tokens"]; seesDecisions: boolean }) {
  if (tokens.length === 0) return null;
  const columns: Column<TrafficView["tokens"][number]>[] = [
    {
      head: "Token id",
      isHead: true,
      cell: ({ jti }) =>
        seesDecisions ? (
          <a href={address(WHY, { jti })}>
            <code>{jti}</code>
          </a>
        ) : (
          <code>{jti}</code>
        ),
    },
    { head: "Issuer", cell: ({ iss }) => iss },
    { head: "Refused", cell: ({ refused }) => numberText(refused) },
  ];
  return (
    <section aria-labelledby="tokens">
      <h2 id="tokens">Tokens</h2>
      <Table caption="Tokens that were refused most, by the hour" columns={columns} rows={tokens} />
    </section>
  );
}

function reasonsText(counts: Pick<PointView, "reasons">): string {
  return refusalReasons([counts])
    .map(({ reason, refused }) => `${spaced(reason)} ${numberText(refused)}`)
    .join(", ");
}

function spaced(name: string): string {
  return name.replaceAll("_", " ");
}

function numberText(count: number): string {
  return count.toLocaleString("en");
}
