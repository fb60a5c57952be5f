import * as z from "zod";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";

/** What a token can hold; anything else would be acknowledged and hit nothing. */
const claimText = z
  .string()
  .max(512)
  .regex(PLAIN_TEXT, "no token holds this: a claim is printable ASCII, without spaces around it");

/** Which tokens a revocation hits: all members must hold. */
export const matchSchema = z.strictObject({
  iss: z.string().min(1).max(512).exactOptional().describe("Issuer, exactly as in the token"),
  jti: claimText.exactOptional().describe("One token"),
  grant: claimText.exactOptional().describe("Every token of one grant"),
  session: claimText.exactOptional().describe("Every token of one session (`sid`)"),
  sub: claimText.exactOptional().describe("Every token of one subject"),
  client_id: claimText.exactOptional().describe("Every token of one client"),
  jkt: claimText.exactOptional().describe("Every token bound to one sender key (RFC 9449)"),
  kid: claimText.exactOptional().describe("Every token signed by one key"),
});
