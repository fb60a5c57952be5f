import type { DecisionRecord, DecisionTrace, TracedCheck } from "../protocol/decision-trace.ts";
import { checkText, demandText, remedyText } from "./explaining.ts";
import { Facts } from "./facts.tsx";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Table } from "./table.tsx";
import { Time } from "./time.tsx";

type Props = {
  /** A decision that was taken has more to tell than one that was only asked for. */
  decision: DecisionTrace & Partial<Omit<DecisionRecord, keyof DecisionTrace>>;
  now: number;
};

/** A decision: what, why, what would change it, and each check in order. */
export function DecisionView({ decision, now }: Props) {
  const { outcome, reason, status, remedies, checks, origin_fault: fault } = decision;
  return (
    <>
      <p>
        <StateBadge state={outcome === "allow" ? "let through" : "refused"} /> {reason.replaceAll("_", " ")}
        {outcome === "allow" ? "" : `, answered ${status}`}
        {fault === undefined
          ? ""
          : `; then the origin failed (${fault.replaceAll("_", " ")}), answered ${status}`}
      </p>
      {remedies.length === 0 ? null : (
        <section aria-labelledby="remedies">
          <h2 id="remedies">What would change it</h2>
          <ul>
            {remedies.map((remedy) => (
              <li>{remedyText(remedy)}</li>
            ))}
          </ul>
        </section>
      )}
      <h2>Checks</h2>
      <Table caption="In the order in which they are made" columns={COLUMNS} rows={checks} />
      <Circumstances decision={decision} now={now} />
    </>
  );
}

const COLUMNS: Column<TracedCheck>[] = [
  { head: "Check", isHead: true, cell: ({ check }) => checkText(check) },
  { head: "Outcome", cell: ({ outcome }) => <StateBadge state={outcome} /> },
  {
    head: "Asked for",
    cell: ({ demand, reason }) =>
      [demandText(demand), reason ?? ""].filter((text) => text !== "").join("; ") || "–",
  },
];

function Circumstances({ decision, now }: Props) {
  const { at, surface, method, route, origin, token, unverified, seq, replica_age_ms: age } = decision;
  const { address, country, asn } = decision;
  return (
    <>
      <h2>About it</h2>
      <Facts
        of={{
          When: at === undefined ? undefined : <Time at={Math.floor(at)} now={now} />,
          Through: surface?.replaceAll("_", " "),
          Method: method,
          Route: route,
          Origin: origin,
          Subject: token?.sub,
          Issuer: token?.iss,
          "Token id": token?.jti,
          Client: token?.client_id,
          Grant: token?.grant,
          Session: token?.session,
          "Says of itself, unverified": unverified && demandText(unverified),
          Address: address,
          Country: country,
          Network: asn === undefined ? undefined : `AS${asn}`,
          "Log entry": seq === undefined ? undefined : String(seq),
          "Revocation state":
            age === undefined ? undefined : `${Math.round(age).toLocaleString("en")} ms old`,
        }}
      />
      <p class="quiet">
        <code>{decision.decision_id}</code>
      </p>
    </>
  );
}
