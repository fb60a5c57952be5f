import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");
const lines = read("docs/conformance.md").split("\n");
const isTableHead = (i: number) => lines[i + 1]?.startsWith("|---") ?? false;
const rows = lines.filter((line, i) => line.startsWith("| ") && !isTableHead(i));

describe("docs/conformance.md", () => {
  it("has rows", () => expect(rows.length).toBeGreaterThan(150));

  it.each(rows)("names a test that exists, or says that there is nothing to test: %s", (row) => {
    const [, path, title] = /\| `([^`]+)`: (.+) \|$/.exec(row) ?? [];
    if (path === undefined) return expect(row).toMatch(/\| not built: [^|]{10,} \|$/);
    expect(read(`test/${path}`)).toContain(`"${title}"`);
  });
});
