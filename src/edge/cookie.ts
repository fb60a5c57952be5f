import { err, ok, type Result } from "../protocol/result.ts";

type Pair = { name: string; value: string; text: string };

/**
 * The value of the cookie with exactly this name (RFC 6265 §5.4), null where there is none. Refused where a
 * second cookie has the name, or one that some parser takes for it: another case, or characters around it
 * that are no part of a name, by which a cookie without the `__Host-` prefix passes for one with it.
 */
export function cookieValue(header: string, name: string): Result<string | null, "several"> {
  const lookalikes = pairs(header).filter((pair) => folded(pair.name) === folded(name));
  if (lookalikes.length > 1) return err("several");
  const [only] = lookalikes;
  if (!only) return ok(null);
  return only.name === name ? ok(only.value) : err("several");
}

/** Whether a `Cookie` header has the cookie, in any spelling. */
export function hasCookie(header: string, name: string): boolean {
  return pairs(header).some((pair) => folded(pair.name) === folded(name));
}

/** The header without the cookie, in whatever spelling. */
export function withoutCookie(header: string, name: string): string {
  return pairs(header)
    .filter((pair) => folded(pair.name) !== folded(name))
    .map(({ text }) => text)
    .join("; ");
}

function pairs(header: string): Pair[] {
  return header.split(";").map((part) => {
    // Only what RFC 6265 §4.2.1 puts between pairs: `trim` would take no-break spaces off a name as well.
    const text = part.replace(/^[ \t]+|[ \t]+$/g, "");
    const equals = text.indexOf("=");
    if (equals === -1) return { name: text, value: "", text };
    return { name: text.slice(0, equals), value: text.slice(equals + 1), text };
  });
}

function folded(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, "").toLowerCase();
}
