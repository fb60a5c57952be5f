import { Confirm } from "./confirm.tsx";
import { durationText } from "./duration.ts";
import { Field } from "./form.tsx";
import { Scopes } from "./state-badge.tsx";
import { type Column, Table } from "./table.tsx";
import type { Visitor } from "./visitor.ts";
import type { RequestView } from "./wire.ts";

const COLUMNS: Column<RequestView>[] = [
  { head: "Who", cell: ({ requester }) => requester, isHead: true },
  { head: "On", cell: ({ resource }) => <code>{resource}</code> },
  { head: "Asks for", cell: ({ scope }) => <Scopes scopes={scope.split(" ")} /> },
  { head: "How long", cell: ({ duration_seconds: seconds }) => durationText(seconds) },
  { head: "Why", cell: ({ justification }) => justification },
];

type Props = { requests: readonly RequestView[]; visitor: Pick<Visitor, "csrfToken"> };

/** Which requests will be denied, and with what comment. */
export function BulkDenial({ requests, visitor }: Props) {
  const count = requests.length === 1 ? "1 request" : `${requests.length} requests`;
  return (
    <Confirm
      action="/console/inbox/deny"
      visitor={visitor}
      verb={`Deny ${count}`}
      back="/console/inbox"
      fields={{ id: requests.map(({ id }) => id) }}
    >
      <Table caption={`${count} will be denied, for good`} columns={COLUMNS} rows={requests} />
      <Field name="comment" label="Comment, seen by each who asks">
        {(field) => <textarea {...field} rows={2} maxlength={2000}></textarea>}
      </Field>
    </Confirm>
  );
}
