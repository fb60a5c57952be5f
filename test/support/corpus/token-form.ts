import { base64url, utf8 } from "../../../src/protocol/encoding.ts";
import { seededRandom, segment, signSegments } from "../token-factory.ts";
import { type Case, tokenMaker } from "../token-scene.ts";
import { group, type TokenGroups } from "./token-group.ts";

/** JSON text of an object with one member appended as text, so that it can be a duplicate. */
const withText = (part: Record<string, unknown>, member: string) =>
  `${JSON.stringify(part).slice(0, -1)},${member}}`;

/** RFC 7518 §4.8: whoever decrypts hashes as often as the token says. */
const SLOW_JWE = { alg: "PBES2-HS512+A256KW", enc: "A256GCM", p2c: 2 ** 31 - 1, p2s: "AAAA", typ: "at+jwt" };

export const FORM_GROUPS: TokenGroups = {
  "base64url that is not canonical, and other spellings of one token": async (scene) => {
    const make = tokenMaker(scene);
    const { mint } = make;
    const token = await mint();
    const [head, body, signature] = token.split(".") as [string, string, string];
    const hostile: Case[] = [];
    const respell = (at: number, text: string) =>
      [head, body, signature].map((s, i) => (i === at ? text : s)).join(".");
    [head, body, signature].forEach((part, at) => {
      const random = seededRandom(at + 1);
      const middle = 1 + Math.floor(random() * (part.length - 2));
      for (const [name, text] of [
        ["padding", `${part}=`],
        ["two paddings", `${part}==`],
        ["space before", ` ${part}`],
        ["space after", `${part} `],
        ["newline inside", `${part.slice(0, middle)}\n${part.slice(middle)}`],
        ["tab inside", `${part.slice(0, middle)}\t${part.slice(middle)}`],
        ["NUL inside", `${part.slice(0, middle)}\u0000${part.slice(middle)}`],
        ["zero-width space", `${part.slice(0, middle)}\u200b${part.slice(middle)}`],
        ["padding inside", `${part.slice(0, middle)}=${part.slice(middle)}`],
        ["plus", `${part.slice(0, middle)}+${part.slice(middle + 1)}`],
        ["slash", `${part.slice(0, middle)}/${part.slice(middle + 1)}`],
        ["percent", `${part.slice(0, middle)}%41${part.slice(middle)}`],
        ["one character more", `${part}A`],
        ["one character less", part.slice(0, -1)],
        ["empty", ""],
      ] as const) {
        // What is left of a signature may be canonical, and is none.
        const spelled = at === 2 && (name === "empty" || name === "one character more");
        hostile.push([`segment ${at}: ${name}`, respell(at, text), spelled ? "signature" : "malformed"]);
      }
    });
    // A header or a signature whose last character has spare bits, with every other value of them.
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const at of [0, 1, 2]) {
      const part = [head, body, signature][at] as string;
      const spare = [1, 0, 16, 4][part.length % 4] as number;
      const value = alphabet.indexOf(part.at(-1) as string);
      for (let bits = 1; bits < spare; bits++) {
        hostile.push([
          `segment ${at}: spare bits ${bits}`,
          respell(at, part.slice(0, -1) + alphabet[value + bits]),
        ]);
      }
    }
    return group("malformed", [["the canonical one", token]], hostile);
  },

  "another number of segments, JWE, and JSON serialization": async (scene) => {
    const make = tokenMaker(scene);
    const { header, claims, mint } = make;
    const token = await mint();
    const [head, body, signature] = token.split(".") as [string, string, string];
    return group(
      "malformed",
      [["three segments", token]],
      [
        ["empty", ""],
        ["one", head],
        ["two", `${head}.${body}`],
        ["four", `${token}.${signature}`],
        ["five, as a JWE", `${head}..${body}.${signature}.${signature}`],
        ["a JWE whose key takes minutes to derive", `${segment(SLOW_JWE)}.${signature}.AAAA.${body}.AAAA`],
        ["the same, as a JWS", mint(SLOW_JWE)],
        ["a JWE of compressed zeros", `${segment({ ...SLOW_JWE, zip: "DEF" })}..AAAA.${body}.AAAA`],
        ["leading dot", `.${token}`],
        ["trailing dot", `${token}.`],
        ["double dot", `${head}..${signature}`],
        ["dots only", ".."],
        ["JSON serialization", JSON.stringify({ protected: head, payload: body, signature })],
        ["two tokens", `${token},${token}`],
        ["scheme inside", `Bearer ${token}`],
        ["newline after", `${token}\n`],
        ["byte order mark", `\ufeff${token}`],
        ["over the length", mint(header(), claims({ pad: "x".repeat(9000) }))],
      ],
    );
  },

  "duplicate members, in any spelling and depth": async (scene) => {
    const make = tokenMaker(scene);
    const { header, claims, idpHeader, mint, mintIdp } = make;
    const dup = (member: string) => mint(header(), withText(claims(), member));
    return group(
      "malformed",
      [
        ["the same name at two depths", mint(header(), claims({ act: { sub: "svc", iss: "x" } }))],
        ["the name as a value", mint(header(), claims({ note: ["sub", "sub"] }))],
      ],
      [
        ["sub", dup('"sub":"admin"')],
        ["sub escaped", dup('"\\u0073ub":"admin"')],
        ["exp", dup('"exp":9999999999')],
        ["aud", dup('"aud":"x"')],
        ["scope", dup('"scope":"admin"')],
        ["iss", dup(`"iss":"${scene.issuer}"`)],
        ["unknown name", dup('"x":1,"x":2')],
        ["nested", dup('"act":{"sub":"a","sub":"b"}')],
        ["in an array", dup('"list":[{"a":1,"a":2}]')],
        ["__proto__", dup('"__proto__":{},"__proto__":{}')],
        ["header alg", mint(withText(header(), '"alg":"none"'))],
        ["header alg, same", mint(withText(header(), '"alg":"ES256"'))],
        ["header kid", mint(withText(header(), `"kid":"${scene.keys.own.kid}"`))],
        ["header kid escaped", mint(withText(header(), `"k\\u0069d":"${scene.keys.own.kid}"`))],
        ["their header", mintIdp(withText(idpHeader(), '"typ":"JWT"'))],
      ],
    );
  },

  "payloads and headers that are not one JSON object in UTF-8": async (scene) => {
    const make = tokenMaker(scene);
    const { keys } = scene;
    const { header, claims, mint } = make;
    const texts = [
      "",
      "null",
      "true",
      "1",
      '"text"',
      "[]",
      "{",
      "{}{}",
      "{}x",
      "{'a':1}",
      '{"a":1,}',
      "NaN",
      "\ufeff{}",
      "// {}",
    ];
    const hostile: Case[] = texts.flatMap((text): Case[] => [
      [`payload ${text}`, mint(header(), text)],
      [`header ${text}`, mint(text)],
    ]);
    const bytes = utf8(JSON.stringify(claims({ sub: "X" })));
    const at = bytes.indexOf("X".charCodeAt(0));
    for (const bad of [0xff, 0xc0, 0x80, 0xed]) {
      const broken = bytes.slice();
      broken[at] = bad;
      hostile.push([
        `byte ${bad.toString(16)}`,
        signSegments(keys.own, segment(header()), base64url(broken)),
      ]);
    }
    const inArray = JSON.stringify([claims()]);
    hostile.push(["claims in an array", mint(header(), inArray)]);
    hostile.push(["a nested token", mint(header(), JSON.stringify(await mint()))]);
    hostile.push([
      "deep nesting",
      mint(header(), `${'{"a":'.repeat(900)}1${"}".repeat(900)}`),
      "unknown_issuer",
    ]);
    return group(
      "malformed",
      [
        ["white space around", mint(header(), ` ${JSON.stringify(claims(), null, 2)}\n`)],
        ["UTF-8 in a claim that is not used", mint(header(), claims({ name: "Zoë" }))],
      ],
      hostile,
    );
  },
};
