import type { Json } from "../protocol/json.ts";

type Level = "info" | "warn" | "error";
export type LogFields = Record<string, Json | undefined>;

/** Structured logs, one JSON line each. */
export type Logger = (level: Level, event: string, fields?: LogFields) => void;

const SECRET_NAME = /authorization|cookie|secret|password|token$|assertion|signature|private|claims/i;
const JWT = /eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?/g;
const BEARER = /\b(bearer|basic|dpop)\s+[A-Za-z0-9\-._~+/]+=*/gi;
const WEBHOOK_SECRET = /whsec_[A-Za-z0-9+/=]+/g;
const SLACK_TOKEN = /xox[a-z]-[A-Za-z0-9-]+/g;
/** A value of `SecretBox`; an approval link is one. */
const SEALED = /\bv1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{22,}/g;
const MAX_TEXT_CHARS = 2000;

/** Removes what must never be in a log, by name and by shape; control characters cannot start a new line. */
export function redact(value: Json | undefined, name = ""): Json | undefined {
  if (SECRET_NAME.test(name)) return "[redacted]";
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map((item) => redact(item) ?? null);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, key) ?? null]));
  }
  return value;
}

export function redactText(text: string): string {
  const cut = text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
  return (
    cut
      .replace(JWT, "[token]")
      .replace(BEARER, "$1 [redacted]")
      .replace(WEBHOOK_SECRET, "[secret]")
      .replace(SLACK_TOKEN, "[secret]")
      .replace(SEALED, "[sealed]")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
      .replace(/[\x00-\x1f\x7f]/g, " ")
  );
}

export const consoleLogger: Logger = (level, event, fields = {}) => {
  console[level === "info" ? "log" : level](
    JSON.stringify({ level, event, ...(redact(fields as Json) as object) }),
  );
};

/** The text of whatever was thrown, fit for a log line. */
export function faultText(fault: unknown): string {
  return redactText(fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault));
}
