/** A change of an export, and the first record that it can touch; undefined where it changed nothing. */
export type Mutated = { lines: string[]; firstSeq?: number };

export const MUTATIONS = {
  /** One bit of one byte, wherever. */
  flip(lines, random) {
    const bytes = Buffer.from(lines.join("\n"));
    const at = pick(random, bytes.length);
    bytes[at] = bytes[at]! ^ (1 << pick(random, 8));
    const changed = bytes.toString("latin1") === Buffer.from(lines.join("\n")).toString("latin1");
    return changed ? undefined : { lines: bytes.toString("utf8").split("\n") };
  },
  /** Some lines on end. */
  drop(lines, random) {
    const at = pick(random, lines.length);
    const count = 1 + pick(random, 3);
    return { lines: lines.toSpliced(at, count), ...seqFrom(lines, at) };
  },
  swap(lines, random) {
    const [a, b] = [pick(random, lines.length), pick(random, lines.length)];
    if (a === b) return undefined;
    const swapped = lines.with(a, lines[b]!).with(b, lines[a]!);
    return { lines: swapped, ...seqFrom(lines, Math.min(a, b)) };
  },
  duplicate(lines, random) {
    const at = pick(random, lines.length);
    return { lines: lines.toSpliced(at, 0, lines[at]!) };
  },
  /** Anywhere, also in the middle of a line. */
  truncate(lines, random) {
    const text = lines.join("\n");
    return { lines: text.slice(0, pick(random, text.length)).split("\n") };
  },
} satisfies Record<string, (lines: readonly string[], random: () => number) => Mutated | undefined>;

function pick(random: () => number, below: number): number {
  return Math.floor(random() * below);
}

/** The record of this line, where it is one. */
function seqFrom(lines: readonly string[], at: number): { firstSeq?: number } {
  const seq = /^\{"seq":(\d+),/.exec(lines[at]!)?.[1];
  return seq === undefined ? {} : { firstSeq: Number(seq) };
}
