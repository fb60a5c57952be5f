import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import {
  ed25519Signer,
  hmacSigner,
  newEd25519Pair,
  type Signer,
  shownPublicKey,
  shownSecret,
  signMessage,
} from "../../../src/webhooks/signature.ts";

type IsGenuine = (headers: Record<string, string>, body: string, key: string) => boolean;

const BODY = '{"type":"grant.revoked","data":{"name":"Zoë"}}';
const secret = new Uint8Array(32).fill(7);
const pair = await newEd25519Pair();
const other = await newEd25519Pair();

/** The programs that docs/webhooks.md gives to integrators, as they stand there. */
const text = readFileSync(new URL("../../../docs/webhooks.md", import.meta.url).pathname, "utf8");
const programs = Array.from(text.matchAll(/```js\n([\s\S]*?)```/g), ([, code]) => code!);
const [checkHmac, checkEd25519] = (await Promise.all(
  programs.map(async (code) => (await import(`data:text/javascript,${encodeURIComponent(code)}`)).isGenuine),
)) as [IsGenuine, IsGenuine];

async function headersOf(signers: Signer[], at = Date.now() / 1000) {
  return { ...(await signMessage({ id: "evt_1", body: BODY }, signers, Math.floor(at))) };
}

describe("the documented check of a message", () => {
  it("with the secret accepts what we sign, also while it rotates, and nothing else", async () => {
    const key = shownSecret(secret);
    expect(checkHmac(await headersOf([hmacSigner(secret)]), BODY, key)).toBe(true);
    const rotating = await headersOf([hmacSigner(new Uint8Array(32).fill(8)), hmacSigner(secret)]);
    expect(checkHmac(rotating, BODY, key)).toBe(true);
    expect(() => new Webhook(key).verify(BODY, rotating)).not.toThrow();
    expect(checkHmac(rotating, `${BODY} `, key)).toBe(false);
    expect(checkHmac(rotating, BODY, shownSecret(new Uint8Array(32)))).toBe(false);
    expect(checkHmac(await headersOf([hmacSigner(secret)], Date.now() / 1000 - 400), BODY, key)).toBe(false);
    expect(checkHmac(await headersOf([ed25519Signer(pair)]), BODY, key)).toBe(false);
  });

  it("with the public key accepts what we sign, also while it rotates, and nothing else", async () => {
    const key = shownPublicKey(pair.publicKey);
    expect(checkEd25519(await headersOf([ed25519Signer(pair)]), BODY, key)).toBe(true);
    const rotating = await headersOf([ed25519Signer(other), ed25519Signer(pair)]);
    expect(checkEd25519(rotating, BODY, key)).toBe(true);
    expect(checkEd25519(rotating, `${BODY} `, key)).toBe(false);
    expect(checkEd25519(await headersOf([ed25519Signer(other)]), BODY, key)).toBe(false);
    expect(checkEd25519(await headersOf([ed25519Signer(pair)], Date.now() / 1000 - 400), BODY, key)).toBe(
      false,
    );
    expect(checkEd25519(await headersOf([hmacSigner(secret)]), BODY, key)).toBe(false);
  });

  it("is all the code on the page", () => expect(programs).toHaveLength(2));
});
