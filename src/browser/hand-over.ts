import { base64url, sha256Bytes, utf8 } from "../protocol/encoding.ts";

/**
 * What takes a session from the issuer's host to another one, where its cookie does not go. The code travels in an
 * address, so it is worth nothing alone: it is good once, for a minute, at its host, in the browser that asked there,
 * which has the verifier of the challenge as a cookie (as PKCE does, RFC 7636).
 */
export type HandOver = {
  id: string;
  session_id: string;
  challenge: string;
  return_to: string;
  expires_at: number;
};

export const HAND_OVER_SECONDS = 60;
/** How long somebody may take to sign in, with everything that their provider asks. */
export const VERIFIER_SECONDS = 900;

const SHA256_TEXT = /^[\w-]{43}$/;

/** Whether the text can be a verifier of ours or a challenge: 256 bits, base64url. */
export function is256Bits(text: string): boolean {
  return SHA256_TEXT.test(text);
}

export async function challengeOf(verifier: string): Promise<string> {
  return base64url(await sha256Bytes(utf8(verifier)));
}
