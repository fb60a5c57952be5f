import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");

/** Rows of the tables whose last column is the test. */
function rowsOf(page: string): string[] {
  const rows: string[] = [];
  let inTable = false;
  for (const line of read(page).split("\n")) {
    if (line.endsWith("| test |")) inTable = true;
    else if (!line.startsWith("|")) inTable = false;
    else if (inTable && !line.startsWith("|---")) rows.push(line);
  }
  return rows;
}

describe.each([
  ["docs/conformance.md", 200],
  ["docs/threat-model.md", 50],
])("%s", (page, least) => {
  const rows = rowsOf(page);

  it("has rows, and no test is named elsewhere", () => {
    expect(rows.length).toBeGreaterThan(least);
    const naming = read(page)
      .split("\n")
      .filter((line) => line.includes(".test.ts`:"));
    expect(naming.filter((line) => !rows.includes(line))).toEqual([]);
  });

  it.each(rows)("names a test that exists, or says that there is nothing to test: %s", (row) => {
    const [, path, title] = /\| `([^`]+)`: (.+) \|$/.exec(row) ?? [];
    if (path === undefined) return expect(row).toMatch(/\| not built: [^|]{10,} \|$/);
    expect(read(`test/${path}`)).toContain(`"${title}"`);
  });
});
