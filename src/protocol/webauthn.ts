import { canonicalBase64url, fromUtf8, sha256Bytes, utf8 } from "./encoding.ts";
import { err, ok, type Result } from "./result.ts";

/** `RegistrationResponseJSON` (WebAuthn Level 3 §5.1.8), as much of it as is read. */
export type RegistrationResponse = {
  id: string;
  type: string;
  response: {
    clientDataJSON: string;
    authenticatorData: string;
    publicKey: string;
    publicKeyAlgorithm: number;
    transports?: string[];
  };
};

/** `AuthenticationResponseJSON`, as much of it as is read. */
export type AuthenticationResponse = {
  id: string;
  type: string;
  response: { clientDataJSON: string; authenticatorData: string; signature: string };
};

/** Which ceremony of which site, with which challenge (base64url), is expected. */
export type Expected = { origin: string; rpId: string; challenge: string };

/** A public key as SubjectPublicKeyInfo (base64url), with its COSE algorithm, and the last signature count. */
export type PasskeyKey = { public_key: string; algorithm: number; count: number };

/** COSE algorithms that are taken, in the order of preference. */
export const PASSKEY_ALGORITHMS = [-7, -8, -257] as const;

const IMPORTS: Record<number, Parameters<SubtleCrypto["importKey"]>[2]> = {
  [-7]: { name: "ECDSA", namedCurve: "P-256" },
  [-8]: { name: "Ed25519" },
  [-257]: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};
const USES: Record<number, Parameters<SubtleCrypto["verify"]>[0]> = {
  [-7]: { name: "ECDSA", hash: "SHA-256" },
  [-8]: { name: "Ed25519" },
  [-257]: { name: "RSASSA-PKCS1-v1_5" },
};

const MAX_CREDENTIAL_ID_BYTES = 1023;
const HEAD_BYTES = 37;
const AAGUID_BYTES = 16;
const FLAGS = { present: 0x01, verified: 0x04, attested: 0x40 };

/** The challenge that the browser says it signed; the signature over it is not looked at. Undefined for no answer. */
export function challengeOf(clientDataJSON: string): string | undefined {
  const challenge = readClientData(clientDataJSON)?.challenge;
  return typeof challenge === "string" ? challenge : undefined;
}

/**
 * A new passkey (§7.1), without attestation: whoever has just signed in says that it is theirs. The key is as the
 * browser gives it (§5.2.1.1), so that no CBOR is read. The error says what does not fit.
 */
export async function readRegistration(
  { id, type, response }: RegistrationResponse,
  expected: Expected,
): Promise<Result<PasskeyKey, string>> {
  const fault = clientDataFault(response.clientDataJSON, "webauthn.create", expected);
  if (type !== "public-key" || fault) return err(fault ?? "type");
  const data = await readAuthenticatorData(response.authenticatorData, expected.rpId);
  if (!data.ok) return data;
  if (!data.value.credentialId || !sameBytes(data.value.credentialId, canonicalBase64url(id)))
    return err("id");
  const { publicKey: public_key, publicKeyAlgorithm: algorithm } = response;
  const key = await importKey({ public_key, algorithm });
  return key ? ok({ public_key, algorithm, count: data.value.count }) : err("publicKey");
}

/** Whether a known passkey made this answer (§7.2): the new signature count, or what does not fit. */
export async function verifyAuthentication(
  { type, response }: AuthenticationResponse,
  expected: Expected,
  known: PasskeyKey,
): Promise<Result<{ count: number }, string>> {
  const fault = clientDataFault(response.clientDataJSON, "webauthn.get", expected);
  if (type !== "public-key" || fault) return err(fault ?? "type");
  const data = await readAuthenticatorData(response.authenticatorData, expected.rpId);
  if (!data.ok) return data;
  const [key, signature] = [await importKey(known), signatureBytes(response.signature, known.algorithm)];
  if (!key || !signature) return err("signature");
  const clientData = canonicalBase64url(response.clientDataJSON)!;
  const signed = new Uint8Array([...data.value.bytes, ...(await sha256Bytes(clientData))]);
  const holds = await crypto.subtle.verify(USES[known.algorithm]!, key, signature, signed);
  if (!holds) return err("signature");
  // §6.1.1: a count that does not rise is a copy's. Many authenticators have none, and say 0.
  const { count } = data.value;
  return count > known.count || (count === 0 && known.count === 0) ? ok({ count }) : err("count");
}

