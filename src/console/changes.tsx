import type { Change } from "./editing.ts";
import { type Column, Table } from "./table.tsx";

const COLUMNS: Column<Change>[] = [
  { head: "What", isHead: true, cell: ({ what }) => what },
  {
    head: "Now",
    cell: ({ before, after }) => <Values of={before} others={after} word="removed" tone="bad" />,
  },
  {
    head: "Then",
    cell: ({ before, after }) => <Values of={after} others={before} word="new" tone="waiting" />,
  },
];

/** What an edit changes, before the button that does it; `consequences` say what that means. */
export function Changes({ of, consequences }: { of: readonly Change[]; consequences: readonly string[] }) {
  return (
    <>
      <Table caption="What changes" columns={COLUMNS} rows={of} />
      {consequences.length === 0 ? null : (
        <ul class="risks">
          {consequences.map((each) => (
            <li>{each}</li>
          ))}
        </ul>
      )}
    </>
  );
}

type ValuesProps = { of: readonly string[]; others: readonly string[]; word: string; tone: string };

/** What only this side has is marked. */
function Values({ of, others, word, tone }: ValuesProps) {
  if (of.length === 0) return <>–</>;
  return (
    <ul class="scopes">
      {of.map((value) => (
        <li>
          <code>{value}</code>
          {others.includes(value) ? null : <span class={`badge ${tone}`}>{word}</span>}
        </li>
      ))}
    </ul>
  );
}
