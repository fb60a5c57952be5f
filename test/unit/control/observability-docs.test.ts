import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { METRICS } from "../../../src/control/metrics.ts";

const read = (file: string) => readFileSync(`${import.meta.dirname}/../../../docs/${file}`, "utf8");
const page = read("observability.md");

/** What a query may name of each family. */
const SERIES = new Set(
  Object.entries(METRICS).flatMap(([name, [type]]) =>
    type === "histogram" ? ["bucket", "sum", "count"].map((suffix) => `${name}_${suffix}`) : [name],
  ),
);
const namedIn = (text: string) => [...new Set(text.match(/portcullis_[a-z_]+/g))];

type Rules = { groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[] };
type Dashboard = { panels: { title: string; targets: { expr: string }[] }[] };
const rules = (parse(read("observability/alerts.yml")) as Rules).groups.flatMap((group) => group.rules);
const { panels } = JSON.parse(read("observability/dashboard.json")) as Dashboard;

describe("docs/observability.md", () => {
  it("names every metric that there is, and no other", () => {
    const rows = page.split("\n").filter((line) => line.startsWith("| `portcullis_"));
    const named = rows.flatMap((row) => namedIn(row.split("|")[1]!));
    expect(named.toSorted()).toEqual(Object.keys(METRICS).toSorted());
    expect(namedIn(page).filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
  });
});

it("every series that is counted anywhere is one of them: another would be left out of /metrics", () => {
  const root = `${import.meta.dirname}/../../../src/`;
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const counted = files.flatMap((file) => [
    ...readFileSync(root + file, "utf8").matchAll(/portcullis_[a-z_]+(?=\{)|portcullis_[a-z_]+_total/g),
  ]);
  const names = new Set(counted.map(([name]) => name));
  expect(names).toContain("portcullis_detections_total");
  expect([...names].filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
});

describe.each([
  ["alert", rules.map(({ alert, expr }) => [alert, expr] as const)],
  ["panel", panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const))],
])("every %s", (_what, queries) => {
  it.each(queries)("%s is about series that are emitted", (_name, expr) => {
    const named = namedIn(expr);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !SERIES.has(name))).toEqual([]);
    expect(expr.match(/[(]/g)?.length).toBe(expr.match(/[)]/g)?.length);
  });
});

it("an alert says what it means, and each is there once", () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { annotations } of rules) expect(annotations.summary).toMatch(/^\S.{10,}/);
});
