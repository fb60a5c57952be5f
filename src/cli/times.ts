import { InvalidArgumentError } from "commander";

/** No list answers more at once. */
export const MAX_PAGE = 200;

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `90s`, `15m`, `2h`, `1d`, or several together (`1h30m`), in seconds. */
export function readDuration(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d{1,9})([smhd])/g)];
  const seconds = parts.reduce((total, [, number, unit]) => total + Number(number) * UNITS[unit!]!, 0);
  if (parts.map(([part]) => part).join("") !== text || seconds === 0) {
    throw new InvalidArgumentError("Give a time such as 90s, 15m, 2h or 1h30m.");
  }
  return seconds;
}

/** A moment: `now`, `+2h`, `-1d`, epoch seconds, or ISO 8601; in epoch seconds. */
export function readMoment(text: string, nowSeconds = Math.floor(Date.now() / 1000)): number {
  if (text === "now") return nowSeconds;
  if (/^\d{9,11}$/.test(text)) return Number(text);
  const relative = /^([+-])(.+)$/.exec(text);
  if (relative) return nowSeconds + (relative[1] === "+" ? 1 : -1) * readDuration(relative[2]!);
  const at = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) {
    throw new InvalidArgumentError("Give a moment such as now, +2h, 2026-12-24T18:00Z or epoch seconds.");
  }
  return Math.floor(at / 1000);
}

export function readWholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("Give a whole number above 0.");
  return Number(text);
}

/** `1h 5m`, to the two largest units. */
export function shownDuration(seconds: number): string {
  if (seconds < 1) return "0s";
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const [unit, size] of Object.entries(UNITS).toReversed()) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)}${unit}`);
    rest %= size;
  }
  return parts.slice(0, 2).join(" ");
}

export function shownMoment(seconds: number | undefined): string | undefined {
  if (seconds === undefined) return undefined;
  return new Date(seconds * 1000)
    .toISOString()
    .replace("T", " ")
    .replace(/\.000Z$/, "Z");
}

/** How far away, in words: `in 5m`, `3h ago`. */
export function shownDistance(seconds: number, nowSeconds = Math.floor(Date.now() / 1000)): string {
  const away = seconds - nowSeconds;
  return away >= 0 ? `in ${shownDuration(away)}` : `${shownDuration(-away)} ago`;
}
