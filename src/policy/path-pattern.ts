/** A segment that stands for any one, and gives it a name. */
export const PARAM = ":[a-z][a-z0-9_]*";

/** One segment: a literal, or a parameter (`:name`, or `*` without a name). */
type PatternSegment = { literal: string } | { param: string | undefined };

/** A path pattern taken apart. `rest`: it ends in `**` and takes any number of further segments, also none. */
export type PathPattern = { segments: PatternSegment[]; rest: boolean };

/**
 * Takes a pattern of the policy (`PATH_PATTERN`) apart. `/` is one empty segment and `/orders/` ends in one:
 * an empty segment is a literal like any other, so `/orders` and `/orders/` are two paths.
 */
export function parsePathPattern(path: string): PathPattern {
  const parts = path.slice(1).split("/");
  const rest = parts.at(-1) === "**";
  const segments = (rest ? parts.slice(0, -1) : parts).map((part): PatternSegment => {
    if (part === "*") return { param: undefined };
    return part.startsWith(":") ? { param: part.slice(1) } : { literal: part };
  });
  return { segments, rest };
}

/** The names of the parameters, in order, repeated ones repeated. */
export function paramNames({ segments }: PathPattern): string[] {
  return segments.flatMap((s) => ("param" in s && s.param !== undefined ? [s.param] : []));
}

/** What two patterns have in common that match the same paths: the parameters' names do not count. */
export function patternShape({ segments, rest }: PathPattern): string {
  const parts = segments.map((s) => ("literal" in s ? s.literal : "*"));
  return `/${[...parts, ...(rest ? ["**"] : [])].join("/")}`;
}
