/** What conditions see of a moment, on the clock of a time zone. */
export type LocalTime = {
  epoch_seconds: number;
  /** 0–23 */
  hour: number;
  minute: number;
  /** 1 is Monday, 7 is Sunday (ISO 8601). */
  weekday: number;
  /** `2026-11-22` */
  date: string;
  zone: string;
};

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** `zone` is a name of the IANA time zone database that `isTimeZone` accepts. */
export function localTime(epochSeconds: number, zone: string): LocalTime {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(epochSeconds * 1000)
      .map(({ type, value }) => [type, value]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? "";
  return {
    epoch_seconds: epochSeconds,
    hour: Number(part("hour")),
    minute: Number(part("minute")),
    weekday: WEEKDAYS.indexOf(part("weekday")) + 1,
    date: `${part("year")}-${part("month")}-${part("day")}`,
    zone,
  };
}

/** Making a format takes as long as using it a hundred times, and few zones come, again and again. */
const formats = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATS = 100;

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  if (formats.size < MAX_FORMATS) formats.set(zone, format);
  return format;
}

/** Names only: an offset such as `+02:00` does not know summer. */
export function isTimeZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
