import { beforeAll, describe, expect, it } from "vitest";
import { base64url, utf8 } from "../../../src/protocol/encoding.ts";
import { RemoteKeys } from "../../../src/tokens/remote-keys.ts";
import { SharedSecrets } from "../../../src/tokens/shared-secrets.ts";
import type { VerifyContext } from "../../../src/tokens/verify.ts";
import { type Part, segment } from "../../support/token-factory.ts";
import {
  IDP,
  NOW,
  newScene,
  tokenMaker,
  trustedIssuer,
  type VerifierScene,
  verdict,
} from "../../support/token-scene.ts";

const NAME = "ISSUER_SECRET_LEGACY";
const SECRET = "c2hhcmVkLXdpdGgtdGhlLWlzc3Vlci0wMTIzNDU2Nzg5";

let scene: VerifierScene;
let make: ReturnType<typeof tokenMaker>;
let lines: string[];

beforeAll(async () => {
  scene = await newScene();
  make = tokenMaker(scene);
});

/** What the gate knows with an issuer of these members, and the deployment's secrets. */
function contextWith(changes: Record<string, unknown>, secrets: [string, string][] = [[NAME, SECRET]]) {
  lines = [];
  const issuer = trustedIssuer(scene.keys.rsa, changes);
  const remoteKeys = new RemoteKeys({
    fetch: () => Promise.reject(new Error("caused a fetch")),
    clock: () => NOW * 1000,
    log: (_level, event) => void lines.push(event),
    secrets: new SharedSecrets(new Map(secrets)),
  });
  const context: VerifyContext = { ...scene.context, issuers: new Map([[IDP, issuer]]), remoteKeys };
  return { context, issuer, remoteKeys };
}

const SHARED = { jwks: undefined, secret_ref: NAME, algorithms: ["HS256"] };

async function mac(
  secret: Uint8Array<ArrayBuffer>,
  header: Part = make.idpHeader({ alg: "HS256" }),
): Promise<string> {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const signed = `${segment(header)}.${segment(make.idpClaims())}`;
  return `${signed}.${base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(signed))))}`;
}

describe("an issuer that signs with a shared secret", () => {
  it("is verified with the deployment's secret, whatever kid it names", async () => {
    const { context } = contextWith(SHARED);
    for (const kid of ["idp-1", "another", undefined]) {
      const token = await mac(utf8(SECRET), make.idpHeader({ alg: "HS256", kid }));
      expect(await verdict(token, context)).toMatchObject({
        facts: { subject: "demo|alice", kid: `secret:${NAME}` },
      });
    }
  });

  it("is refused with any other secret, or a changed signature", async () => {
    const { context } = contextWith(SHARED);
    const good = await mac(utf8(SECRET));
    expect(await verdict(await mac(utf8(`${SECRET}x`)), context)).toBe("signature");
    expect(await verdict(`${good.slice(0, -2)}AA`, context)).toBe("signature");
  });

  it("is refused with a public key as the secret, and with a signature of one", async () => {
    const { context } = contextWith(SHARED);
    const { publicKey, jwk } = scene.keys.rsa;
    const der = new Uint8Array((await crypto.subtle.exportKey("spki", publicKey)) as ArrayBuffer);
    for (const secret of [der, utf8(JSON.stringify(jwk)), utf8(jwk.n as string)]) {
      expect(await verdict(await mac(secret), context)).toBe("signature");
    }
    expect(await verdict(await make.mintIdp(), context)).toBe("algorithm");
    expect(await verdict(await make.mintIdp(make.idpHeader({ alg: "HS256" })), context)).toBe("signature");
  });

  it("does not make HS256 good for an issuer with public keys, nor for ourselves", async () => {
    const { context } = contextWith({});
    expect(await verdict(await make.mintIdp(), context)).toMatchObject({ issuerId: "demo" });
    const { publicKey } = scene.keys.rsa;
    const der = new Uint8Array((await crypto.subtle.exportKey("spki", publicKey)) as ArrayBuffer);
    for (const secret of [der, utf8(SECRET)])
      expect(await verdict(await mac(secret), context)).toBe("algorithm");
    const own = make.header({ alg: "HS256" });
    expect(await verdict(await make.mint(own), context)).toBe("algorithm");
  });

  it("is the deployment's fault, not the client's, where the secret is gone", async () => {
    const { context } = contextWith(SHARED, [["ISSUER_SECRET_OTHER", SECRET]]);
    expect(await verdict(await mac(utf8(SECRET)), context)).toBe("issuer_keys_unavailable");
    expect(lines).toEqual(["issuer_secret.missing"]);
  });

  it("keeps what was verified for as long as the secret is the same", async () => {
    const { context, issuer, remoteKeys } = contextWith(SHARED);
    const token = await verdict(await mac(utf8(SECRET)), context);
    const key = (token as { key: CryptoKey }).key;
    expect(remoteKeys.holds(issuer, key)).toBe(true);
    expect(remoteKeys.holds(issuer, scene.keys.rsa.publicKey)).toBe(false);
    expect(contextWith(SHARED).remoteKeys.holds(issuer, key)).toBe(false);
  });
});
