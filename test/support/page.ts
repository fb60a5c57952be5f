import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

/** A fenced block of a document. `mark` is what stands behind the language: who runs it, or the file that it is. */
export type Block = { language: string; mark: string; text: string; line: number };

/** The fenced blocks of a document, by its path in the repository. */
export function blocksOf(path: string): Block[] {
  const page = readFileSync(resolve(ROOT, path), "utf8");
  return Array.from(page.matchAll(/^```(\w*) ?(.*)\n([\s\S]*?)^```$/gm), (found) => ({
    language: found[1]!,
    mark: found[2]!,
    text: found[3]!,
    line: page.slice(0, found.index).split("\n").length,
  }));
}
