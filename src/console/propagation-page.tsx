import { countText } from "./blast.tsx";
import { Figure, percent } from "./figure.tsx";
import { Empty } from "./notice.tsx";
import { type PropagationView, type SummaryView, TIERS, type Tier } from "./operator-wire.ts";
import { type Column, Table } from "./table.tsx";

type Measured = SummaryView & { tier: Tier };
type Bucket = { at_most_ms: number | null; decisions: number };

/** What the canary measured of the last day against what receipts promise, and how old the edges' memory was. */
export function PropagationPage({
  propagation: { tiers, replica_age: ages },
}: {
  propagation: PropagationView;
}) {
  const measured = TIERS.flatMap((tier) => (tiers[tier] ? [{ ...tiers[tier], tier }] : []));
  return (
    <>
      <p>
        Once a minute the canary mints a token, revokes it, and asks until it is refused. The upright line is
        what a receipt promises.
      </p>
      {measured.length === 0 ? (
        <Empty title="Nothing is measured yet">The canary runs once a minute; come back in a few.</Empty>
      ) : (
        <>
          {measured.map((each) => (
            <Times of={each} />
          ))}
          <Table caption="The canary's times of the last 24 hours" columns={COLUMNS} rows={measured} />
        </>
      )}
      <h2>How old the memory was that requests were decided by</h2>
      {TIERS.map((tier) => (
        <Ages tier={tier} buckets={ages[tier]} />
      ))}
    </>
  );
}

const QUANTILES = ["p50", "p95", "p99", "max"] as const;

function Times({ of }: { of: Measured }) {
  const whole = Math.max(of.promise_ms, of.max, 1) * 1.05;
  return (
    <Figure
      caption={`${of.tier}: ${countText(of.count, "revocation")}, ${of.broken === 0 ? "every promise kept" : `${countText(of.broken, "promise")} broken`}`}
      from="0 ms"
      until={msText(whole)}
      rows={QUANTILES.map((name) => ({
        label: `${name}: ${msText(of[name])}`,
        picture: (
          <>
            <rect
              class={of[name] > of.promise_ms && of.broken > 0 ? "bar bad" : "bar good"}
              x="0"
              y="4"
              width={percent(of[name] / whole)}
              height="12"
            />
            <line
              class="now"
              x1={percent(of.promise_ms / whole)}
              x2={percent(of.promise_ms / whole)}
              y1="0"
              y2="20"
            />
          </>
        ),
      }))}
    />
  );
}

const COLUMNS: Column<Measured>[] = [
  { head: "Routes", isHead: true, cell: ({ tier }) => tier },
  { head: "Promise", cell: ({ promise_ms: ms }) => msText(ms) },
  { head: "Measured", cell: ({ count }) => `${count} times` },
  { head: "Median", cell: ({ p50 }) => msText(p50) },
  { head: "95 %", cell: ({ p95 }) => msText(p95) },
  { head: "99 %", cell: ({ p99 }) => msText(p99) },
  { head: "Slowest", cell: ({ max }) => msText(max) },
  {
    head: "Broken",
    cell: ({ broken }) => (broken === 0 ? "none" : <span class="badge bad">{broken} broken</span>),
  },
];

function Ages({ tier, buckets }: { tier: Tier; buckets: readonly Bucket[] }) {
  const total = buckets.reduce((sum, { decisions }) => sum + decisions, 0);
  if (total === 0) return <p class="quiet">{tier}: no decisions in the last 24 hours.</p>;
  const most = Math.max(...buckets.map(({ decisions }) => decisions));
  const columns: Column<Bucket>[] = [
    { head: "Age", isHead: true, cell: (bucket) => ageText(bucket, buckets) },
    { head: "Decisions", cell: ({ decisions }) => decisions.toLocaleString("en") },
  ];
  return (
    <>
      <Figure
        caption={`${tier}: ${total.toLocaleString("en")} decisions`}
        from="0"
        until={most.toLocaleString("en")}
        rows={buckets.map((bucket) => ({
          label: ageText(bucket, buckets),
          picture: <rect class="bar" x="0" y="4" width={percent(bucket.decisions / most)} height="12" />,
        }))}
      />
      <details>
        <summary>The same as a table</summary>
        <Table
          caption={`Decisions on ${tier} routes by age of the memory`}
          columns={columns}
          rows={buckets}
        />
      </details>
    </>
  );
}

function ageText({ at_most_ms: ms }: Bucket, buckets: readonly Bucket[]): string {
  if (ms !== null) return `up to ${msText(ms)}`;
  const last = buckets.findLast(({ at_most_ms }) => at_most_ms !== null)?.at_most_ms;
  return last ? `over ${msText(last)}` : "older";
}

/** `850 ms`, `1.3 s`. */
export function msText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
