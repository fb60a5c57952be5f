/** What JSON can hold; RPC and SQL rows carry this instead of `unknown`. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

/**
 * Parses JSON and refuses duplicate members (RFC 8725 §2.4, RFC 7519 §4), which parsers of different make
 * read differently. Returns undefined for anything that is not one well-formed JSON object.
 */
export function parseUniqueObject(text: string): Record<string, Json> | undefined {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  return hasDuplicateMembers(text) ? undefined : value;
}

/** Walks well-formed JSON text once; a set of names for each open object. */
function hasDuplicateMembers(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  let i = 0;
  while (i < text.length) {
    const ch = text[i];
    if (ch === "{") open.push(new Set());
    else if (ch === "[") open.push(null);
    else if (ch === "}" || ch === "]") open.pop();
    else if (ch === '"') {
      const end = endOfString(text, i);
      const names = open[open.length - 1];
      if (names && followedByColon(text, end)) {
        const quoted = text.slice(i, end);
        const name: string = quoted.includes("\\") ? JSON.parse(quoted) : quoted.slice(1, -1);
        if (names.has(name)) return true;
        names.add(name);
      }
      i = end;
      continue;
    }
    i++;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

function followedByColon(text: string, from: number): boolean {
  let i = from;
  while (text[i] === " " || text[i] === "\t" || text[i] === "\n" || text[i] === "\r") i++;
  return text[i] === ":";
}
