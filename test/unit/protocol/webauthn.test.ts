import { verifyAuthenticationResponse } from "@simplewebauthn/server";
import { beforeAll, describe, expect, it } from "vitest";
import { base64url } from "../../../src/protocol/encoding.ts";
import {
  type AuthenticationResponse,
  challengeOf,
  type PasskeyKey,
  readRegistration,
  verifyAuthentication,
} from "../../../src/protocol/webauthn.ts";
import { SoftwarePasskey, type Twist } from "../../support/software-passkey.ts";

const SITE = { origin: "https://auth.example.com", rpId: "auth.example.com" };
const CHALLENGE = base64url(new Uint8Array(32).fill(7));
const EXPECTED = { ...SITE, challenge: CHALLENGE };

let passkey: SoftwarePasskey;
let known: PasskeyKey;

beforeAll(async () => {
  passkey = await SoftwarePasskey.make(SITE);
  const read = await readRegistration(await passkey.register(CHALLENGE), EXPECTED);
  if (!read.ok) throw new Error(read.error);
  known = read.value;
});

/** Lies that both ceremonies refuse, and what is said to be wrong. */
const LIES: [string, Twist, string][] = [
  ["another challenge", { challenge: base64url(new Uint8Array(32)) }, "clientDataJSON.challenge"],
  ["another origin", { origin: "https://auth.example.com.evil.example" }, "clientDataJSON.origin"],
  ["plain http", { origin: "http://auth.example.com" }, "clientDataJSON.origin"],
  ["a frame of another site", { crossOrigin: true }, "clientDataJSON.crossOrigin"],
  ["another site's passkey", { rpId: "evil.example" }, "authenticatorData.rpIdHash"],
  ["nobody there", { flags: 0x44 }, "authenticatorData.up"],
  ["somebody who was not verified", { flags: 0x41 }, "authenticatorData.uv"],
];

describe("a new passkey", () => {
  it("is taken with its key and count", async () => {
    expect(known).toMatchObject({ algorithm: -7, count: 0 });
    expect(challengeOf((await passkey.register(CHALLENGE)).response.clientDataJSON)).toBe(CHALLENGE);
  });

  it.each([...LIES, ["the other ceremony", { type: "webauthn.get" }, "clientDataJSON.type"] as const])(
    "is refused with %s",
    async (_what, twist, told) => {
      const answer = await passkey.register(CHALLENGE, twist as Twist);
      expect(await readRegistration(answer, EXPECTED)).toEqual({ ok: false, error: told });
    },
  );

  it("is refused without a credential, with another's id, and with a key that is none", async () => {
    const answer = await passkey.register(CHALLENGE);
    const change = (response: object, more: object = {}) =>
      readRegistration({ ...answer, ...more, response: { ...answer.response, ...response } }, EXPECTED);
    const { authenticatorData } = (await passkey.answer(CHALLENGE)).response;
    expect(await change({ authenticatorData })).toEqual({ ok: false, error: "id" });
    expect(await change({}, { id: base64url(new Uint8Array(16)) })).toEqual({ ok: false, error: "id" });
    for (const key of [
      { publicKey: base64url(new Uint8Array(91)) },
      { publicKeyAlgorithm: -257 },
      { publicKeyAlgorithm: 0 },
    ])
      expect(await change(key)).toEqual({ ok: false, error: "publicKey" });
    expect(await change({ authenticatorData: answer.response.authenticatorData.slice(0, 60) })).toMatchObject(
      { ok: false },
    );
    for (const clientDataJSON of ["", "AA", base64url(new TextEncoder().encode("null"))])
      expect(await change({ clientDataJSON })).toMatchObject({ ok: false });
  });
});

describe("a passkey's answer", () => {
  it("verifies, and tells the count", async () => {
    expect(
      await verifyAuthentication(await passkey.answer(CHALLENGE, { count: 9 }), EXPECTED, known),
    ).toEqual({
      ok: true,
      value: { count: 9 },
    });
    // Many authenticators count nothing.
    expect(
      await verifyAuthentication(await passkey.answer(CHALLENGE, { count: 0 }), EXPECTED, known),
    ).toMatchObject({ ok: true });
  });

  it.each([...LIES, ["the other ceremony", { type: "webauthn.create" }, "clientDataJSON.type"] as const])(
    "is refused with %s",
    async (_what, twist, told) => {
      const answer = await passkey.answer(CHALLENGE, twist as Twist);
      expect(await verifyAuthentication(answer, EXPECTED, known)).toEqual({ ok: false, error: told });
    },
  );

  it("is refused where the count does not rise: somebody has a copy", async () => {
    const later = { ...known, count: 5 };
    for (const count of [0, 4, 5])
      expect(await verifyAuthentication(await passkey.answer(CHALLENGE, { count }), EXPECTED, later)).toEqual(
        { ok: false, error: "count" },
      );
    expect(
      await verifyAuthentication(await passkey.answer(CHALLENGE, { count: 6 }), EXPECTED, later),
    ).toMatchObject({ ok: true });
  });

  it("is refused by another key", async () => {
    const other = await SoftwarePasskey.make(SITE);
    expect(await verifyAuthentication(await other.answer(CHALLENGE), EXPECTED, known)).toEqual({
      ok: false,
      error: "signature",
    });
  });

  it("is judged as the reference library judges it, bit by bit", async () => {
    const answer = await passkey.answer(CHALLENGE);
    const judge = async (each: AuthenticationResponse) => {
      const ours = (await verifyAuthentication(each, EXPECTED, known)).ok;
      return { ours, theirs: await byLibrary(each) };
    };
    expect(await judge(answer)).toEqual({ ours: true, theirs: true });
    for (const member of ["authenticatorData", "signature"] as const) {
      const bytes = Buffer.from(answer.response[member], "base64url");
      for (let at = 0; at < bytes.length; at += 3) {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= 1 << (at % 8);
        const response = { ...answer.response, [member]: base64url(changed) };
        const verdict = await judge({ ...answer, response });
        expect({ member, at, ...verdict }).toEqual({ member, at, ours: false, theirs: false });
      }
    }
  });
});

async function byLibrary(answer: AuthenticationResponse): Promise<boolean> {
  const spki = Buffer.from(known.public_key, "base64url");
  const [x, y] = [spki.subarray(-64, -32), spki.subarray(-32)];
  // COSE_Key of ES256 (RFC 9053 §7.1.1).
  const cose = Buffer.concat([
    Buffer.from("a5010203262001215820", "hex"),
    x,
    Buffer.from("225820", "hex"),
    y,
  ]);
  try {
    const { verified } = await verifyAuthenticationResponse({
      response: { ...answer, rawId: answer.id, clientExtensionResults: {} } as never,
      expectedChallenge: CHALLENGE,
      expectedOrigin: SITE.origin,
      expectedRPID: SITE.rpId,
      credential: { id: answer.id, publicKey: new Uint8Array(cose), counter: known.count },
      requireUserVerification: true,
    });
    return verified;
  } catch {
    return false;
  }
}
