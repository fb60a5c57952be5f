import * as z from "zod";
import { isId } from "../platform/ids.ts";
import { type Json, parseUniqueObject } from "../protocol/json.ts";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  type DenialInput,
  type DeniedToken,
  isClaim,
  MAX_CLAIM_CHARS,
  namesOneToken,
  tokenOfRule,
} from "./denied-token.ts";
import { defaultExpiry, type Revocation } from "./rule.ts";
import { effectSchema, matchSchema } from "./rule-schema.ts";

/** What one line asks for: a token by name, or a rule. `id` where the rule has one already. */
export type ImportLine =
  | { kind: "token"; token: DenialInput }
  | { kind: "rule"; id?: string; rule: Omit<Revocation, "id" | "actor" | "created_at"> };

const MAX_EPOCH_SECONDS = 1e11;
const MAX_REASON_CHARS = 500;

/** A line that is a rule. */
export const ruleSchema = z
  .strictObject({
    id: z
      .string()
      .refine((id) => isId("rev", id), "is not the id of a revocation")
      .exactOptional(),
    match: matchSchema,
    effect: effectSchema.exactOptional(),
    issued_before: z.number().min(0).max(MAX_EPOCH_SECONDS).exactOptional(),
    reason: z.string().min(1).max(MAX_REASON_CHARS),
    expires_at: z.number().min(0).max(MAX_EPOCH_SECONDS).exactOptional(),
  })
  .refine((body) => Object.keys(body.match).length > 0 || body.issued_before !== undefined, {
    path: ["match"],
    message: "name at least one claim, or give issued_before to hit every token from before that moment",
  });

/** Reads one line, or says what is wrong with it: member and fault, never the value. */
export function parseImportLine(text: string, nowSeconds: number): Result<ImportLine, string> {
  const value = parseUniqueObject(text);
  if (!value) return err("is not one JSON object without duplicate members");
  return Object.hasOwn(value, "match") ? parseRule(value, nowSeconds) : parseToken(value, nowSeconds);
}

function parseRule(value: Record<string, Json>, nowSeconds: number): Result<ImportLine, string> {
  const parsed = ruleSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return err(`${issue.path.join(".") || "(line)"}: ${issue.message}`);
  }
  const { id, ...rule } = parsed.data;
  if (rule.expires_at !== undefined && rule.expires_at <= nowSeconds) return err(OVER);
  if (id === undefined && namesOneToken(rule)) {
    return ok({ kind: "token", token: tokenOfRule(rule) });
  }
  const expiresAt = rule.expires_at ?? defaultExpiry(rule.match, rule.issued_before, nowSeconds);
  const ending = expiresAt === undefined ? {} : { expires_at: expiresAt };
  return ok({ kind: "rule", rule: { ...rule, ...ending }, ...(id === undefined ? {} : { id }) });
}

const OVER = "expires_at: is in the past; epoch seconds are needed";
const MEMBERS = new Set(["jti", "iss", "expires_at", "reason"]);

/** By hand: a schema would take longer than everything else that a line of a million goes through. */
function parseToken(value: Record<string, Json>, nowSeconds: number): Result<ImportLine, string> {
  for (const name of Object.keys(value)) if (!MEMBERS.has(name)) return err("has a member that is not known");
  const { jti, iss, expires_at: expiresAt, reason } = value;
  if (!isClaim(jti) || !PLAIN_TEXT.test(jti)) {
    return err(`jti: must be 1 to ${MAX_CLAIM_CHARS} characters of printable ASCII: no token holds another`);
  }
  if (iss !== undefined && !isClaim(iss)) {
    return err(`iss: must be 1 to ${MAX_CLAIM_CHARS} characters, no control characters`);
  }
  if (reason !== undefined && (typeof reason !== "string" || !reason || reason.length > MAX_REASON_CHARS)) {
    return err(`reason: must be 1 to ${MAX_REASON_CHARS} characters`);
  }
  const token: DenialInput = { jti };
  if (iss !== undefined) token.iss = iss;
  if (reason !== undefined) token.reason = reason;
  if (expiresAt === undefined) return ok({ kind: "token", token });
  if (typeof expiresAt !== "number" || expiresAt > MAX_EPOCH_SECONDS) {
    return err("expires_at: must be a number of epoch seconds");
  }
  if (expiresAt <= nowSeconds) return err(OVER);
  token.expires_at = expiresAt;
  return ok({ kind: "token", token });
}

/** The line that imports the token, or the rule, again. */
export function exportLine(entry: DeniedToken | Omit<Revocation, "actor" | "created_at">): string {
  return `${JSON.stringify(entry)}\n`;
}
