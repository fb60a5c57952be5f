import type { Route } from "../policy/document.ts";
import { type PathPattern, parsePathPattern } from "../policy/path-pattern.ts";
import { hostPatterns } from "../policy/route-table.ts";
import type { Target } from "./target.ts";

/** Costs of a difference, in segments: a path is near a route at 1 at most. */
const MAX_COST = 1;
const EXTRA_SEGMENT = 0.9;
/** A slash at the end. */
const EMPTY_SEGMENT = 0.1;
const OTHER_HOST = 0.5;
/** A segment is a misspelt other one where at most this share of its characters differs. */
const MAX_MISSPELT = 0.4;
const OTHER_CASE = 0.25;
/** What is longer is nobody's slip. */
const MAX_SEGMENTS = 32;
const MAX_SEGMENT_CHARS = 64;

type Segment = PathPattern["segments"][number];

/** The route that somebody may have meant whose request no route takes: a slip away, on this host or another. */
export function nearestRoute(
  routes: readonly Route[],
  { host, routePath }: Pick<Target, "host" | "routePath">,
): Route | undefined {
  const texts = routePath.slice(1).split("/");
  if (texts.length > MAX_SEGMENTS) return undefined;
  const hosts = hostPatterns(host);
  let nearest: Route | undefined;
  let least = MAX_COST;
  for (const route of routes) {
    const elsewhere = route.host !== undefined && !hosts.includes(route.host);
    const cost = costOf(texts, parsePathPattern(route.path)) + (elsewhere ? OTHER_HOST : 0);
    if (cost > least || (nearest && cost === least)) continue;
    nearest = route;
    least = cost;
  }
  return nearest;
}

/** The edit distance between a path and a pattern, segment by segment; without a word in common they are strangers. */
function costOf(texts: readonly string[], { segments, rest }: PathPattern): number {
  const known = segments.some((segment) =>
    texts.some((text) => isWord(segment) && differ(text, segment) < 1),
  );
  if (!known) return Number.POSITIVE_INFINITY;
  const first = [0];
  for (const text of texts) first.push(first.at(-1)! + extra(text));
  const costs = segments.reduce((row, segment) => nextRow(row, segment, texts), first);
  return rest ? Math.min(...costs) : costs.at(-1)!;
}

/** By the first segments of the path, how far they are from the pattern up to this segment. */
function nextRow(row: readonly number[], segment: Segment, texts: readonly string[]): number[] {
  const missing = extra("literal" in segment ? segment.literal : segment.param);
  const next = [row[0]! + missing];
  for (const [i, text] of texts.entries()) {
    next.push(Math.min(row[i]! + differ(text, segment), row[i + 1]! + missing, next[i]! + extra(text)));
  }
  return next;
}

function isWord(segment: Segment): boolean {
  return "literal" in segment && segment.literal !== "";
}

function extra(text: string | undefined): number {
  return text === "" ? EMPTY_SEGMENT : EXTRA_SEGMENT;
}

/** 0: the segment takes the text; 1: it is another one. */
function differ(text: string, segment: Segment): number {
  if (!("literal" in segment)) return text === "" ? 1 : 0;
  const { literal } = segment;
  if (text === literal) return 0;
  const chars = Math.max(text.length, literal.length);
  if (chars > MAX_SEGMENT_CHARS) return 1;
  const share = edits(text, literal) / chars;
  return share <= MAX_MISSPELT ? share : 1;
}

/** Characters to put in, take out or replace (Levenshtein); another case is a quarter of one. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j]! + replaced(a[i]!, b[j]!), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}

function replaced(a: string, b: string): number {
  if (a === b) return 0;
  return a.toLowerCase() === b.toLowerCase() ? OTHER_CASE : 1;
}
