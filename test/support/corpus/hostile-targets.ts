import type { TargetFault } from "../../../src/edge/target.ts";
import { seededRandom } from "../token-factory.ts";

/** A path and query that no origin may be asked for, and why. */
export type HostileTarget = { target: string; fault: TargetFault };

type Piece = [piece: string, fault: TargetFault];

const hex = (byte: number) => byte.toString(16).padStart(2, "0");
const bothCases = (piece: string) => [...new Set([piece.toLowerCase(), piece.toUpperCase()])];

/** Places in a path where a piece can stand. */
const PLACES = [
  ...["/X", "/X/", "/a/X", "/a/X/b", "/aX", "/aXb", "/a/b/cX", "/X/..x", "/a.X"],
  ...["/orders/X?q=1", "/public/X", "/public/aX/admin"],
];

const UNRESERVED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~";

/** What makes a path hostile wherever it stands. */
export const PIECES: readonly Piece[] = [
  ...pieces("encoded_slash", ...bothCases("%2f"), "..%2f", "%2f..", "%2f%2e%2e%2f"),
  ...pieces("encoded_backslash", ...bothCases("%5c"), "..%5c"),
  ...pieces("encoded_dot", "%2e", "%2E", "%2e%2e", ".%2e", "%2e."),
  ...pieces("encoded_semicolon", "%3b", "%3B", "%3bjsessionid=1"),
  ...pieces("semicolon", ";", ";jsessionid=1", "..;", ";x"),
  ...pieces("double_encoding", "%252f", "%252F", "%255c", "%252e%252e", "%2500", "%2541", "%25ff"),
  ...pieces("malformed_escape", "%", "%g0", "%0g", "%2-", "%u002f", "%%", "%-1", "%+2", "%zz"),
  ...pieces("invalid_utf8", "%ff", "%c0%af", "%c0%ae", "%80", "%c3", "%e0%80%af", "%ed%a0%80"),
  ...pieces("invalid_utf8", "%f4%90%80%80", "%f8%88%80%80%80", "%c3%28"),
  ...pieces("encoded_control", "%c2%85", "%c2%9f", "%e2%80%a8", "%e2%80%a9", "%ef%bb%bf", "%7f"),
  ...pieces("encoded_control", ...Array.from({ length: 0x20 }, (_, byte) => `%${hex(byte)}`)),
  ...pieces("encoded_unreserved", ...[...UNRESERVED].flatMap((c) => bothCases(`%${hex(c.charCodeAt(0))}`))),
  ...pieces("character", ...'"<>^`{|}[]#', " "),
  ...pieces("backslash", "\\", "..\\"),
  ...pieces("non_ascii", "é", "／", "\u2024", "\u{1f600}"),
  ...pieces("control", "\n", "\r\n", "\t", "\u0000", "\u007f"),
];

/** Every piece at every place. */
export function hostileTargets(): HostileTarget[] {
  return PIECES.flatMap(([piece, fault]) =>
    PLACES.map((place) => ({ target: place.replace("X", () => piece), fault })),
  );
}

/** Paths that climb, or that name no segment, by whatever is before and after. */
export function climbingTargets(): HostileTarget[] {
  const steps: Piece[] = [
    ...pieces("dot_segment", "/.", "/..", "/./", "/../", "/../..", "/./.", "/.././"),
    ...pieces("double_slash", "//", "///", "//../", "/..//", "//./"),
  ];
  return ["", "/public", "/public/a", "/a/b/c"].flatMap((before) =>
    ["", "admin", "admin/x", "orders?x=1"].flatMap((after) =>
      steps.flatMap(([step, fault]) => {
        const target = `${before}${step}${after}`;
        // `..admin` is the name of a segment.
        return after !== "" && !step.endsWith("/") ? [] : [{ target, fault }];
      }),
    ),
  );
}

/** Two hostile pieces among plain ones: what stands first is the reason, but for what is looked for at once. */
export function mixedTargets(seed: number, count: number): { target: string; faults: TargetFault[] }[] {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const plain = ["a", "orders", "42", "caf%C3%A9", "@me", "x.y", "a+b", "%25", "~z"];
  return Array.from({ length: count }, () => {
    const [first, second] = [pick(PIECES), pick(PIECES)];
    const segments = [
      pick(plain),
      pick(plain) + first[0],
      pick(plain),
      pick(plain) + second[0] + pick(plain),
    ];
    return { target: `/${segments.join("/")}`, faults: [first[1], second[1]] };
  });
}

/** Their neighbours: accepted, and forwarded as they are. */
export const PLAIN_TARGETS = [
  "/",
  "/orders",
  "/orders/",
  "/a/b/c",
  "/a-b_c.d~e",
  "/.well-known/x",
  "/..x/x../...",
  "/file.tar.gz",
  "/a+b",
  "/a@b",
  "/a:b",
  "/a=b",
  "/a,b",
  "/a!b",
  "/a$b&c'd(e)f*g",
  "/100%25",
  "/%25a",
  "/a%20b",
  "/caf%C3%A9",
  "/%E6%97%A5%E6%9C%AC",
  "/%F0%9F%98%80",
  "/wiki/What%3F",
  "/tag/%23one",
  "/a%22b%3C%3E%5E%60%7B%7C%7D%5B%5D",
];

function pieces(fault: TargetFault, ...each: string[]): Piece[] {
  return each.map((piece) => [piece, fault]);
}
