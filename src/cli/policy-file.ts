import { readFile, writeFile } from "node:fs/promises";
import { isMap, isSeq, LineCounter, type Node, parseDocument, stringify } from "yaml";
import { usageFault } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** A file of YAML or JSON, and where in it each part stands. */
export type SourceFile = {
  path: string;
  value: unknown;
  /** `file:line:column` of the part that a path of a fault names, as `routes.2.path`; of its nearest parent where it is missing. */
  place(faultPath: string): string;
};

/** Reads a document; what is wrong with its text is told with line and column. */
export async function readSourceFile(path: string, stdin: NodeJS.ReadableStream): Promise<SourceFile> {
  const text = path === "-" ? await textOf(stdin) : await readText(path);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const name = path === "-" ? "(standard input)" : path;
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const faults = document.errors.map(({ message, pos }) => `${at(pos[0])}: ${message}`);
  if (faults.length > 0) throw usageFault(`The file is neither YAML nor JSON.\n  ${faults.join("\n  ")}`);
  return {
    path: name,
    value: document.toJS({ maxAliasCount: 100 }),
    place: (faultPath) => at(offsetOf(document.contents, segmentsOf(faultPath))),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (fault) {
    throw usageFault(`${path} cannot be read (${(fault as NodeJS.ErrnoException).code ?? "unknown"}).`);
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** Writes a document as its file's name says, or prints it as YAML. */
export async function writeDocument(
  terminal: Terminal,
  document: unknown,
  out: string | undefined,
): Promise<void> {
  if (out === undefined) return terminal.line(stringify(document).trimEnd());
  await writeFile(
    out,
    out.endsWith(".json") ? `${JSON.stringify(document, null, 2)}\n` : stringify(document),
  );
}

/** `routes[2].path` and `routes.2.path` alike. */
function segmentsOf(path: string): string[] {
  return path
    .replaceAll(/\[(\d+)\]/g, ".$1")
    .split(".")
    .filter(Boolean);
}

function offsetOf(root: unknown, segments: readonly string[]): number {
  let node = root as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const segment of segments) {
    const next: unknown =
      isMap(node) || isSeq(node) ? node.get(isSeq(node) ? Number(segment) : segment, true) : undefined;
    const range = (next as Node | undefined)?.range;
    if (!range) break;
    node = next as Node;
    [offset] = range;
  }
  return offset;
}
