import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");
const rows = read("docs/conformance.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| § "));

describe("docs/conformance.md", () => {
  it("has rows", () => expect(rows.length).toBeGreaterThan(20));

  it.each(rows)("names a test that exists: %s", (row) => {
    const [, path, title] = /\| `([^`]+)`: (.+) \|$/.exec(row) ?? [];
    expect(title, "a row ends with `file`: title").toBeDefined();
    expect(read(`test/${path}`)).toContain(`"${title}"`);
  });
});
