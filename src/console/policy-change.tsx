import { Command } from "./command.tsx";
import { Confirm } from "./confirm.tsx";
import type { DecidedOtherwiseView, PolicyCheckView } from "./operator-wire.ts";
import { PolicyDiff } from "./policy-diff.tsx";
import { documentText, POLICY } from "./policy-page.tsx";
import { requestPath } from "./request-view.tsx";
import { portcullisText } from "./shell-text.ts";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Table } from "./table.tsx";
import type { Visitor } from "./visitor.ts";

type Props = {
  check: PolicyCheckView;
  visitor: Pick<Visitor, "csrfToken">;
  /** The document in force. */
  inForce: object;
  wanted: WantedPolicy;
};

/** What is put: a document over a version, or an old version as it was. */
export type WantedPolicy = { document: object; over: number } | { version: number };

/** What a policy would change, before the button that puts it. */
export function PolicyChange({ check, visitor, inForce, wanted }: Props) {
  const isNew = "document" in wanted;
  return (
    <>
      <Confirm
        action={isNew ? POLICY : `${POLICY}/versions/${wanted.version}/activate`}
        visitor={visitor}
        verb={isNew ? "Put it into force" : `Go back to version ${wanted.version}`}
        back={POLICY}
        fields={isNew ? { document: documentText(wanted.document), version: String(wanted.over) } : {}}
      >
        <p>
          Every edge follows within the bound of each route. A route that is removed refuses every request
          from then on; grants that were given stay until they end or are revoked.
        </p>
        <Changes changes={check.changes} />
        {check.warnings.length === 0 ? null : (
          <>
            <h2>Warnings</h2>
            <ul class="risks">
              {check.warnings.map((warning) => (
                <li>{warning}</li>
              ))}
            </ul>
          </>
        )}
        <PolicyDiff before={documentText(inForce)} after={documentText(check.document)} />
        <Simulated {...check} />
      </Confirm>
      {isNew ? null : (
        <Command
          label="The same from a shell"
          text={portcullisText(["policy", "rollback", String(wanted.version)])}
        />
      )}
    </>
  );
}

type Section = PolicyCheckView["changes"][string] & { name: string };

const SECTIONS: Column<Section>[] = [
  { head: "Section", isHead: true, cell: ({ name }) => name.replaceAll("_", " ") },
  { head: "New", cell: ({ added }) => <Names names={added} /> },
  { head: "Removed", cell: ({ removed }) => <Names names={removed} tone="bad" /> },
  {
    head: "Changed",
    cell: ({ changed, reordered }) => (
      <>
        <Names names={changed} />
        {reordered ? " in another order" : null}
      </>
    ),
  },
];

function Changes({ changes }: Pick<PolicyCheckView, "changes">) {
  const sections = Object.entries(changes)
    .map(([name, section]) => ({ name, ...section }))
    .filter((each) => each.reordered || each.added.length + each.removed.length + each.changed.length > 0);
  if (sections.length === 0) return <p class="notice">It changes nothing that is compared by name.</p>;
  return <Table caption="What it changes against what is in force" columns={SECTIONS} rows={sections} />;
}

function Names({ names, tone }: { names: readonly string[]; tone?: string }) {
  if (names.length === 0) return <>–</>;
  return (
    <ul class="scopes">
      {names.map((name) => (
        <li>{tone === undefined ? <code>{name}</code> : <span class={`badge ${tone}`}>{name}</span>}</li>
      ))}
    </ul>
  );
}

const DECIDED: Column<DecidedOtherwiseView>[] = [
  { head: "Who", isHead: true, cell: ({ id, requester }) => <a href={requestPath(id)}>{requester}</a> },
  { head: "On", cell: ({ resource }) => <code>{resource}</code> },
  { head: "Was", cell: ({ was }) => <StateBadge state={was} /> },
  { head: "Would be", cell: ({ would_be: would }) => <StateBadge state={would} /> },
  { head: "Because", cell: ({ detail }) => detail ?? "–" },
];

function Simulated({ simulation }: Pick<PolicyCheckView, "simulation">) {
  if (simulation?.replayed === undefined) return null;
  const { replayed, decided_otherwise: otherwise = [] } = simulation;
  return (
    <>
      <h2>The latest requests, decided again</h2>
      {otherwise.length === 0 ? (
        <p>All {replayed} would have been decided as they were.</p>
      ) : (
        <Otherwise of={replayed} rows={otherwise} />
      )}
    </>
  );
}

/** Enough to see what happens; the button stands below. */
const SHOWN_AT_ONCE = 8;

function Otherwise({ of, rows }: { of: number; rows: readonly DecidedOtherwiseView[] }) {
  const more = rows.slice(SHOWN_AT_ONCE);
  return (
    <>
      <Table
        caption={`${rows.length} of ${of} would have been decided otherwise`}
        columns={DECIDED}
        rows={rows.slice(0, SHOWN_AT_ONCE)}
      />
      {more.length === 0 ? null : (
        <details>
          <summary>The other {more.length}</summary>
          <Table caption="Further requests" columns={DECIDED} rows={more} />
        </details>
      )}
    </>
  );
}
