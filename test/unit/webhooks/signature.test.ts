import { createPublicKey, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import {
  ed25519Signer,
  hmacSigner,
  newEd25519Pair,
  type SignedMessage,
  shownPublicKey,
  shownSecret,
  signMessage,
  TOLERANCE_SECONDS,
  verifyMessage,
} from "../../../src/webhooks/signature.ts";

const NOW = 1_800_000_000;
const secret = (fill: number) => new Uint8Array(32).fill(fill);
const [A, B, C] = [secret(1), secret(2), secret(3)];
const BODY = '{"type":"grant.revoked","data":{"name":"Zoë"}}';

async function signed(secrets = [A], at = NOW): Promise<SignedMessage> {
  const headers = await signMessage({ id: "evt_1", body: BODY }, secrets.map(hmacSigner), at);
  return {
    id: headers["webhook-id"],
    timestamp: headers["webhook-timestamp"],
    signature: headers["webhook-signature"],
    body: BODY,
  };
}

describe("against the standardwebhooks package", () => {
  const now = Math.floor(Date.now() / 1000);

  it("its receiver accepts what we sign, with the secret as we show it", async () => {
    const headers = { ...(await signMessage({ id: "evt_1", body: BODY }, [hmacSigner(A)], now)) };
    expect(new Webhook(shownSecret(A)).verify(BODY, headers)).toEqual(JSON.parse(BODY));
    expect(() => new Webhook(shownSecret(B)).verify(BODY, headers)).toThrow("No matching signature");
    expect(() => new Webhook(shownSecret(A)).verify(`${BODY} `, headers)).toThrow("No matching signature");
  });

  it("while secrets rotate, receivers with the old and with the new one accept", async () => {
    const signers = [B, A].map(hmacSigner);
    const headers = { ...(await signMessage({ id: "evt_1", body: BODY }, signers, now)) };
    expect(headers["webhook-signature"].split(" ")).toHaveLength(2);
    for (const one of [A, B]) expect(() => new Webhook(shownSecret(one)).verify(BODY, headers)).not.toThrow();
    expect(() => new Webhook(shownSecret(C)).verify(BODY, headers)).toThrow();
  });

  it("we accept what it signs", async () => {
    const at = new Date(NOW * 1000);
    const message = {
      id: "msg_1",
      timestamp: String(NOW),
      signature: new Webhook(shownSecret(B)).sign("msg_1", at, BODY),
      body: BODY,
    };
    expect(await verifyMessage(message, [A, B], NOW)).toEqual({ ok: true, value: 1 });
  });

  it("shows a secret in the standard's form", () => {
    expect(shownSecret(A)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  });
});

describe("verifyMessage", () => {
  it("names the secret that signed, wherever it stands", async () => {
    expect(await verifyMessage(await signed([A]), [A, B, C], NOW)).toEqual({ ok: true, value: 0 });
    expect(await verifyMessage(await signed([C]), [A, B, C], NOW)).toEqual({ ok: true, value: 2 });
    expect(await verifyMessage(await signed([C]), [A, B], NOW)).toEqual({ ok: false, error: "mismatch" });
    expect(await verifyMessage(await signed([A]), [], NOW)).toEqual({ ok: false, error: "mismatch" });
  });

  it("accepts one fitting signature among others", async () => {
    const one = await signed();
    const among = { ...one, signature: `v1a,AAAA v2,BBBB ${one.signature} v1,CCCC` };
    expect(await verifyMessage(among, [A], NOW)).toEqual({ ok: true, value: 0 });
  });

  it.each([
    [-TOLERANCE_SECONDS, true],
    [TOLERANCE_SECONDS, true],
    [-TOLERANCE_SECONDS - 1, "too_old"],
    [TOLERANCE_SECONDS + 1, "too_new"],
  ])("a timestamp %i s away: %s", async (offset, expected) => {
    const result = await verifyMessage(await signed([A], NOW + offset), [A], NOW);
    expect(result.ok || result.error).toBe(expected);
  });

  const changes: [string, Partial<SignedMessage>, string][] = [
    ["no id", { id: null }, "missing"],
    ["no timestamp", { timestamp: null }, "missing"],
    ["no signature", { signature: null }, "missing"],
    ["another id", { id: "evt_2" }, "mismatch"],
    ["another timestamp", { timestamp: String(NOW + 1) }, "mismatch"],
    ["the same timestamp spelt otherwise", { timestamp: `0${NOW}` }, "mismatch"],
    ["another body", { body: `${BODY} ` }, "mismatch"],
    ["an id with a full stop", { id: "evt.1" }, "malformed"],
    ["an empty id", { id: "" }, "malformed"],
    ["a timestamp with a sign", { timestamp: `+${NOW}` }, "malformed"],
    ["a timestamp with a fraction", { timestamp: `${NOW}.5` }, "malformed"],
    ["a timestamp that overflows", { timestamp: "9".repeat(13) }, "malformed"],
    ["more signatures than anyone sends", { signature: Array(9).fill("v1,AAAA").join(" ") }, "malformed"],
    ["an empty signature", { signature: "" }, "mismatch"],
    ["the version alone", { signature: "v1," }, "mismatch"],
  ];
  it.each(changes)("refuses %s", async (_name, change, fault) => {
    expect(await verifyMessage({ ...(await signed()), ...change }, [A], NOW)).toEqual({
      ok: false,
      error: fault,
    });
  });

  it("refuses another version, a cut and a longer spelling of a signature that fits", async () => {
    const { signature } = await signed();
    for (const other of [
      signature!.replace("v1", "v2"),
      signature!.slice(0, -1),
      `${signature}=`,
      signature!.toLowerCase(),
    ]) {
      expect(await verifyMessage({ ...(await signed()), signature: other }, [A], NOW), other).toMatchObject({
        ok: false,
      });
    }
  });
});

describe("Ed25519", () => {
  /** As a receiver without our code would check it: RFC 8032 by Node's own crypto. */
  function verified(signature: string, publicKey: string, signedText: string): boolean {
    const x = Buffer.from(publicKey.replace("whpk_", ""), "base64").toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const bytes = Buffer.from(signature.replace("v1a,", ""), "base64");
    return verify(null, Buffer.from(signedText), key, bytes);
  }

  it("signs id, timestamp and body so that Node verifies it with the public key as we show it", async () => {
    const [pair, other] = await Promise.all([newEd25519Pair(), newEd25519Pair()]);
    const headers = await signMessage({ id: "evt_1", body: BODY }, [ed25519Signer(pair)], NOW);
    const signature = headers["webhook-signature"];
    const shown = shownPublicKey(pair.publicKey);
    expect(shown).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
    expect(signature).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
    expect(verified(signature, shown, `evt_1.${NOW}.${BODY}`)).toBe(true);
    expect(verified(signature, shown, `evt_1.${NOW}.${BODY} `)).toBe(false);
    expect(verified(signature, shown, `evt_1.${NOW + 1}.${BODY}`)).toBe(false);
    expect(verified(signature, shownPublicKey(other.publicKey), `evt_1.${NOW}.${BODY}`)).toBe(false);
  });

  it("signs as RFC 8032 §7.1 test 2 does", async () => {
    const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
    const seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const publicKey = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const signature = Buffer.from((await ed25519Signer({ seed, publicKey })("r")).slice(4), "base64");
    expect(signature.toString("hex")).toBe(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
  });
});
