import { seededRandom } from "../token-factory.ts";
import { FORGED_NAMES, HARMLESS_NAMES, spellings } from "./header-names.ts";

/** Stands in every value that a client forges: it may reach no origin. */
export const FORGED = "forged";

/** Header lines of one request, as they go over the wire; `kept` are names that the origin must get. */
export type HeaderSet = { what: string; lines: string[]; kept: string[] };

/** A request that is refused for its headers, and why; undefined where the runtime refuses it by itself. */
export type RefusedHeaderSet = { what: string; lines: string[]; reason: string | undefined };

const OURS = [
  ...["X-Portcullis-Assertion", "X-Portcullis-Subject", "X-Portcullis-Scope", "X-Portcullis-Grant"],
  ...["X-Request-Id", "X-Forwarded-Proto", "X-Forwarded-Host"],
];
const KEPT_LINE = "X-Kept: 1";
const KEPT = ["x-kept"];

/** Each name in each spelling. */
export function spelledSets(): HeaderSet[] {
  return FORGED_NAMES.flatMap((name) =>
    spellings(name).map((spelling) => ({
      what: spelling,
      lines: [`${spelling}: ${FORGED}`, KEPT_LINE],
      kept: KEPT,
    })),
  );
}

/** Several at once, in several spellings, sent twice, with white space and commas around what they say. */
export function repeatedSets(seed: number, count: number): HeaderSet[] {
  const { pick, some } = picker(seed);
  return Array.from({ length: count }, () => {
    const name = pick([...FORGED_NAMES, ...OURS.map((own) => own.toLowerCase())]);
    const lines = some(2, 5, () => {
      const value = pick([
        FORGED,
        `\t ${FORGED} \t`,
        `,${FORGED}`,
        `${FORGED}, ${FORGED}`,
        `"${FORGED}"`,
        "",
      ]);
      return `${pick(spellings(name))}:${pick([" ", "", "\t", "   "])}${value}`;
    });
    const harmless = pick(HARMLESS_NAMES.filter((each) => each !== "cookie"));
    lines.splice(Math.floor(lines.length / 2), 0, `${harmless}: 1`);
    return { what: lines.join(" | "), lines: [...lines, KEPT_LINE], kept: [...KEPT, harmless] };
  });
}

/** `Connection` names headers of ours, headers of its own, and what is no name at all. */
export function connectionSets(seed: number, count: number): HeaderSet[] {
  const { pick, some } = picker(seed);
  return Array.from({ length: count }, (_, i) => {
    const hop = `X-Hop-${i}`;
    const named = some(1, 4, () => pick([...OURS, "close", "keep-alive", "@bad name", "", "te"]));
    const connection = pick([
      [`Connection: ${[hop, ...named].join(", ")}`],
      [`Connection: ${named.join(",")}`, `Connection: ${hop}`],
      [`connection:${hop.toLowerCase()} ,\t${named.join(" , ")}`],
    ]);
    const lines = [...connection, `${hop}: ${FORGED}`, `${pick(["TE", "Keep-Alive"])}: ${FORGED}`, KEPT_LINE];
    return { what: lines.join(" | "), lines, kept: KEPT };
  });
}

/** Line endings, folds and characters by which one header hides in another. */
export function smuggledSets(): (HeaderSet | RefusedHeaderSet)[] {
  return ["X-Portcullis-Subject", "X-Forwarded-User", "Remote-User", "X-Original-URL"].flatMap((name) => {
    const line = `${name}: ${FORGED}`;
    const hidden = (what: string, text: string): HeaderSet => ({
      what: `${name} ${what}`,
      lines: [text, KEPT_LINE],
      kept: KEPT,
    });
    const refused = (what: string, text: string): RefusedHeaderSet => ({
      what: `${name} ${what}`,
      lines: [text],
      reason: undefined,
    });
    return [
      hidden("after a bare line feed", `X-A: 1\n${line}`),
      hidden("before a bare line feed", `${line}\nX-A: 1`),
      refused("after a bare carriage return", `X-A: 1\r${line}`),
      refused("after a fold", `X-A: 1\r\n ${line}`),
      refused("as a fold", `X-A:\r\n\t${line}`),
      refused("with a space before the colon", `${name} : ${FORGED}`),
      refused("with a tab before the colon", `${name}\t: ${FORGED}`),
      refused("after a space", ` ${line}`),
      refused("with NUL in the name", `${name}\u0000: ${FORGED}`),
      refused("with NUL in the value", `${name}: a\u0000${FORGED}`),
      refused("with a space in the name", `${name.replace("-", " ")}: ${FORGED}`),
      refused("with a no-break space", `${name}\u00a0: ${FORGED}`),
      refused("with a letter beyond ASCII", `${name}\u00e9: ${FORGED}`),
      refused("with no name", `: ${FORGED}`),
      refused("with no colon", name),
    ];
  });
}

/** Credentials that cannot be read: refused on every route, also where none is needed. */
export function credentialSets(token: string): RefusedHeaderSet[] {
  const lines: [reason: string, ...lines: string[]][] = [
    ...["Basic", "Token", "Bearerx", "JWT", "Negotiate", "Digest", "bearer-"].map(
      (scheme): [string, string] => ["credential_scheme", `Authorization: ${scheme} ${token}`],
    ),
    ["credential_scheme", `Authorization: ${token}`],
    ["credential_scheme", `Authorization: Bearer\t${token}`],
    ["credential_malformed", "Authorization: Bearer"],
    ["credential_malformed", `Authorization: Bearer ${token} x`],
    ["credential_malformed", `Authorization: Bearer "${token}"`],
    ["credential_malformed", `Authorization: Bearer ${token};x`],
    ["credential_malformed", `Authorization: Bearer Bearer ${token}`],
    ["credential_malformed", `Authorization: Bearer \u00a0${token}`],
    ["credential_several", `Authorization: Bearer ${token}, Bearer ${token}`],
    ["credential_several", `Authorization: Bearer ${token},`],
    ["credential_several", `Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`],
    ["credential_several", `Authorization: Bearer ${token}`, "authorization: Basic YTpi"],
    ["credential_several", "AUTHORIZATION: Basic YTpi", `Authorization: Bearer ${token}`],
    ["credential_several", `Authorization: Bearer ${token}`, "Authorization: "],
    ["credential_too_long", `Authorization: Bearer ${"a".repeat(8_193)}`],
    ["token_malformed", "Authorization: Bearer a.b.c"],
    ["token_malformed", "Authorization: bearer undefined"],
  ];
  return lines.map(([reason, ...each]) => ({ what: each.join(" | "), lines: each, reason }));
}

function picker(seed: number) {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const some = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, make);
  return { pick, some };
}
