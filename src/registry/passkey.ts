import type { Confirmed } from "../platform/passkey-answer.ts";
import { base64url, sha256Bytes, utf8 } from "../protocol/encoding.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import type { PasskeyKey } from "../protocol/webauthn.ts";

/** A passkey of somebody. Times are epoch seconds. */
export type Passkey = PasskeyKey & {
  /** The credential's id, base64url. */
  id: string;
  subject: string;
  name: string;
  transports: string[];
  created_at: number;
  last_used_at?: number;
};

export const MAX_PASSKEYS = 10;
/** How long somebody may take to touch their passkey. */
export const CHALLENGE_SECONDS = 300;
/** Of one person; the oldest gives way. */
export const MAX_CHALLENGES = 10;

/** One text for one thing to confirm: its members in order, without those that are not there. */
export function canonicalText(confirmed: Confirmed): string {
  const members = Object.entries(confirmed).filter(([, value]) => value !== undefined);
  return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The challenge is the hash of who confirms what, and of a number that is used once. */
export async function challengeFor(subject: string, confirmed: Confirmed, nonce: string): Promise<string> {
  return base64url(await sha256Bytes(utf8(JSON.stringify([subject, canonicalText(confirmed), nonce]))));
}

/** Why something was not confirmed. */
export function notConfirmed(detail: string): Problem {
  return problem("passkey_required", detail);
}
