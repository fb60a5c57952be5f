import type { RefusedHeaderSet } from "./header-sets.ts";

/** Characters that some cookie parser takes off a name, or reads another one for (UTF-8 as it goes over the wire). */
const INVISIBLE = ["\u00a0", "\u0085", "\u1680", "\u2003", "\u2028", "\u200b", "\u3000", "\ufeff", "\u00ad"];

/** Names that a careless reader takes for a cookie's: another case, or something around it or in it. */
function lookalikes(name: string): string[] {
  const [prefix, ...rest] = name.split("-");
  return [
    ...[name.toLowerCase(), name.toUpperCase(), `${prefix!.toLowerCase()}-${rest.join("-")}`],
    ...[`${prefix}-${rest.join("-").toUpperCase()}`, `${name} `, `${name}\t`],
    ...INVISIBLE.flatMap((odd) => [
      `${odd}${name}`,
      `${name}${odd}`,
      `${name.slice(0, 3)}${odd}${name.slice(3)}`,
    ]),
  ];
}

/** Requests whose cookies say two things, or one that cannot be read. */
export function refusedCookieSets(name: string, token: string, other: string): RefusedHeaderSet[] {
  const set = (reason: string, ...cookies: string[]): RefusedHeaderSet => {
    const lines = cookies.map((cookie) => `Cookie: ${Buffer.from(cookie, "utf8").toString("latin1")}`);
    return { what: cookies.join(" | "), lines, reason: `credential_${reason}` };
  };
  const good = `${name}=${token}`;
  return [
    ...lookalikes(name).flatMap((like) =>
      [`${like}=${other}`, `${like}=`, like].flatMap((tossed) => [
        set("several", `${tossed}; ${good}`),
        set("several", `${good}; ${tossed}`),
        set("several", `a=1; ${tossed};b=2;${good}; c=3`),
      ]),
    ),
    ...lookalikes(name).map((like) => set("several", `${like}=${token}`)),
    ...[`${good}; ${good}`, `${good}; ${name}=${other}`, `${good};${name}=`, `${good}; ${name}`].map(
      (cookie) => set("several", cookie),
    ),
    set("several", good, good),
    set("several", good, `${name}=${other}`),
    ...[
      `"${token}"`,
      `${token} x`,
      `${token}%20`,
      `Bearer ${token}`,
      `${token}\\`,
      "a=b=c=",
      `(${token})`,
    ].map((value) => set("malformed", `${name}=${value}`)),
    set("several", `${name}=${token},${token}`),
    set("too_long", `${name}=${"a".repeat(8_193)}`),
    ...[
      "",
      "; ",
      ";;",
      "a=1",
      "Host-token=x",
      `x${name}=${token}`,
      `${name}x=${token}`,
      `${name}=`,
      `=${token}`,
    ].map((cookie) => set("missing", cookie)),
  ];
}

/** Cookies of which exactly one is the token: let through, and the rest goes on as it is. */
export function goodCookies(name: string, token: string): { cookie: string; rest: string | undefined }[] {
  const good = `${name}=${token}`;
  return [
    { cookie: good, rest: undefined },
    { cookie: `${good};`, rest: undefined },
    { cookie: `a=1; ${good}`, rest: "a=1" },
    { cookie: `${good}; theme="dark"; b=`, rest: 'theme="dark"; b=' },
    { cookie: `a=1;${good};b=2`, rest: "a=1; b=2" },
    { cookie: `x${name}=${token}; ${good}`, rest: `x${name}=${token}` },
    { cookie: `${good}; lang=de`, rest: "lang=de" },
  ];
}

/** What a browser says of a request that another site had it make, and of one that it made itself. */
export const FETCH_SITES: { lines: string[]; crossSite: boolean }[] = [
  { lines: ["Sec-Fetch-Site: cross-site"], crossSite: true },
  { lines: ["Sec-Fetch-Site: same-site"], crossSite: true },
  { lines: ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"], crossSite: true },
  { lines: ["Sec-Fetch-Site: cross-site", "Content-Type: text/plain"], crossSite: true },
  { lines: ["Sec-Fetch-Site: Same-Origin"], crossSite: true },
  { lines: ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"], crossSite: true },
  { lines: ["Sec-Fetch-Site: "], crossSite: true },
  { lines: ["Origin: https://evil.example"], crossSite: true },
  { lines: ["Origin: null"], crossSite: true },
  { lines: ["Origin: http://127.0.0.1"], crossSite: true },
  {
    lines: ["Origin: https://evil.example", "Content-Type: application/x-www-form-urlencoded"],
    crossSite: true,
  },
  {
    lines: ["Origin: https://evil.example", "Content-Type: multipart/form-data; boundary=x"],
    crossSite: true,
  },
  { lines: ["Origin: https://evil.example", "X-Requested-With: XMLHttpRequest"], crossSite: true },
  { lines: ["Sec-Fetch-Site: same-origin"], crossSite: false },
  { lines: ["Sec-Fetch-Site: none"], crossSite: false },
  { lines: [], crossSite: false },
  // The runtime takes this one for no field at all; no browser sends it.
  { lines: ["Origin: "], crossSite: false },
];
