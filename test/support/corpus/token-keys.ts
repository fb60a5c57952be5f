import { createHmac } from "node:crypto";
import { base64url, canonicalBase64url } from "../../../src/protocol/encoding.ts";
import { ownHeader, type Part, seededRandom, segment, signSegments, signToken } from "../token-factory.ts";
import { type Case, tokenMaker } from "../token-scene.ts";
import { group, type Reason, type TokenGroups } from "./token-group.ts";

function hmacToken(alg: string, secret: Uint8Array | string, head: Record<string, unknown>, body: Part) {
  const signed = `${segment({ ...head, alg })}.${segment(body)}`;
  const mac = createHmac(`sha${alg.slice(2)}`, secret)
    .update(signed)
    .digest();
  return `${signed}.${base64url(mac)}`;
}

/** What is found first in claims that were altered after they were signed. */
function faultOf(altered: string, issuer: string): Reason {
  try {
    return JSON.parse(altered).iss === issuer ? "signature" : "unknown_issuer";
  } catch {
    return "malformed";
  }
}

export const KEY_GROUPS: TokenGroups = {
  "algorithms: none, another one, a MAC with the public key": async (scene) => {
    const make = tokenMaker(scene);
    const { keys } = scene;
    const { header, claims, idpHeader, idpClaims, mint, mintIdp } = make;
    const spki = new Uint8Array((await crypto.subtle.exportKey("spki", keys.rsa.publicKey)) as ArrayBuffer);
    const base64 = Buffer.from(spki).toString("base64");
    const lines = base64.match(/.{1,64}/g)?.join("\n") ?? "";
    const pem = `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----`;
    const secrets: [string, Uint8Array | string][] = [
      ["pem", pem],
      ["pem and newline", `${pem}\n`],
      ["space and pem", ` ${pem}`],
      ["one line", base64],
      ["der", spki],
      ["jwk", JSON.stringify(keys.rsa.jwk)],
      ["modulus", canonicalBase64url(keys.rsa.jwk.n ?? "") as Uint8Array],
      ["empty", ""],
    ];
    const hostile: Case[] = [];
    for (const alg of ["HS256", "HS384", "HS512"]) {
      for (const [name, secret] of secrets) {
        hostile.push([`${alg} with ${name}`, hmacToken(alg, secret, idpHeader(), idpClaims())]);
        hostile.push([`${alg} with ${name}, ours`, hmacToken(alg, secret, header(), claims())]);
      }
    }
    const body = segment(claims());
    for (const alg of ["none", "None", "NONE", "nOnE", "", "none ", "\u0000none"]) {
      const head = segment(header({ alg }));
      hostile.push([`alg ${alg} without signature`, `${head}.${body}.`]);
      hostile.push([`alg ${alg} with a signature`, signSegments(keys.own, head, body)]);
      hostile.push([`alg ${alg}, two segments`, `${head}.${body}`, "malformed"]);
    }
    for (const alg of [
      "ES384",
      "ES512",
      "ES256K",
      "RS256",
      "PS256",
      "EdDSA",
      "es256",
      "ES256 ",
      "dir",
      "constructor",
    ]) {
      hostile.push([`alg ${alg} on our key`, mint(header({ alg }))]);
    }
    for (const alg of ["RS384", "RS512", "PS256", "ES256", "rs256", "RSA1_5"]) {
      hostile.push([`alg ${alg} on their key`, mintIdp(idpHeader({ alg }))]);
    }
    for (const alg of [null, 256, true, ["ES256"], { name: "ES256" }, undefined]) {
      hostile.push([`alg ${JSON.stringify(alg)}`, mint(header({ alg }))]);
    }
    return group(
      "algorithm",
      [
        ["ours", mint()],
        ["theirs", mintIdp()],
      ],
      hostile,
    );
  },

  "headers that bring a key or an extension": async (scene) => {
    const make = tokenMaker(scene);
    const { keys } = scene;
    const { header, claims, idpHeader, mint, mintIdp } = make;
    const bad: Record<string, unknown> = {
      jwk: keys.stranger.jwk,
      jku: "https://evil.example/jwks.json",
      x5u: "https://evil.example/cert.pem",
      x5c: ["MIIB"],
      crit: ["exp"],
      b64: false,
      zip: "DEF",
      cty: "JWT",
      enc: "A128GCM",
    };
    const hostile: Case[] = Object.entries(bad).flatMap(([name, value]): Case[] => [
      [`${name}, ours`, mint(header({ [name]: value }))],
      [`${name}, theirs`, mintIdp(idpHeader({ [name]: value }))],
      [`${name}: null`, mintIdp(idpHeader({ [name]: null }))],
      [`${name}, signed by a stranger`, signToken(keys.stranger, header({ [name]: value }), claims())],
    ]);
    for (const crit of [[], ["b64"], ["alg"], "exp", {}]) {
      hostile.push([`crit ${JSON.stringify(crit)}`, mintIdp(idpHeader({ crit }))]);
    }
    hostile.push(["b64: true", mintIdp(idpHeader({ b64: true }))]);
    for (const extra of ["x5t", "iat", "nonce"])
      hostile.push([`${extra} in ours`, mint(header({ [extra]: "v" }))]);
    const neighbours: Case[] = [
      ["x5t, a mere hint, in theirs", mintIdp(idpHeader({ x5t: "thumbprint", "x5t#S256": "thumbprint" }))],
      ["a header member that nobody knows", mintIdp(idpHeader({ nonce: "n" }))],
    ];
    return group("malformed", neighbours, hostile);
  },

  "kid: tricks and other types": async (scene) => {
    const make = tokenMaker(scene);
    const { header, idpHeader, mint, mintIdp } = make;
    const { keys } = scene;
    const own = keys.own.kid;
    const strange: [Reason, unknown[]][] = [
      [
        "unknown_key",
        [
          ...[keys.assertion.kid, "idp-1", own.toUpperCase(), `${own}2`, `../../${own}`, `${own},${own}`],
          ...["/dev/null", "__proto__", "constructor", "toString", "*", undefined],
        ],
      ],
      [
        "malformed",
        [
          ...["", " ", `${own} `, ` ${own}`, `${own}\u0000`, `${own}\n`, `${own}' OR '1'='1`, "ö"],
          ...["k".repeat(257), null, 1, true, [own], { kid: own }],
        ],
      ],
    ];
    const theirs: [Reason, unknown[]][] = [
      ["unknown_key", ["idp-b", own]],
      ["malformed", ["", 7, ["idp-1"], "idp-1\n"]],
    ];
    const hostile = [
      ...strange.flatMap(([reason, kids]) =>
        kids.map((kid): Case => [`kid ${JSON.stringify(kid)}`, mint(header({ kid })), reason]),
      ),
      ...theirs.flatMap(([reason, kids]) =>
        kids.map((kid): Case => [`their kid ${JSON.stringify(kid)}`, mintIdp(idpHeader({ kid })), reason]),
      ),
    ];
    return group(
      "unknown_key",
      [
        ["own kid", mint()],
        ["their kid", mintIdp()],
        ["no kid, one key", mintIdp(idpHeader({ kid: undefined }))],
      ],
      hostile,
    );
  },

  "types of other kinds of token": async (scene) => {
    const make = tokenMaker(scene);
    const { keys } = scene;
    const { header, claims, idpHeader, mint, mintIdp } = make;
    const hostile: Case[] = [];
    for (const typ of [
      "JWT",
      "jwt",
      "at+jwt\u0000",
      "at+jwt;x",
      "application/at+jwt ",
      "application/application/at+jwt",
      "text/at+jwt",
      "dpop+jwt",
      "secevent+jwt",
      "logout+jwt",
      "token-introspection+jwt",
      "portcullis-assertion+jwt",
      "AT+JWT",
      "",
      null,
      1,
      ["at+jwt"],
      undefined,
    ]) {
      hostile.push([`typ ${JSON.stringify(typ)}`, mint(header({ typ }))]);
    }
    for (const typ of ["at+jwt", "application/at+jwt", "dpop+jwt", "J WT", "", 0, undefined]) {
      hostile.push([`their typ ${JSON.stringify(typ)}`, mintIdp(idpHeader({ typ }))]);
    }
    hostile.push([
      "an assertion of ours",
      signToken(
        keys.assertion,
        { alg: "ES256", typ: "portcullis-assertion+jwt", kid: keys.assertion.kid },
        claims(),
      ),
    ]);
    hostile.push([
      "an assertion's key",
      signToken(keys.assertion, { ...ownHeader(keys.assertion) }, claims()),
      "unknown_key",
    ]);
    return group(
      "type",
      [
        ["at+jwt", mint()],
        ["application/at+jwt", mint(header({ typ: "application/at+jwt" }))],
        ["jwt", mintIdp(idpHeader({ typ: "jwt" }))],
      ],
      hostile,
    );
  },

  "signatures: altered, of another key, of another token": async (scene) => {
    const make = tokenMaker(scene);
    const { keys } = scene;
    const { header, claims, idpHeader, idpClaims, mint, mintIdp } = make;
    const token = await mint();
    const [head, body, signature] = token.split(".") as [string, string, string];
    const bytes = canonicalBase64url(signature) as Uint8Array;
    const zero = new Uint8Array(32);
    const order = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
    const join = (...parts: Uint8Array[]) => base64url(Buffer.concat(parts));
    const r = bytes.slice(0, 32);
    const s = bytes.slice(32);
    const hostile: Case[] = [
      ["r = s = 0", `${head}.${body}.${join(zero, zero)}`],
      ["r = 0", `${head}.${body}.${join(zero, s)}`],
      ["s = 0", `${head}.${body}.${join(r, zero)}`],
      ["r = n", `${head}.${body}.${join(order, s)}`],
      ["s = n", `${head}.${body}.${join(r, order)}`],
      ["swapped", `${head}.${body}.${join(s, r)}`],
      ["DER", `${head}.${body}.${join(Buffer.from([0x30, 0x44, 2, 32]), r, Buffer.from([2, 32]), s)}`],
      ["one byte more", `${head}.${body}.${join(bytes, Buffer.from([0]))}`],
      ["one byte less", `${head}.${body}.${join(bytes.slice(0, 63))}`],
      ["twice", `${head}.${body}.${join(bytes, bytes)}`],
      ["a stranger's key with our kid", signToken(keys.stranger, header(), claims())],
      ["issuer B's key for A", signToken(keys.idpB, idpHeader(), idpClaims())],
      [
        "issuer B's key and kid for A",
        signToken(keys.idpB, idpHeader({ kid: "idp-b" }), idpClaims()),
        "unknown_key",
      ],
      ["issuer A's key for us", signToken(keys.rsa, header({ alg: "RS256" }), claims()), "algorithm"],
      ["our key for issuer A", signToken(keys.own, idpHeader({ alg: "ES256" }), idpClaims()), "algorithm"],
      ["another payload", `${head}.${segment(claims({ sub: "admin" }))}.${signature}`],
      ["another header", `${segment(header({ typ: "application/at+jwt" }))}.${body}.${signature}`],
    ];
    const random = seededRandom(42);
    for (let i = 0; i < 64; i++) {
      const flipped = bytes.slice();
      const bit = Math.floor(random() * flipped.length * 8);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      hostile.push([`signature bit ${bit}`, `${head}.${body}.${base64url(flipped)}`]);
      const text = JSON.stringify(claims());
      const at = Math.floor(random() * text.length);
      const altered =
        text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) ^ 1) & 0x7f) + text.slice(at + 1);
      hostile.push([
        `payload character ${at}`,
        `${head}.${segment(altered)}.${signature}`,
        faultOf(altered, scene.issuer),
      ]);
    }
    // The twin (r, n - s) is the same statement by the same key: it verifies, and is one token by its jti.
    const twin = (
      BigInt(`0x${order.toString("hex")}`) - BigInt(`0x${Buffer.from(s).toString("hex")}`)
    ).toString(16);
    const twinToken = `${head}.${body}.${join(r, Buffer.from(twin.padStart(64, "0"), "hex"))}`;
    return group(
      "signature",
      [
        ["the token", token],
        ["its twin", twinToken],
        ["theirs", mintIdp()],
      ],
      hostile,
    );
  },
};
