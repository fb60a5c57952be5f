import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DiffLine, diffLines, hunksOf, MAX_CHANGED_LINES } from "../../../src/policy/line-diff.ts";

const text = (lines: readonly DiffLine[], without: "+" | "-") =>
  lines
    .filter(({ mark }) => mark !== without)
    .map((line) => line.text)
    .join("\n");
const shown = (before: string, after: string) =>
  diffLines(before, after)?.map((line) => line.mark + line.text);
const changes = (lines: readonly DiffLine[]) => lines.filter(({ mark }) => mark !== " ").length;
const numbered = (count: number, name = "line") => Array.from({ length: count }, (_, i) => `${name} ${i}`);

describe("the lines that differ", () => {
  it("are those that were added and taken away, and no others", () => {
    expect(shown("a\nb\nc", "a\nb\nc")).toEqual([" a", " b", " c"]);
    expect(shown("a\nb\nc", "a\nx\nc")).toEqual([" a", "-b", "+x", " c"]);
    expect(shown("a\nc", "a\nb\nc")).toEqual([" a", "+b", " c"]);
    expect(shown("a\nb\nc", "c")).toEqual(["-a", "-b", " c"]);
    expect(shown("a", "b")).toEqual(["-a", "+b"]);
    expect(shown("", "a")).toEqual(["-", "+a"]);
    expect(shown("a\nb\na\nb", "b\na\nb\na")).toEqual(["-a", " b", " a", " b", "+a"]);
  });

  it("make the one text into the other, as few as can be", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c", "{"), { maxLength: 14 });
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const [before, after] = [a.join("\n"), b.join("\n")];
        const diff = diffLines(before, after)!;
        expect(text(diff, "+")).toBe(before);
        expect(text(diff, "-")).toBe(after);
        const [m, n] = [before.split("\n"), after.split("\n")];
        expect(changes(diff)).toBe(m.length + n.length - 2 * longestCommon(m, n));
      }),
      { numRuns: 2_000 },
    );
  });

  it("are found among tens of thousands, and given up where there are too many", () => {
    const before = numbered(60_000);
    const after = before.map((line, i) => (i % 150 === 7 ? `${line}, changed` : line));
    const start = performance.now();
    expect(changes(diffLines(before.join("\n"), after.join("\n"))!)).toBe(800);
    expect(diffLines(before.join("\n"), numbered(60_000, "other").join("\n"))).toBeUndefined();
    // A tenth of it is what it takes; steps of the whole times the whole would take minutes.
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it("are given up above their greatest number, and not at it", () => {
    const before = numbered(3_000);
    const added = (count: number) => ["first", ...numbered(count - 2, "new"), ...before, "last"].join("\n");
    expect(changes(diffLines(before.join("\n"), added(MAX_CHANGED_LINES))!)).toBe(MAX_CHANGED_LINES);
    expect(diffLines(before.join("\n"), added(MAX_CHANGED_LINES + 1))).toBeUndefined();
  });
});

describe("changes with what stands around them", () => {
  const before = numbered(40);
  const hunks = (change: (line: string, i: number) => string | string[]) =>
    hunksOf(diffLines(before.join("\n"), before.flatMap(change).join("\n"))!);

  it("are none where nothing differs", () => {
    expect(hunks((line) => line)).toEqual([]);
  });

  it("have three lines before and after, and the numbers of the first", () => {
    const [first, second, ...more] = hunks((line, i) => (i === 9 ? [] : i === 30 ? ["x", line] : line));
    expect(more).toEqual([]);
    expect(first).toMatchObject({ fromLine: 7, toLine: 7 });
    expect(first!.lines.map(({ mark }) => mark).join("")).toBe("   -   ");
    expect(second).toMatchObject({ fromLine: 28, toLine: 27 });
    expect(second!.lines.map(({ mark }) => mark).join("")).toBe("   +   ");
  });

  it("stand together where their surroundings touch, and apart where they do not", () => {
    const at = (...changed: number[]) => hunks((line, i) => (changed.includes(i) ? `${line}!` : line)).length;
    expect(at(10, 17)).toBe(1);
    expect(at(10, 18)).toBe(2);
    expect(at(0, 39)).toBe(2);
  });
});

/** The length of the longest common subsequence, by the book. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  const best = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      best[i]![j] =
        a[i - 1] === b[j - 1] ? best[i - 1]![j - 1]! + 1 : Math.max(best[i - 1]![j]!, best[i]![j - 1]!);
  return best[a.length]![b.length]!;
}
