import type { DryRunView, WouldCutView } from "./operator-wire.ts";
import { type Column, Table } from "./table.tsx";
import { Time } from "./time.tsx";

type CutToken = DryRunView["sample"][number];

type BlastProps = {
  dryRun: DryRunView;
  now: number;
  /** When it would: "If it leaked: ". */
  title?: string;
};

/** What a revocation would cut now: how much, and the first of the tokens. */
export function Blast({ dryRun, now, title = "" }: BlastProps) {
  const { would_cut: cut, exact, sample } = dryRun;
  return (
    <section aria-labelledby="blast">
      <h2 id="blast">
        {title}
        {cutText(cut, exact)}
      </h2>
      <p class="quiet">
        Live access tokens of ours as of now. Tokens of identity providers are refused just as well, but
        nobody counts them.
      </p>
      {sample.length === 0 ? null : (
        <details>
          <summary>
            {sample.length < cut.tokens ? `The first ${sample.length} of them` : "Which ones"}
          </summary>
          <Table caption="Live tokens that would be refused" columns={columns(now)} rows={sample} />
        </details>
      )}
    </section>
  );
}

/** `Cuts 12 tokens of 3 subjects, 1 grant, 2 clients`. */
export function cutText({ tokens, grants, subjects, clients }: WouldCutView, exact: boolean): string {
  if (tokens === 0) return exact ? "Cuts no live token" : "Cuts no live token that is known of";
  const held = [countText(subjects, "subject"), countText(grants, "grant"), countText(clients, "client")];
  return `Cuts ${exact ? "" : "at least "}${countText(tokens, "live token")} of ${held.join(", ")}`;
}

/** `1 token`, `2,000 tokens`. */
export function countText(n: number, what: string): string {
  return `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
}

function columns(now: number): Column<CutToken>[] {
  return [
    { head: "Token", isHead: true, cell: ({ jti }) => <code>{jti}</code> },
    { head: "Who", cell: ({ sub }) => sub },
    { head: "Client", cell: ({ client_id: id }) => <code>{id}</code> },
    { head: "Grant", cell: ({ grant }) => (grant === undefined ? "–" : <code>{grant}</code>) },
    { head: "Would end", cell: ({ exp }) => <Time at={exp} now={now} /> },
  ];
}
