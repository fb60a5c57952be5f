/**
 * The floors of the house, lowest first. A room may import rooms of lower floors and itself, nothing else;
 * rooms of one floor meet through ports that worker.ts wires.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ["protocol"],
  ["platform", "config", "client"],
  ["revocation"],
  ["policy", "webhooks"],
  ["remediation"],
  ["replication", "registry", "tokens", "access", "limits", "audit", "backup"],
  ["browser", "signals"],
  ["edge", "control", "console"],
  ["wiring", "library"],
  ["worker"],
];

/** Rooms that run beside the Worker, elsewhere, and the only rooms of the Worker that each may import. */
export const NODE_ROOMS: Readonly<Record<string, readonly string[]>> = {
  local: ["protocol"],
  importers: ["protocol", "policy"],
  cli: ["protocol", "policy", "tokens", "edge", "client", "importers", "local"],
};

export type SourceFile = { path: string; text: string };

/** `src/edge/gate.ts` is in the room `edge`, `src/worker.ts` is the room `worker`. */
export function roomOf(path: string): string {
  const [, first = ""] = path.split("/");
  return first.replace(/\.tsx?$/, "");
}

const IMPORT = /(?:from\s+|import\s*\(\s*|import\s+)"(\.[^"]+)"/g;

/** The files that a file imports, by path. */
export function importsOf({ path, text }: SourceFile): string[] {
  return Array.from(text.matchAll(IMPORT), ([, target]) => resolve(path, target as string));
}

function resolve(from: string, target: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const step of target.split("/")) {
    if (step === "..") parts.pop();
    else if (step !== ".") parts.push(step);
  }
  return parts.join("/");
}

/** Every arrow that the house forbids, as a sentence. */
export function forbiddenArrows(files: readonly SourceFile[]): string[] {
  const floor = new Map(FLOORS.flatMap((rooms, level) => rooms.map((room) => [room, level] as const)));
  const faults: string[] = [];
  for (const file of files) {
    const from = roomOf(file.path);
    for (const target of importsOf(file)) {
      const to = roomOf(target);
      if (from === to) continue;
      const allowed = NODE_ROOMS[from];
      const fine = allowed ? allowed.includes(to) : (floor.get(to) ?? 99) < (floor.get(from) ?? -1);
      if (!fine) faults.push(`${file.path} imports ${target}: ${from} is not above ${to}`);
    }
  }
  return faults;
}

/** The first cycle of imports between files, as a path, or undefined. */
export function findCycle(files: readonly SourceFile[]): string[] | undefined {
  const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
