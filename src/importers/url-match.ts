import { err, ok, type Result } from "../protocol/result.ts";

/** A host and a path of ours that stand for an address with holes, and how they differ from it. */
export type Target = {
  host?: string;
  path: string;
  /** It takes more, or less, than the source did. */
  differs?: { how: "wider" | "narrower"; because: string };
};

type Differs = NonNullable<Target["differs"]>;

/** A hole of the source, taken out so that what is around it can be read as an address. */
const HOLE = /\uE000(\d+)\uE000/;
const ANY_SEGMENT = new Set(["*", "[^/]+", "[^/]*", "[^\\/]+"]);
const REST = new Set(["**", ".*", ".+", "(.*)", "(.+)"]);
const ALTERNATIVES = /^\(?[\w.~-]+(?:\|[\w.~-]+)+\)?$/;
const MAX_TARGETS = 16;

/**
 * Reads an address of Oathkeeper's: literals, and `<…>` around regular expressions or globs.
 *
 * @returns one target for each alternative, or why there is none.
 */
export function readUrlMatch(url: string): Result<Target[], string> {
  const { text, holes } = withoutHoles(url);
  const parts = /^(.*?):\/\/([^/]*)(\/.*)?$/.exec(text);
  if (!parts) return err("it is not an address with a scheme, a host and a path");
  const host = hostOf(parts[2] ?? "", holes);
  if (!host.ok) return host;
  const paths = pathsOf(parts[3] ?? "/", holes);
  if (!paths.ok) return paths;
  return ok(paths.value.map((target) => ({ ...(host.value ? { host: host.value } : {}), ...target })));
}

/** Everything that an address could stand for, by what is certain of it. */
export function widestTarget(url: string): Target {
  const { text, holes } = withoutHoles(url);
  const [, hostText = "", path = "/"] = /^.*?:\/\/([^/]*)(\/.*)?$/.exec(text) ?? [];
  const host = hostOf(hostText, holes);
  const known = path.split(HOLE)[0] ?? "/";
  const taken = { path: `${known.slice(0, known.lastIndexOf("/") + 1)}**` };
  return host.ok && host.value ? { host: host.value, ...taken } : taken;
}

/** Holes may hold `<` and `>` themselves, in pairs. */
function withoutHoles(url: string): { text: string; holes: string[] } {
  const holes: string[] = [];
  let text = "";
  let depth = 0;
  let hole = "";
  for (const char of url) {
    if (char === "<" && depth++ === 0) continue;
    if (char === ">" && depth > 0 && --depth === 0) {
      text += `\uE000${holes.push(hole) - 1}\uE000`;
      hole = "";
    } else if (depth > 0) hole += char;
    else text += char;
  }
  return { text, holes };
}

function hostOf(text: string, holes: readonly string[]): Result<string | undefined, string> {
  if (!HOLE.test(text)) return ok(text.toLowerCase());
  const whole = /^\uE000(\d+)\uE000(?::\d+)?$/.exec(text);
  if (whole) return REST.has(holes[Number(whole[1])]!) ? ok(undefined) : err("its host is an expression");
  const label = /^\uE000(\d+)\uE000(\.[^\uE000]+)$/.exec(text);
  if (
    label &&
    (ANY_SEGMENT.has(holes[Number(label[1])]!) || /^\[[^\]]*\]\+$/.test(holes[Number(label[1])]!))
  ) {
    return ok(`*${label[2]!.toLowerCase()}`);
  }
  return err("its host is an expression; a host here is a name, or `*.` and a name");
}

function pathsOf(path: string, holes: readonly string[]): Result<Target[], string> {
  let targets: Target[] = [{ path: "" }];
  const segments = path.slice(1).split("/");
  for (const [i, segment] of segments.entries()) {
    const taken = segmentOf(segment, holes, i === segments.length - 1);
    if (!taken.ok) return taken;
    targets = targets.flatMap((target) =>
      taken.value.map(({ text, differs }) => {
        const found = target.differs ?? differs;
        return { path: `${target.path}/${text}`, ...(found ? { differs: found } : {}) };
      }),
    );
    if (targets.length > MAX_TARGETS) return err(`its alternatives make more than ${MAX_TARGETS} routes`);
  }
  return ok(targets);
}

type Taken = { text: string; differs?: Differs };

function segmentOf(segment: string, holes: readonly string[], last: boolean): Result<Taken[], string> {
  const found = HOLE.exec(segment);
  if (!found) return ok([{ text: segment }]);
  const hole = holes[Number(found[1])]!;
  const whole = found[0] === segment;
  if (REST.has(hole)) {
    if (!last) return err("an expression in the middle of its path takes slashes");
    if (whole) return ok([{ text: "**" }]);
    const prefix = segment.slice(0, found.index);
    if (HOLE.test(prefix) || prefix + found[0] !== segment)
      return err("its last segment has several expressions");
    const because = `paths that go on after "${prefix}" without a slash are not taken`;
    return ok([{ text: `${prefix}/**`, differs: { how: "narrower", because } }]);
  }
  if (whole && ANY_SEGMENT.has(hole)) return ok([{ text: "*" }]);
  if (whole && ALTERNATIVES.test(hole)) {
    return ok(
      hole
        .replaceAll(/[()]/g, "")
        .split("|")
        .map((text) => ({ text })),
    );
  }
  if (/(?:^|[^\\])[./]|\[\^/.test(hole)) return err("an expression of its path may take slashes");
  const because = "a segment that an expression described can be any segment";
  return ok([{ text: "*", differs: { how: "wider", because } }]);
}
