import * as z from "zod";
import type { Result } from "../protocol/result.ts";

/** Base64url of at most `max` characters. */
export const encoded = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\w-]+$/, "must be base64url");

/** A credential's id has 1,023 bytes at most (WebAuthn §4). */
export const CREDENTIAL_ID_CHARS = 1_364;

/** A passkey's answer as a browser gives it (`AuthenticationResponseJSON`): it may have members that nobody reads. */
export const passkeyAnswer = z.object({
  id: encoded(CREDENTIAL_ID_CHARS),
  type: z.literal("public-key"),
  response: z.object({
    clientDataJSON: encoded(8_192),
    authenticatorData: encoded(8_192),
    signature: encoded(2_048),
  }),
});

export type PasskeyAnswer = z.output<typeof passkeyAnswer>;

/** What a passkey is asked to confirm: nothing else is confirmed by its answer. */
export type Confirmed =
  | { kind: "passkey.register" | "passkey.add" }
  | { kind: "passkey.remove"; passkey_id: string }
  | {
      kind: "access_request.approve";
      access_request_id: string;
      extension?: string | undefined;
      scope?: string | undefined;
      duration_seconds?: number | undefined;
      max_uses?: number | undefined;
    }
  | { kind: "revocation.confirm"; revocation_id: string }
  | { kind: "remediation.confirm"; remediation_id: string };

/** Whether a passkey of the person has confirmed this: its id; `passkey_required` where it has not. */
export type ConfirmByPasskey = (
  subject: string,
  confirms: Extract<Confirmed, { kind: "access_request.approve" }>,
  answer: PasskeyAnswer,
) => Promise<Result<{ passkey_id: string }>>;
