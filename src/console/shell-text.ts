/** One word for a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
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
