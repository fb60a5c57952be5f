import type { Route } from "./document.ts";
import { METHODS } from "./methods.ts";
import { type PathPattern, parsePathPattern, patternShape } from "./path-pattern.ts";

export type RouteMatch = { kind: "match"; route: Route; params: Record<string, string> };
/** `method`: the path is known, but not with this method; `allow` is sorted, for the `Allow` field. */
export type RouteMiss = { kind: "none" } | { kind: "method"; allow: string[] };

/** A route where its pattern ends in the tree, with the segments that its parameters take. */
type Leaf = { route: Route; params: { name: string; segment: number }[] };
type Node = { literals: Map<string, Node>; param?: Node; here?: Leaf[]; rest?: Leaf[] };
/** The first segments of a path, as many as any pattern looks at; `complete`: there are no more. */
type Segments = { texts: string[]; complete: boolean };

const NONE: RouteMiss = { kind: "none" };

/**
 * All routes of a policy, compiled once into one tree of segments for each host pattern.
 *
 * The most specific route answers, and no other: an exact host before `*.` before any host, then segment by
 * segment a literal before a parameter before `**`. Where that route does not take the method or a parameter
 * does not decode, nothing matches; a wider route, perhaps a public one, must not answer for a narrower one.
 *
 * Paths are compared byte by byte as they are sent, percent-encoded. `:name` and `*` take one segment that is
 * not empty; `/orders/**` takes `/orders`, `/orders/` and everything below; `/orders` does not take `/orders/`.
 * `*.` in a host stands for exactly one label. A host pattern without a port fits every port.
 *
 * A node of a tree lies at one depth, so a look-up visits it at most once: the cost is bounded by the nodes
 * that fit the path, and does not grow with the path beyond the longest pattern.
 */
export class RouteTable {
  readonly #anyHost: Node = newNode();
  readonly #byHost = new Map<string, Node>();
  #maxSegments = 0;

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  /** `host` as in the URL, lower case, with its port; `path` without the query; `method` in upper case. */
  match(host: string, path: string, method: string): RouteMatch | RouteMiss {
    if (!path.startsWith("/")) return NONE;
    const segments = split(path, this.#maxSegments);
    const leaves = this.#leavesAt(host, segments) ?? find(this.#anyHost, segments, 0);
    return leaves ? choose(leaves, segments.texts, method) : NONE;
  }

  #add(route: Route): void {
    const pattern = parsePathPattern(route.path);
    this.#maxSegments = Math.max(this.#maxSegments, pattern.segments.length);
    let node = this.#tree(route.host);
    for (const segment of pattern.segments) {
      if ("literal" in segment) {
        node = childOf(node.literals, segment.literal);
      } else {
        node.param ??= newNode();
        node = node.param;
      }
    }
    const leaf = { route, params: paramPositions(pattern) };
    const end = pattern.rest ? "rest" : "here";
    node[end] = [...(node[end] ?? []), leaf];
  }

  #tree(host: string | undefined): Node {
    return host === undefined ? this.#anyHost : childOf(this.#byHost, host);
  }

  /** Of the trees whose host pattern fits, the most specific first. */
  #leavesAt(host: string, segments: Segments): Leaf[] | undefined {
    if (this.#byHost.size === 0) return undefined;
    for (const pattern of hostPatterns(host)) {
      const tree = this.#byHost.get(pattern);
      const leaves = tree && find(tree, segments, 0);
      if (leaves) return leaves;
    }
    return undefined;
  }
}

/**
 * Routes between which a request could not choose: same host, same shape of path, a method in common. One
 * line for each, naming the later one; `nameOf` gives the path of the n-th route in the document.
 */
export function routeConflicts(
  routes: readonly Route[],
  nameOf: (index: number) => string = (index) => `routes.${index}`,
): string[] {
  const takenBy = new Map<string, number>();
  return routes.flatMap((route, index) => {
    const clashes = new Map<number, string>();
    const place = `${route.host ?? ""}${patternShape(parsePathPattern(route.path))}`;
    for (const method of route.methods ?? METHODS) {
      const key = `${method} ${place}`;
      const earlier = takenBy.get(key) ?? index;
      takenBy.set(key, earlier);
      if (earlier !== index && !clashes.has(earlier)) clashes.set(earlier, method);
    }
    return [...clashes].map(
      ([earlier, method]) =>
        `${nameOf(index)}.path: takes the same ${method} requests as ${nameOf(earlier)}; ` +
        "give one of them another path, host or other methods",
    );
  });
}

/** Every pattern that fits the host, the most specific first. The root's dot (`example.com.`) does not count. */
export function hostPatterns(host: string): string[] {
  const colon = host.lastIndexOf(":");
  const port = colon === -1 ? "" : host.slice(colon);
  let end = host.length - port.length;
  while (host[end - 1] === ".") end--;
  const name = host.slice(0, end);
  const dot = name.indexOf(".");
  const names = dot === -1 ? [name] : [name, `*${name.slice(dot)}`];
  return port === "" ? names : names.flatMap((each) => [each + port, each]);
}

function newNode(): Node {
  return { literals: new Map() };
}

function childOf(children: Map<string, Node>, key: string): Node {
  const child = children.get(key) ?? newNode();
  children.set(key, child);
  return child;
}

function paramPositions({ segments }: PathPattern): Leaf["params"] {
  return segments.flatMap((s, segment) =>
    "param" in s && s.param !== undefined ? [{ name: s.param, segment }] : [],
  );
}

function split(path: string, max: number): Segments {
  const texts: string[] = [];
  let start = 1;
  while (texts.length < max) {
    const end = path.indexOf("/", start);
    texts.push(end === -1 ? path.slice(start) : path.slice(start, end));
    if (end === -1) return { texts, complete: true };
    start = end + 1;
  }
  return { texts, complete: false };
}

function find(node: Node, segments: Segments, depth: number): Leaf[] | undefined {
  const text = segments.texts[depth];
  if (text === undefined) return (segments.complete && node.here) || node.rest;
  const literal = node.literals.get(text);
  return (
    (literal && find(literal, segments, depth + 1)) ??
    (node.param && text !== "" ? find(node.param, segments, depth + 1) : undefined) ??
    node.rest
  );
}

function choose(leaves: readonly Leaf[], texts: readonly string[], method: string): RouteMatch | RouteMiss {
  const leaf = leaves.find(({ route }) => takes(route, method));
  if (!leaf) {
    const allow = leaves.flatMap(({ route }) => route.methods ?? METHODS);
    return { kind: "method", allow: [...new Set(allow)].sort() };
  }
  const params: Record<string, string> = {};
  for (const { name, segment } of leaf.params) {
    const value = decodeSegment(texts[segment] as string);
    if (value === undefined) return NONE;
    params[name] = value;
  }
  return { kind: "match", route: leaf.route, params };
}

/** An origin that answers TRACE shows the client what the gate told it (RFC 9110 §9.3.8): no route takes it. */
function takes({ methods }: Route, method: string): boolean {
  return methods ? (methods as string[]).includes(method) : method !== "TRACE";
}

/** The text of a segment, or undefined where it is not UTF-8 or does not stay one segment. */
function decodeSegment(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    const value = decodeURIComponent(text);
    return value.includes("/") ? undefined : value;
  } catch {
    return undefined;
  }
}
