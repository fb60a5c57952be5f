import type { TrustedIssuer } from "../../src/policy/document.ts";
import { issuerSchema } from "../../src/policy/issuer-schema.ts";
import { RemoteKeys } from "../../src/tokens/remote-keys.ts";
import {
  type TokenFault,
  type VerifiedToken,
  type VerifyContext,
  verifyAccessToken,
} from "../../src/tokens/verify.ts";
import { newKey, ownClaims, ownHeader, type Part, signToken, type TestKey } from "./token-factory.ts";

export const ISSUER = "https://auth.example.com";
export const IDP = "https://idp.example.net";
export const IDP_B = "https://b.example.net";
export const AUDIENCE = "https://orders.example.com";
export const NOW = 1_800_000_000;

/** A hostile token, or a good one, by what sets it apart; the reason where it is not that of its group. */
export type Case = [name: string, token: string | Promise<string>, reason?: TokenFault["reason"]];
type Changes = Record<string, unknown>;

/** Our keys, those of two trusted issuers, and a stranger's that has our `kid`. */
export type Scene = {
  keys: { own: TestKey; assertion: TestKey; rsa: TestKey; idpB: TestKey; stranger: TestKey };
  /** Of our tokens. */
  issuer: string;
  nowSeconds: number;
};

/** A scene of its own, and what verifies its tokens. */
export type VerifierScene = Scene & { context: VerifyContext };

/** An issuer as the policy names it, with one inline key. */
export function trustedIssuer(key: TestKey, changes: Changes = {}): TrustedIssuer {
  return issuerSchema.parse({
    id: "demo",
    issuer: IDP,
    jwks: { keys: [key.jwk] },
    algorithms: ["RS256"],
    audience: "portcullis",
    token_types: ["JWT"],
    claims: { roles: "groups", scopes: "scope" },
    ...changes,
  });
}

export async function newScene(): Promise<VerifierScene> {
  const [own, assertion, rsa, idpB, stranger] = await Promise.all([
    newKey("ES256", "own-1"),
    newKey("ES256", "assertion-1"),
    newKey("RS256", "idp-1"),
    newKey("RS256", "idp-b"),
    newKey("ES256", "own-1"),
  ]);
  const demo = trustedIssuer(rsa);
  const b = trustedIssuer(idpB, { id: "b", issuer: IDP_B });
  const context: VerifyContext = {
    issuer: ISSUER,
    keys: new Map([
      [own.kid, { kid: own.kid, purpose: "access_token", alg: own.alg, key: own.publicKey }],
      [assertion.kid, { kid: assertion.kid, purpose: "assertion", alg: "ES256", key: assertion.publicKey }],
    ]),
    issuers: new Map([
      [IDP, demo],
      [IDP_B, b],
    ]),
    remoteKeys: new RemoteKeys({
      fetch: () => Promise.reject(new Error("a hostile token caused a fetch")),
      clock: () => NOW * 1000,
      log: () => {
        throw new Error("a hostile token caused a fetch");
      },
    }),
    nowSeconds: NOW,
  };
  return { keys: { own, assertion, rsa, idpB, stranger }, issuer: ISSUER, nowSeconds: NOW, context };
}

/** What one of our tokens, and one of the trusted issuer's, is made of. */
export function tokenMaker({ keys, issuer, nowSeconds }: Scene) {
  const header = (changes: Changes = {}): Changes => ({ ...ownHeader(keys.own), ...changes });
  const claims = (changes: Changes = {}): Changes => ({
    ...ownClaims(issuer, AUDIENCE, nowSeconds),
    ...changes,
  });
  const idpHeader = (changes: Changes = {}): Changes => ({
    alg: "RS256",
    typ: "JWT",
    kid: "idp-1",
    ...changes,
  });
  const idpClaims = (changes: Changes = {}): Changes => ({
    iss: IDP,
    sub: "alice",
    aud: "portcullis",
    iat: nowSeconds,
    exp: nowSeconds + 300,
    ...changes,
  });
  return {
    header,
    claims,
    idpHeader,
    idpClaims,
    mint: (head: Part = header(), body: Part = claims()) => signToken(keys.own, head, body),
    mintIdp: (head: Part = idpHeader(), body: Part = idpClaims()) => signToken(keys.rsa, head, body),
  };
}

/** The verified token, or the reason why it is not one. */
export async function verdict(token: string, context: VerifyContext): Promise<VerifiedToken | string> {
  const result = await verifyAccessToken(token, context);
  return result.ok ? result.value : result.error.reason;
}
