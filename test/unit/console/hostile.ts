/** What people and programs write where others read it. */
export const HOSTILE = [
  "<script>alert(1)</script>",
  "</p><img src=x onerror=alert(1)>",
  '"><svg onload=alert(1)>',
  "' onmouseover='alert(1)",
  '" autofocus onfocus="alert(1)',
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "</textarea><script>alert(1)</script>",
  "</title><script>alert(1)</script>",
  "<!--",
  "]]><x>",
  "&lt;b&gt; &amp;quot;",
  "$&$1$$",
  "../../session/sign-out?x=1#y",
  "//evil.example/%2e%2e/?done=approved",
  '=HYPERLINK("https://evil.example")',
  "line one\nline two",
  "\u202egnp.exe",
  "\u0000\u001b[31m",
  "𝕳\ud800",
  "al\u200bice\u2066\ufeff",
  "=1+1\r\n+cmd|' /C calc'!A0\r\n@SUM(1)\t-2",
  '{"level":"info","event":"grant.revoked"}\n{"level":"info"}',
  "x".repeat(4_000),
];

/** Elements with the names of their attributes, in order: what a text must not change. */
export function skeleton(html: string): string[] {
  return Array.from(
    html.matchAll(/<(!?\/?[a-z][a-z0-9]*)((?:[^>"]|"[^"]*")*)>/gi),
    ([, name, attributes]) => {
      const names = Array.from(attributes!.matchAll(/([^\s="]+)(?:="[^"]*")?/g), ([, each]) => each);
      return [name, ...names].join(" ");
    },
  );
}

/** Addresses that the page leads to. */
export function addresses(html: string): string[] {
  return Array.from(html.matchAll(/ (?:href|src|action)="([^"]*)"/g), ([, each]) => each!);
}
