/** A line of two texts laid over each other: in both, only in the later one, or only in the earlier one. */
export type DiffLine = { mark: " " | "+" | "-"; text: string };

/** Changes that stand together, with the lines around them: from the line `at` of the diff on. Line numbers count from 1. */
export type Hunk = { at: number; fromLine: number; toLine: number; lines: DiffLine[] };

/** More changed lines than this are another text rather than a change: finding them takes their square in steps. */
export const MAX_CHANGED_LINES = 1_000;
const CONTEXT_LINES = 3;

/**
 * The fewest lines to take away and to add that make `before` into `after` (Myers, "An O(ND) Difference Algorithm and
 * Its Variations", 1986); undefined where those are more than {@link MAX_CHANGED_LINES}.
 */
export function diffLines(before: string, after: string): DiffLine[] | undefined {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const changed = changedLines(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return changed && [...a.slice(0, start).map(same), ...changed, ...a.slice(a.length - end).map(same)];
}

function same(text: string): DiffLine {
  return { mark: " ", text };
}

type Lines = readonly string[];

/** Back from the end of both texts to their beginning, one changed line a round. */
function changedLines(a: Lines, b: Lines): DiffLine[] | undefined {
  const rounds = furthestOfRounds(a, b);
  if (!rounds) return undefined;
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let round = rounds.length - 1; round > 0; round--) {
    const { adds, x: stepped } = stepOf(rounds[round - 1]!, round, x - y);
    for (; x > stepped; y--) lines.push(same(a[--x]!));
    lines.push(adds ? { mark: "+", text: b[--y]! } : { mark: "-", text: a[--x]! });
  }
  while (x > 0) lines.push(same(a[--x]!));
  return lines.reverse();
}

/**
 * How many lines of `a` are used up at most after so many changed lines, on each diagonal: on diagonal k, k more lines
 * of `a` than of `b`. The last round is the one in which both texts come to their end.
 */
function furthestOfRounds(a: Lines, b: Lines): Int32Array[] | undefined {
  const rounds: Int32Array[] = [];
  for (let round = 0; round <= MAX_CHANGED_LINES; round++) {
    const furthest = new Int32Array(2 * round + 1);
    rounds.push(furthest);
    for (let diagonal = -round; diagonal <= round; diagonal += 2) {
      let x = round === 0 ? 0 : stepOf(rounds[round - 1]!, round, diagonal).x;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      furthest[diagonal + round] = x;
      if (x === a.length && x - diagonal === b.length) return rounds;
    }
  }
  return undefined;
}

/** The changed line that leads furthest onto a diagonal from the round `before`: whether it is added, and to where. */
function stepOf(before: Int32Array, round: number, diagonal: number): { adds: boolean; x: number } {
  const at = diagonal + round - 1;
  const [below, above] = [before[at - 1] ?? -1, before[at + 1] ?? -1];
  const adds = diagonal === -round || (diagonal !== round && below < above);
  return { adds, x: adds ? above : below + 1 };
}

/** The changes with three lines around each; those whose surroundings touch stand together. */
export function hunksOf(lines: readonly DiffLine[]): Hunk[] {
  const hunks: Hunk[] = [];
  let [fromLine, toLine, shownUntil] = [1, 1, 0];
  lines.forEach((line, at) => {
    const nearby = lines.slice(Math.max(0, at - CONTEXT_LINES), at + CONTEXT_LINES + 1);
    if (nearby.some(({ mark }) => mark !== " ")) {
      if (hunks.length === 0 || shownUntil !== at) hunks.push({ at, fromLine, toLine, lines: [] });
      hunks.at(-1)!.lines.push(line);
      shownUntil = at + 1;
    }
    if (line.mark !== "+") fromLine++;
    if (line.mark !== "-") toLine++;
  });
  return hunks;
}

/** As a unified diff begins a hunk. */
export function hunkHead({ fromLine, toLine, lines }: Hunk): string {
  const length = (without: "+" | "-") => lines.filter(({ mark }) => mark !== without).length;
  return `@@ -${fromLine},${length("+")} +${toLine},${length("-")} @@`;
}
