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
  address: z
    .string()
    .regex(/^[0-9a-fA-F:.]{2,45}(?:\/64)?$/, "must be an IPv4 or IPv6 address")
    .exactOptional()
    .describe("Every request to a route from one address, of IPv6 from its /64; alone, and with expires_at"),
});

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
const ACR_VALUE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

/** What a rule does to the tokens that it hits, where it does not refuse them. */
export const effectSchema = z.discriminatedUnion("kind", [
  z
    .strictObject({
      kind: z.literal("step_up"),
      acr_values: z.array(z.string().regex(ACR_VALUE)).min(1).max(16).exactOptional(),
      signed_in_since: z.number().min(0).max(1e11).exactOptional(),
    })
    .refine((effect) => effect.acr_values !== undefined || effect.signed_in_since !== undefined, {
      message: "name acr_values, signed_in_since, or both",
    })
    .describe("They are good only with such a sign-in behind them (RFC 9470)."),
  z
    .strictObject({
      kind: z.literal("shrink_scope"),
      scopes: z.array(z.string().regex(SCOPE_TOKEN)).min(1).max(64),
    })
    .describe("These scopes of theirs count no more."),
]);
