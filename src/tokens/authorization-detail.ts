import * as z from "zod";
import { MAX_USES } from "../policy/max-uses.ts";
import { scopeToken } from "../policy/names.ts";
import { type Json, parseUniqueObject } from "../protocol/json.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { RESOURCE_DETAIL_TYPE } from "./access-token.ts";

const detailSchema = z.strictObject({
  type: z.literal(RESOURCE_DETAIL_TYPE),
  identifier: z.string().min(1).max(256),
  actions: z.array(scopeToken).min(1).max(64).exactOptional(),
  duration_seconds: z
    .int()
    .min(1)
    .max(30 * 86_400)
    .exactOptional(),
  max_uses: z.int().min(1).max(MAX_USES).exactOptional(),
  ticket: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/)
    .exactOptional(),
});

/** `authorization_details` (RFC 9396 §2) with exactly one resource of ours; undefined where there is none. */
export function readDetail(
  text: string | null,
): Result<z.output<typeof detailSchema> | undefined, OAuthError> {
  if (text === null) return ok(undefined);
  // As the one member of an object it is parsed with the same strictness as any other document.
  const details: Json | undefined = parseUniqueObject(`{"details":${text}}`)?.details;
  const one = Array.isArray(details) && details.length === 1 ? details[0] : undefined;
  const parsed = detailSchema.safeParse(one);
  if (parsed.success) return ok(parsed.data);
  return err(
    oauthError(
      "invalid_authorization_details",
      `authorization_details must be one object of the type ${RESOURCE_DETAIL_TYPE}: identifier, actions, duration_seconds, max_uses, ticket.`,
    ),
  );
}
