import type { RevocationsCreateBody } from "../client/contract.ts";

/** One word for a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A word as people write it: in quotes only where the shell would take it for something else. */
function word(text: string): string {
  return /^[\w./:@,+%][\w./:@,+%-]*$/.test(text) ? text : quoted(text);
}

/** A call of the HTTP contract as a `curl` command; the access token is in the shell's `$TOKEN`. */
export function curlText(method: "GET" | "POST", url: string, body?: object): string {
  const lines = [
    `curl ${method === "POST" ? "-X POST " : ""}${quoted(url)}`,
    `-H "Authorization: Bearer $TOKEN"`,
    ...(body ? ["-H 'Content-Type: application/json'", `--data ${quoted(JSON.stringify(body))}`] : []),
  ];
  return lines.join(" \\\n  ");
}

/** What a phone shows in one line. */
const MAX_LINE = 36;

/** A call of the command line. An option of `undefined` is left out, one of `true` has no value. */
export function portcullisText(
  words: readonly string[],
  options: Readonly<Record<string, string | true | undefined>> = {},
): string {
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [value === true ? `--${name}` : `--${name} ${word(value)}`],
  );
  const parts = [["portcullis", ...words.map(word)].join(" "), ...given];
  const line = parts.join(" ");
  return line.length <= MAX_LINE ? line : parts.join(" \\\n  ");
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** A length of time as the command line takes it: `1h30m`. */
export function shellDuration(seconds: number): string {
  let left = seconds;
  return UNITS.map(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count > 0 ? `${count}${unit}` : "";
  }).join("");
}

const MATCH_OPTIONS = {
  ...{ jti: "token", grant: "grant", session: "session", sub: "subject", client_id: "client" },
  ...{ kid: "key", jkt: "sender-key", iss: "from-issuer" },
} as const satisfies Partial<Record<keyof RevocationsCreateBody["match"], string>>;

/** A revocation as a command; undefined for one that the command line cannot make. */
export function revokeText({
  match,
  effect,
  issued_before,
  reason,
  expires_at,
  emergency,
}: RevocationsCreateBody): string | undefined {
  const members = Object.entries(match) as [keyof typeof match, string][];
  const named = members.map(([member, value]) => [
    MATCH_OPTIONS[member as never] as string | undefined,
    value,
  ]);
  if (effect || emergency || named.some(([option]) => option === undefined)) return undefined;
  return portcullisText(["revoke"], {
    ...Object.fromEntries(named),
    "issued-before": issued_before?.toString(),
    expires: expires_at?.toString(),
    reason,
  });
}
