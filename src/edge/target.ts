import { err, ok, type Result } from "../protocol/result.ts";

/** Where a request goes. `path` and `search` are the very characters that the origin gets. */
export type Target = {
  scheme: "http" | "https";
  /** In lower case, with the port if the URL has one. */
  host: string;
  path: string;
  /** With its `?`, or empty. */
  search: string;
  /** The path in its one spelling, for the route table: what may stand plainly does, hex is upper case. */
  routePath: string;
};

/** Why a request target is refused before any route is looked for. */
export type TargetFault =
  | "too_long"
  | "scheme"
  | "host"
  | "userinfo"
  | "control"
  | "non_ascii"
  | "character"
  | "backslash"
  | "semicolon"
  | "double_slash"
  | "dot_segment"
  | "malformed_escape"
  | "invalid_utf8"
  | "double_encoding"
  | "encoded_slash"
  | "encoded_backslash"
  | "encoded_dot"
  | "encoded_semicolon"
  | "encoded_control"
  | "encoded_unreserved";

export const MAX_URL_CHARS = 8192;
export const MAX_PATH_CHARS = 2048;

const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
/** RFC 3986 `pchar` without `;`, and the slash: all that a path holds but for its percent-encoded bytes. */
const PLAIN_PATH = /^\/[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/;
const PATH_CHARACTER = /[A-Za-z0-9\-._~!$&'()*+,=:@/%]/;
const SEARCH = /^[\x21\x22\x24-\x7e]*$/;
const SEARCH_CHARACTER = /[\x21\x22\x24-\x7e]/;
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/;
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;
const UNRESERVED = /[A-Za-z0-9\-_~]/;
/** May stand plainly in a segment, beside the unreserved characters (RFC 3986 §3.3). */
const PLAIN_RESERVED = /[!$&'()*+,=:@]/;
/** C1 controls, line and paragraph separator, byte order mark. */
const UNICODE_CONTROL = /[\u0080-\u009f\u2028\u2029\ufeff]/;

/**
 * Takes a request URL apart, as the runtime hands it over, and refuses a path that an origin could read as
 * another one than the route table does: encoded separators and dots, double encoding, needlessly encoded
 * characters, empty and dot segments. Does not rely on the runtime: some resolve dot segments, and workerd
 * by itself hands over `/./`, `%2e%2e` and `\\` as they were sent.
 *
 * The query does not decide the route: any visible ASCII may stand in it, `%2F`, `%00` or a lone `%` too.
 * It reaches the origin as it is, but for `'`, which the platform's `fetch` writes as `%27`.
 */
export function readTarget(url: string): Result<Target, TargetFault> {
  if (url.length > MAX_URL_CHARS) return err("too_long");
  const scheme = url.startsWith("https://") ? "https" : url.startsWith("http://") ? "http" : undefined;
  if (!scheme) return err("scheme");
  const hostAt = scheme.length + 3;
  const slash = url.indexOf("/", hostAt);
  const query = url.indexOf("?", hostAt);
  if (slash === -1 || (query !== -1 && query < slash)) return err("host");
  let host = url.slice(hostAt, slash);
  // Nearly every client sends it in lower case.
  if (!HOST.test(host)) {
    host = host.toLowerCase();
    if (!HOST.test(host)) return err(host.includes("@") ? "userinfo" : "host");
  }
  const path = query === -1 ? url.slice(slash) : url.slice(slash, query);
  const search = query === -1 ? "" : url.slice(query);
  if (!SEARCH.test(search)) return err(characterFault(search, SEARCH_CHARACTER));
  const routePath = readPath(path);
  return routePath.ok ? ok({ scheme, host, path, search, routePath: routePath.value }) : routePath;
}

function readPath(path: string): Result<string, TargetFault> {
  if (path.length > MAX_PATH_CHARS) return err("too_long");
  if (path.includes("//")) return err("double_slash");
  if (path.includes("/.") && DOT_SEGMENT.test(path)) return err("dot_segment");
  return PLAIN_PATH.test(path) ? ok(path) : readEscapedPath(path);
}

/** The path with each escape in its one spelling, or what is wrong with the first bad character or escape. */
function readEscapedPath(path: string): Result<string, TargetFault> {
  let routePath = "";
  for (let i = 0; i < path.length; i++) {
    const character = path[i]!;
    if (character !== "%") {
      if (!PATH_CHARACTER.test(character)) return err(characterFault(character, PATH_CHARACTER));
      routePath += character;
      continue;
    }
    const pair = path.slice(i + 1, i + 3);
    if (!HEX_PAIR.test(pair)) return err("malformed_escape");
    const encoded = String.fromCharCode(Number.parseInt(pair, 16));
    const fault = escapeFault(encoded, path.slice(i + 3, i + 5));
    if (fault) return err(fault);
    routePath += PLAIN_RESERVED.test(encoded) ? encoded : `%${pair.toUpperCase()}`;
    i += 2;
  }
  const decoded = decode(path);
  if (decoded === undefined) return err("invalid_utf8");
  return UNICODE_CONTROL.test(decoded) ? err("encoded_control") : ok(routePath);
}

function escapeFault(encoded: string, next: string): TargetFault | undefined {
  if (encoded === "/") return "encoded_slash";
  if (encoded === "\\") return "encoded_backslash";
  if (encoded === ".") return "encoded_dot";
  if (encoded === ";") return "encoded_semicolon";
  if (encoded === "%") return HEX_PAIR.test(next) ? "double_encoding" : undefined;
  if (encoded < " " || encoded === "\x7f") return "encoded_control";
  return UNRESERVED.test(encoded) ? "encoded_unreserved" : undefined;
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** What the first character that is not allowed is. */
function characterFault(text: string, allowed: RegExp): TargetFault {
  const character = [...text].find((each) => !allowed.test(each)) ?? "";
  if (character < " " || character === "\x7f") return "control";
  if (character > "~") return "non_ascii";
  if (character === "\\") return "backslash";
  return character === ";" ? "semicolon" : "character";
}
