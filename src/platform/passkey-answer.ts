import * as z from "zod";

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