function readClientData(clientDataJSON: string): Record<string, unknown> | undefined {
  const bytes = canonicalBase64url(clientDataJSON);
  const text = bytes && fromUtf8(bytes);
  try {
    const data: unknown = text === undefined ? undefined : JSON.parse(text);
    return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** §7.1 steps 7–12, §7.2 steps 10–14. */
function clientDataFault(clientDataJSON: string, type: string, { origin, challenge }: Expected) {
  const data = readClientData(clientDataJSON);
  if (!data) return "clientDataJSON";
  if (data.type !== type) return "clientDataJSON.type";
  if (data.challenge !== challenge) return "clientDataJSON.challenge";
  if (data.origin !== origin) return "clientDataJSON.origin";
  return data.crossOrigin === true || data.topOrigin !== undefined ? "clientDataJSON.crossOrigin" : undefined;
}

type AuthenticatorData = { bytes: Uint8Array<ArrayBuffer>; count: number; credentialId?: Uint8Array };

/** §6.1: for this site, with the person present and verified. */
async function readAuthenticatorData(text: string, rpId: string): Promise<Result<AuthenticatorData, string>> {
  const bytes = canonicalBase64url(text);
  if (!bytes || bytes.length < HEAD_BYTES) return err("authenticatorData");
  if (!sameBytes(bytes.subarray(0, 32), await sha256Bytes(utf8(rpId))))
    return err("authenticatorData.rpIdHash");
  const flags = bytes[32]!;
  if (!(flags & FLAGS.present)) return err("authenticatorData.up");
  if (!(flags & FLAGS.verified)) return err("authenticatorData.uv");
  const view = new DataView(bytes.buffer);
  const count = view.getUint32(33);
  if (!(flags & FLAGS.attested)) return ok({ bytes, count });
  const at = HEAD_BYTES + AAGUID_BYTES;
  if (bytes.length < at + 2) return err("authenticatorData");
  const length = view.getUint16(at);
  const credentialId = bytes.subarray(at + 2, at + 2 + length);
  const whole = length > 0 && length <= MAX_CREDENTIAL_ID_BYTES && credentialId.length === length;
  return whole ? ok({ bytes, count, credentialId }) : err("authenticatorData");
}

async function importKey({
  public_key,
  algorithm,
}: Omit<PasskeyKey, "count">): Promise<CryptoKey | undefined> {
  const bytes = canonicalBase64url(public_key);
  const kind = IMPORTS[algorithm];
  if (!bytes || !kind) return undefined;
  try {
    return await crypto.subtle.importKey("spki", bytes, kind, false, ["verify"]);
  } catch {
    return undefined;
  }
}

/** §6.5.5: ECDSA signatures come as DER, and are verified as r and s. */
function signatureBytes(text: string, algorithm: number): Uint8Array<ArrayBuffer> | undefined {
  const bytes = canonicalBase64url(text);
  return bytes && algorithm === -7 ? rawSignature(bytes) : bytes;
}

const COORDINATE_BYTES = 32;

function rawSignature(der: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined;
  const raw = new Uint8Array(2 * COORDINATE_BYTES);
  let at = 2;
  for (const end of [COORDINATE_BYTES, 2 * COORDINATE_BYTES]) {
    const length = der[at + 1] ?? 0;
    const number = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== 0x02 || length === 0 || number.length !== length) return undefined;
    const digits = number[0] === 0 ? number.subarray(1) : number;
    if (digits.length > COORDINATE_BYTES) return undefined;
    raw.set(digits, end - digits.length);
    at += 2 + length;
  }
  return at === der.length ? raw : undefined;
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}
