import { AUDIENCE, type Case, IDP, IDP_B, tokenMaker } from "../token-scene.ts";
import { group, type TokenGroups } from "./token-group.ts";

/** JSON text of an object with one member appended as text, so that it can be a duplicate. */
const withText = (part: Record<string, unknown>, member: string) =>
  `${JSON.stringify(part).slice(0, -1)},${member}}`;

export const CLAIM_GROUPS: TokenGroups = {
  "exp, nbf and iat: oddities": async (scene) => {
    const make = tokenMaker(scene);
    const { header, claims, idpHeader, idpClaims, mint, mintIdp } = make;
    const odd = [
      "1800000300",
      "",
      "never",
      null,
      true,
      false,
      [],
      [scene.nowSeconds + 300],
      {},
      { $date: scene.nowSeconds },
      -1,
      1e12,
      (scene.nowSeconds + 300) * 1000,
      1e20,
      1e308,
    ];
    const hostile: Case[] = [];
    for (const name of ["exp", "nbf", "iat"]) {
      for (const value of odd) {
        hostile.push([`${name} ${JSON.stringify(value)}`, mint(header(), claims({ [name]: value }))]);
        hostile.push([
          `their ${name} ${JSON.stringify(value)}`,
          mintIdp(idpHeader(), idpClaims({ [name]: value })),
        ]);
      }
      const { [name]: _gone, ...rest } = claims();
      for (const text of ["1e400", "-1e400"]) {
        hostile.push([`${name} ${text}`, mint(header(), withText(rest, `"${name}":${text}`))]);
      }
    }
    hostile.push(["exp 0", mint(header(), claims({ exp: 0 }))]);
    hostile.push(["exp past", mint(header(), claims({ exp: scene.nowSeconds - 1 })), "expired"]);
    hostile.push(["exp -0", mint(header(), claims({ exp: -0 }))]);
    hostile.push(["no exp", mint(header(), claims({ exp: undefined }))]);
    hostile.push(["no iat", mint(header(), claims({ iat: undefined }))]);
    hostile.push(["no iat, theirs", mintIdp(idpHeader(), idpClaims({ iat: undefined }))]);
    hostile.push([
      "exp in ten years",
      mintIdp(idpHeader(), idpClaims({ exp: scene.nowSeconds + 315_360_000 })),
    ]);
    return group(
      "claims",
      [
        [
          "decimals",
          mint(
            header(),
            claims({
              exp: scene.nowSeconds + 300.5,
              iat: scene.nowSeconds - 0.5,
              nbf: scene.nowSeconds - 0.5,
            }),
          ),
        ],
        ["no nbf", mint(header(), claims({ nbf: undefined }))],
        [
          "iat with an exponent",
          mint(
            header(),
            JSON.stringify(claims()).replace(`"iat":${scene.nowSeconds}`, `"iat":${scene.nowSeconds}e0`),
          ),
        ],
      ],
      hostile,
    );
  },

  "sub, jti and client_id: oddities": async (scene) => {
    const make = tokenMaker(scene);
    const { header, claims, idpHeader, idpClaims, mint, mintIdp } = make;
    const odd = [
      null,
      7,
      1e300,
      true,
      [],
      ["alice"],
      {},
      { sub: "alice" },
      "",
      " ",
      " alice",
      "alice ",
      "a\r\nX-Admin: 1",
      "a\n",
      "a\u0000b",
      "a\tb",
      "a\u007f",
      "a\u0085",
      "a\u200eb",
      "zoë",
      "\u0430dmin",
      "a\u2028b",
      "x".repeat(256),
    ];
    const hostile: Case[] = [];
    for (const name of ["sub", "jti", "client_id", "grant", "sid"]) {
      for (const value of odd)
        hostile.push([`${name} ${JSON.stringify(value)}`, mint(header(), claims({ [name]: value }))]);
    }
    for (const value of odd) {
      hostile.push([`their sub ${JSON.stringify(value)}`, mintIdp(idpHeader(), idpClaims({ sub: value }))]);
      hostile.push([`their jti ${JSON.stringify(value)}`, mintIdp(idpHeader(), idpClaims({ jti: value }))]);
    }
    hostile.push(["jti of 129", mint(header(), claims({ jti: "j".repeat(129) }))]);
    for (const name of ["sub", "jti", "client_id"])
      hostile.push([`no ${name}`, mint(header(), claims({ [name]: undefined }))]);
    hostile.push(["their sub missing", mintIdp(idpHeader(), idpClaims({ sub: undefined }))]);
    return group(
      "claims",
      [
        ["255 characters", mint(header(), claims({ sub: "s".repeat(255), client_id: "c".repeat(255) }))],
        ["jti of 128", mint(header(), claims({ jti: "j".repeat(128) }))],
        ["punctuation", mint(header(), claims({ sub: "auth0|a b@x.org:1/2?", jti: "{a}-1" }))],
        ["no jti in theirs", mintIdp()],
      ],
      hostile,
    );
  },

  "iss and aud: oddities": async (scene) => {
    const make = tokenMaker(scene);
    const { header, claims, idpHeader, idpClaims, mint, mintIdp } = make;
    const hostile: Case[] = [];
    for (const iss of [
      undefined,
      null,
      "",
      1,
      true,
      [],
      [scene.issuer],
      { iss: scene.issuer },
      `${scene.issuer}/`,
      ` ${scene.issuer}`,
      scene.issuer.toUpperCase(),
      "http://auth.example.com",
      `${scene.issuer}#`,
      `${scene.issuer}\u0000`,
      "https://evil.example",
      "demo",
      "__proto__",
      "constructor",
    ]) {
      hostile.push([`iss ${JSON.stringify(iss)}`, mint(header(), claims({ iss })), "unknown_issuer"]);
    }
    for (const iss of [`${IDP}/`, [IDP]]) {
      hostile.push([
        `their iss ${JSON.stringify(iss)}`,
        mintIdp(idpHeader(), idpClaims({ iss })),
        "unknown_issuer",
      ]);
    }
    hostile.push(["our key, their iss", mint(header(), claims({ iss: IDP })), "algorithm"]);
    hostile.push(["their key, ours", mintIdp(idpHeader(), idpClaims({ iss: scene.issuer })), "type"]);
    hostile.push(["their key, another's", mintIdp(idpHeader(), idpClaims({ iss: IDP_B })), "unknown_key"]);
    for (const aud of [
      undefined,
      null,
      "",
      1,
      true,
      {},
      [],
      [""],
      [1],
      [null],
      [AUDIENCE, 1],
      [[AUDIENCE]],
      { aud: AUDIENCE },
      "a\nb",
      " a",
      "x".repeat(513),
      Array.from({ length: 257 }, (_, i) => `a${i}`),
    ]) {
      hostile.push([`aud ${JSON.stringify(aud)?.slice(0, 40)}`, mint(header(), claims({ aud }))]);
      hostile.push([
        `their aud ${JSON.stringify(aud)?.slice(0, 40)}`,
        mintIdp(idpHeader(), idpClaims({ aud })),
      ]);
    }
    return group(
      "claims",
      [
        ["a list of audiences", mint(header(), claims({ aud: [AUDIENCE, "b"] }))],
        ["theirs", mintIdp()],
      ],
      hostile,
    );
  },

  "scope, roles, resources and window: oddities": async (scene) => {
    const make = tokenMaker(scene);
    const { header, claims, mint } = make;
    const hostile: Case[] = [];
    for (const scope of [null, 1, ["orders:read"], {}, 'a"b', "a\\b", "a\tb", "a\nb", "é"]) {
      hostile.push([`scope ${JSON.stringify(scope)}`, mint(header(), claims({ scope }))]);
    }
    for (const roles of [null, "admin", 1, {}, [1], [null], [["admin"]], [""], ["a\u0000"]]) {
      hostile.push([`roles ${JSON.stringify(roles)}`, mint(header(), claims({ roles }))]);
    }
    const detail = (identifier: unknown) => [{ type: "portcullis_resource", identifier }];
    for (const details of [
      null,
      "projects/42",
      {},
      [null],
      ["projects/42"],
      [[]],
      [{}],
      [{ type: 1 }],
      detail(undefined),
      detail(1),
      detail(""),
      detail("/"),
      detail("projects/"),
      detail("projects//42"),
      detail(":id"),
      detail("projects/../x\n"),
      detail("projects/4 2"),
      detail("p".repeat(257)),
      detail(["projects/42"]),
    ]) {
      hostile.push([
        `details ${JSON.stringify(details)?.slice(0, 60)}`,
        mint(header(), claims({ authorization_details: details })),
      ]);
    }
    for (const name of ["access_start", "access_expiry"]) {
      for (const value of [
        null,
        scene.nowSeconds,
        "",
        "tomorrow",
        "2027-13-01T00:00:00Z",
        "2027-01-15T08:00:00",
        ["2027-01-15T08:00:00Z"],
      ]) {
        hostile.push([`${name} ${JSON.stringify(value)}`, mint(header(), claims({ [name]: value }))]);
      }
    }
    hostile.push(["cnf", mint(header(), claims({ cnf: { jkt: "x" } }))]);
    hostile.push(["cnf: null", mint(header(), claims({ cnf: null }))]);
    return group(
      "claims",
      [
        ["no scope", mint(header(), claims({ scope: undefined }))],
        ["empty scope", mint(header(), claims({ scope: "" }))],
        ["no roles", mint(header(), claims({ roles: [] }))],
        ["a wildcard resource", mint(header(), claims({ authorization_details: detail("projects/*") }))],
      ],
      hostile,
    );
  },
};
