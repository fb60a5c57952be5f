const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** A length of time in its two largest units, or exactly in `units`: `1 h 30 min`, `45 s`. */
export function durationText(seconds: number, units = 2): string {
  let left = Math.max(0, Math.floor(seconds));
  const first = UNITS.findIndex(([, size]) => left >= size);
  if (first === -1) return "0 s";
  const parts: string[] = [];
  for (const [unit, size] of UNITS.slice(first, first + units)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}

const PART = /^(\d{1,7}) ?(d|h|min|m|s)(?: |(?=\d)|$)/;

/** The seconds of a length of time with units, as `durationText` writes it or shorter; undefined for other text. */
export function readDuration(text: string): number | undefined {
  let left = text.trim().toLowerCase();
  let seconds = 0;
  while (left !== "") {
    const [whole, count, unit] = PART.exec(left) ?? [];
    const size = UNITS.find(([name]) => name === (unit === "m" ? "min" : unit))?.[1];
    if (whole === undefined || size === undefined) return undefined;
    seconds += Number(count) * size;
    left = left.slice(whole.length);
  }
  return seconds > 0 ? seconds : undefined;
}

/** `22 Nov 2026 11:05 UTC`. */
export function dateText(epochSeconds: number): string {
  const [, day, month, year, time] = /, (\d+) (\w+) (\d+) (\d+:\d+)/.exec(
    new Date(epochSeconds * 1000).toUTCString(),
  )!;
  return `${Number(day)} ${month} ${year} ${time} UTC`;
}
