import { isId, newSecret } from "../platform/ids.ts";
import type { SecretBox } from "../platform/secret-box.ts";
import { fromUtf8, utf8 } from "../protocol/encoding.ts";

/** What a session is continued with. One of another kind is never taken for it. */
export type CredentialKind = "refresh_token";

const PREFIXES: Record<CredentialKind, string> = { refresh_token: "prt_" };
const MAX_CREDENTIAL_CHARS = 512;
/** Purpose of the box (`SecretBox`) that seals credentials. */
export const SESSION_CREDENTIAL_PURPOSE = "session-credential";

/**
 * A new credential: the session's id and 256 random bits, sealed. To whoever holds it, it is opaque; to us it
 * names its session, and what was not made here is known without asking any object.
 */
export async function newCredential(
  box: SecretBox,
  kind: CredentialKind,
  sessionId: string,
): Promise<string> {
  return PREFIXES[kind] + (await box.seal(utf8(`${sessionId}.${newSecret()}`), kind));
}

/** The session that a credential of this kind belongs to; undefined where it is not one of ours. */
export async function sessionOf(
  box: SecretBox,
  kind: CredentialKind,
  credential: string,
): Promise<string | undefined> {
  const prefix = PREFIXES[kind];
  if (credential.length > MAX_CREDENTIAL_CHARS || !credential.startsWith(prefix)) return undefined;
  const bytes = await box.open(credential.slice(prefix.length), kind);
  const [sessionId] = (bytes && fromUtf8(bytes))?.split(".") ?? [];
  return sessionId !== undefined && isId("ses", sessionId) ? sessionId : undefined;
}
