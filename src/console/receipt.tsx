import { durationText } from "./duration.ts";
import { type ReceiptView, TIERS, type Tier } from "./operator-wire.ts";
import { type Column, Table } from "./table.tsx";
import { Countdown } from "./time.tsx";

const ROUTES: Record<Tier, string> = {
  strict: "strict: the log is read for each request",
  bounded: "bounded: memory, asked for a moment ago",
  eventual: "eventual: memory of a minute, or the KV denylist",
};

/** By when a change holds on each tier of routes, and how far it is; a page that is opened again shows it without scripts. */
export function Propagation({ receipt, now }: { receipt: ReceiptView; now: number }) {
  const left = tiersLeft(receipt, now);
  return (
    <section aria-labelledby="receipt">
      <h2 id="receipt">
        {left === 0 ? "In force everywhere" : `In force on ${3 - left} of 3 kinds of routes`}
      </h2>
      <Table caption="The receipt: by when it is refused" columns={columns(receipt, now)} rows={TIERS} />
      <p class="quiet">
        Receipt <code>{receipt.id}</code>, entry {receipt.seq} of the log, accepted at{" "}
        <Clock at={receipt.accepted_at} />.
      </p>
    </section>
  );
}

/** On how many tiers it may not hold yet. What is due when it was accepted holds: there would be no receipt otherwise. */
export function tiersLeft({ accepted_at, effective_by: by }: ReceiptView, now: number): number {
  return TIERS.filter((tier) => by[tier] > Math.max(now, accepted_at)).length;
}

function columns({ accepted_at: from, effective_by: by }: ReceiptView, now: number): Column<Tier>[] {
  return [
    { head: "Routes", isHead: true, cell: (tier) => ROUTES[tier] },
    { head: "At the latest", cell: (tier) => <Clock at={by[tier]} /> },
    {
      head: "Within",
      cell: (tier) => (by[tier] - from < 1 ? "at once" : durationText(Math.round(by[tier] - from))),
    },
    { head: "Now", cell: (tier) => <Progress tier={tier} from={from} until={by[tier]} now={now} /> },
  ];
}

type ProgressProps = { tier: Tier; from: number; until: number; now: number };

/** The countdown ends where the whole second has passed. */
function Progress({ tier, from, until, now }: ProgressProps) {
  const begin = Math.floor(from);
  const end = until <= from ? begin : Math.ceil(until);
  return (
    <>
      <progress
        aria-label={`Propagation to ${tier} routes`}
        max={String(Math.max(1, end - begin))}
        value={String(Math.max(0, Math.min(end, now) - begin))}
        data-from={begin}
      />{" "}
      <Countdown until={end} now={now} over="in force" />
    </>
  );
}

/** `11:05:23.250 UTC`: a moment with its milliseconds. */
export function Clock({ at }: { at: number }) {
  const text = new Date(Math.round(at * 1000)).toISOString();
  return <time datetime={text}>{text.slice(11, 23)} UTC</time>;
}
