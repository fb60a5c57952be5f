/** One sample line of an exposition: `name{labels} value`. */
export type Sample = { name: string; labels: Record<string, string>; value: number };
export type Family = { name: string; type: string; help: string; samples: Sample[] };

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/;
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const OF_HISTOGRAM = ["_bucket", "_sum", "_count"];

/**
 * Reads the Prometheus text format, version 0.0.4, and throws at whatever a scraper may stumble over: a family that
 * is split or not described, a series that is there twice, a histogram whose buckets are not cumulative.
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family>();
  let family: Family | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, helped, help] = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line) ?? [];
    const [, typed, type] = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line) ?? [];
    if (helped !== undefined) {
      if (families.has(helped)) throw new Error(`${helped} is there twice`);
      family = { name: helped, type: "", help: help!, samples: [] };
      families.set(helped, family);
    } else if (typed !== undefined) {
      if (family?.name !== typed || family.type !== "") throw new Error(`TYPE is not behind HELP: ${line}`);
      family.type = type!;
    } else {
      if (!family?.type) throw new Error(`no family for: ${line}`);
      family.samples.push(sampleOf(line, family));
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

function sampleOf(line: string, { name, type }: Family): Sample {
  const [, sampled, labelText = "", valueText] = SAMPLE.exec(line) ?? [];
  if (sampled === undefined) throw new Error(`not a sample: ${line}`);
  const names = type === "histogram" ? OF_HISTOGRAM.map((suffix) => name + suffix) : [name];
  if (!names.includes(sampled)) throw new Error(`${sampled} is not of ${name}`);
  const labels: Record<string, string> = {};
  for (let rest = labelText; rest !== ""; ) {
    const found = LABEL.exec(rest);
    if (!found) throw new Error(`labels: ${line}`);
    if (Object.hasOwn(labels, found[1]!)) throw new Error(`a label twice: ${line}`);
    labels[found[1]!] = found[2]!.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    rest = rest.slice(found[0].length);
  }
  const value = Number(valueText);
  if (!Number.isFinite(value)) throw new Error(`not a number: ${line}`);
  return { name: sampled, labels, value };
}

function checkFamily({ name, type, samples }: Family): void {
  if (samples.length === 0) throw new Error(`${name} has no series`);
  if (type === "counter" && !name.endsWith("_total")) throw new Error(`${name} is a counter without _total`);
  if (type !== "counter" && name.endsWith("_total")) throw new Error(`${name} is no counter`);
  const keys = samples.map(({ name: sampled, labels }) => `${sampled} ${keyOf(labels)}`);
  if (new Set(keys).size !== keys.length) throw new Error(`${name} has a series twice`);
  if (type === "histogram") checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const series = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => keyOf(labels));
  for (const [key, each] of series) {
    const buckets = each.filter((sample) => sample.name.endsWith("_bucket"));
    const bounds = buckets.map(({ labels }) => (labels.le === "+Inf" ? Infinity : Number(labels.le)));
    const count = each.find((sample) => sample.name.endsWith("_count"))?.value;
    const isRising = (values: number[]) => values.every((value, i) => i === 0 || value >= values[i - 1]!);
    const fine =
      isRising(bounds) &&
      isRising(buckets.map(({ value }) => value)) &&
      bounds.at(-1) === Infinity &&
      buckets.at(-1)?.value === count &&
      each.some((sample) => sample.name.endsWith("_sum"));
    if (!fine) throw new Error(`${name}{${key}} is no histogram`);
  }
}

function keyOf(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
