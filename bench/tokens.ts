import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const ISSUER = "https://idp.example.com/realms/staff";
export const AUDIENCE = "https://gate.example.com";
const ASYMMETRIC = ["ES256", "RS256", "EdDSA"] as const;
export type Asymmetric = (typeof ASYMMETRIC)[number];
export type Algorithm = Asymmetric | "HS256";

/** Tokens in a file, and how a run uses them: so many of them in constant use, by so many of 100 requests. */
export type TokenMix = { file: string; count: number; hot: number; hotPercent: number; next: number };

type Pair = { privateKey: KeyObject; publicKey: KeyObject };

/** An identity provider of the bench: a key for each algorithm, and tokens that differ in subject and id. */
export class BenchIssuer {
  readonly #keys: Record<Asymmetric, Pair> = {
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    EdDSA: generateKeyPairSync("ed25519"),
  };
  /** What it would share with whoever verifies HS256. */
  readonly secret = randomBytes(32).toString("base64url");
  readonly #folder: string;
  #made = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  jwks() {
    return {
      keys: ASYMMETRIC.map((alg) => ({
        ...(this.#keys[alg].publicKey.export({ format: "jwk" }) as object),
        ...{ kid: kidOf(alg), alg, use: "sig" },
      })),
    };
  }

  pem(alg: Asymmetric): string {
    return this.#keys[alg].publicKey.export({ format: "pem", type: "spki" }) as string;
  }

  jwk(alg: Asymmetric): object {
    return this.jwks().keys[ASYMMETRIC.indexOf(alg)]!;
  }

  /** A file of new tokens; absent `hot`: all of them are in constant use. `skips`: by their `jti`. */
  mix(
    alg: Algorithm,
    count: number,
    { hot = count, hotPercent = 100, typ = "at+jwt", skips = (_jti: string): boolean => false } = {},
  ): TokenMix {
    const file = join(this.#folder, `tokens-${this.#made}.txt`);
    const lines: string[] = [];
    while (lines.length < count) {
      if (skips(jtiOf(this.#made))) this.#made++;
      else lines.push(this.#token(alg, typ));
    }
    writeFileSync(file, `${lines.join("\n")}\n`);
    return { file, count, hot, hotPercent, next: 0 };
  }

  #token(alg: Algorithm, typ: string): string {
    const n = this.#made++;
    const now = Math.floor(Date.now() / 1000);
    const header = { alg, typ, kid: kidOf(alg) };
    const claims = {
      ...{ iss: ISSUER, aud: AUDIENCE, sub: `user-${n}`, client_id: "web", iat: now, exp: now + 3 * 3600 },
      ...{ jti: jtiOf(n), scope: "orders:read orders:write" },
      ...{ roles: ["developer", "support"] },
    };
    const signed = `${encode(header)}.${encode(claims)}`;
    if (alg === "HS256") {
      return `${signed}.${createHmac("sha256", this.secret).update(signed).digest("base64url")}`;
    }
    const { privateKey } = this.#keys[alg];
    const signature = sign(alg === "EdDSA" ? null : "sha256", Buffer.from(signed), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
    });
    return `${signed}.${signature.toString("base64url")}`;
  }
}

function jtiOf(n: number): string {
  return `tok_${n.toString(36).padStart(26, "0")}`;
}

function kidOf(alg: Algorithm): string {
  return `bench-${alg.toLowerCase()}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
