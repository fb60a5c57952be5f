import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { CONNECTIONS, type Latency, type Measured, type Spread } from "./compare.ts";
import type { BundleFigures, StartFigures } from "./start-figures.ts";

type Figures = { bundle: BundleFigures; starts: StartFigures[]; latencies: Latency[] };

const FILE = new URL("../docs/performance.md", import.meta.url).pathname;
const BEGIN = "<!-- written by npm run bench -->";
const END = "<!-- end of what npm run bench writes -->";
const HEAD = [
  "",
  "CPU a request",
  "CPU to the floor",
  "requests/s",
  "p50",
  "p99",
  "p99 to the floor",
  "tokens in memory",
  "memory",
];

export function printTables(measured: readonly Measured[], latencies: readonly Latency[]): void {
  console.log(`${tableOf(measured)}\n\n${latencyTable(latencies)}`);
}

/** Puts the tables where docs/performance.md has its place for them. */
export function writeReport(
  measured: readonly Measured[],
  figures: Figures,
  { rounds, seconds }: { rounds: number; seconds: number },
): void {
  const text = readFileSync(FILE, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end === -1) throw new Error("docs/performance.md has no place for the tables");
  const when = new Date().toISOString().slice(0, 10);
  const how = `${when}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, ${CONNECTIONS} connections, ${rounds} rounds of ${seconds} s, each right after one of the floor. Median, and [lowest–highest].`;
  const calm = "At a load that leaves time (the same connections, with pauses between their requests):";
  const parts = [
    ...[BEGIN, how, tableOf(measured), calm, latencyTable(figures.latencies)],
    ...[startTable(figures.starts), bundleLine(figures.bundle)],
  ];
  writeFileSync(FILE, `${text.slice(0, begin)}${parts.join("\n\n")}\n\n${text.slice(end)}`);
}

function tableOf(measured: readonly Measured[]): string {
  const rows = measured.map((m) => [
    m.name,
    `${m.cpuUs.toFixed(0)} µs`,
    spreadText(m.cpuRatio),
    m.requestsPerSecond.toFixed(0),
    `${m.p50Ms.toFixed(1)} ms`,
    `${m.p99Ms.toFixed(1)} ms`,
    spreadText(m.p99Ratio),
    m.hitPercent === undefined ? "" : `${m.hitPercent.toFixed(1)} %`,
    `${m.residentMib.first} → ${m.residentMib.last} MiB`,
  ]);
  return table(HEAD, rows);
}

function latencyTable(latencies: readonly Latency[]): string {
  const rows = latencies.map((each) => [
    each.name,
    each.requestsPerSecond.toFixed(0),
    `${each.p50Ms.toFixed(1)} ms`,
    `${each.p99Ms.toFixed(1)} ms`,
    spreadText(each.p99Ratio),
  ]);
  return table(["", "requests/s", "p50", "p99", "p99 to the floor"], rows);
}

function startTable(starts: readonly StartFigures[]): string {
  const rows = starts.map((each) => [
    each.denied.toLocaleString("en"),
    `${each.firstAnswerMs} ms`,
    `${each.secondAnswerMs} ms`,
    `${each.residentMib} MiB`,
  ]);
  return table(
    ["denied tokens", "first answer of a cold process", "second answer", "memory of the process"],
    rows,
  );
}

function bundleLine({ kib, gzipKib, startCpuMs }: BundleFigures): string {
  return `The bundle is ${kib} KiB (${gzipKib} KiB gzip); it starts with ${startCpuMs} ms of processor time more than the floor's Worker.`;
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function spreadText({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} [${min.toFixed(2)}–${max.toFixed(2)}]`;
}
