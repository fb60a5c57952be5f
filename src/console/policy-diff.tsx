import type { Child } from "hono/jsx";
import {
  type DiffLine,
  diffLines,
  type Hunk,
  hunkHead,
  hunksOf,
  MAX_CHANGED_LINES,
} from "../policy/line-diff.ts";

type Props = {
  /** The document in force, and the one that would be, as they are edited. */
  before: string;
  after: string;
};

/** What changes in a document, line by line, as a unified diff: each line says by its first sign what it is. */
export function PolicyDiff({ before, after }: Props) {
  const lines = diffLines(before, after);
  return (
    <section aria-labelledby="lines">
      <h2 id="lines">Line by line</h2>
      {lines === undefined ? (
        <p class="notice">
          More than {MAX_CHANGED_LINES.toLocaleString("en")} lines differ, which is too much to show here:
          compare the two documents with a tool of yours.
        </p>
      ) : (
        <Lines lines={lines} />
      )}
    </section>
  );
}

function Lines({ lines }: { lines: readonly DiffLine[] }) {
  const count = (mark: DiffLine["mark"]) => lines.filter((line) => line.mark === mark).length;
  const [added, removed] = [count("+"), count("-")];
  if (added + removed === 0) return <p>No line differs.</p>;
  const hunks = hunksOf(lines);
  const places = placesOf(lines, hunks);
  return (
    <>
      <p class="quiet">
        {linesText(added)} added, which begin with +; {linesText(removed)} removed, which begin with -.
      </p>
      <pre class="document diff" tabindex={0}>
        {hunks.map((hunk, i) => (
          <>
            <span class="quiet">{`${hunkHead(hunk)} ${places[i]}\n`}</span>
            {hunk.lines.map(shownLine)}
          </>
        ))}
      </pre>
    </>
  );
}

function shownLine({ mark, text }: DiffLine): Child {
  const line = `${mark}${text}\n`;
  if (mark === "+") return <ins>{line}</ins>;
  return mark === "-" ? <del>{line}</del> : line;
}

/** Where in the document each first change is: the section, and what in it by its name or id. */
function placesOf(lines: readonly DiffLine[], hunks: readonly Hunk[]): string[] {
  const places: string[] = [];
  let [section, name] = ["", ""];
  lines.forEach(({ mark, text }, at) => {
    const [, key] = /^ {2}"([^"]+)":/.exec(text) ?? [];
    const [item, member, id] = /^ {4}(?:[{}]|"([^"]+)":)|^ {6}"id": "([^"]+)"/.exec(text) ?? [];
    if (key !== undefined) [section, name] = [key, ""];
    else if (item !== undefined) name = member ?? id ?? "";
    const next = hunks[places.length];
    if (next && mark !== " " && at >= next.at)
      places.push([section, name].filter((part) => part !== "").join(", "));
  });
  return places;
}

function linesText(count: number): string {
  return count === 1 ? "1 line" : `${count} lines`;
}
