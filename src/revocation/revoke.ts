import * as z from "zod";
import type { Clock } from "../platform/clock.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { ADDRESS_BLOCK, addressBlock } from "../protocol/address-block.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { countLive, type LiveCount, type LiveTokens, type WouldCut } from "./live-token.ts";
import type { Receipt } from "./receipt.ts";
import { CONFIRMATION_SECONDS, type RevocationRecord } from "./record.ts";
import { defaultExpiry, MAX_TOKEN_LIFE_SECONDS, type Revocation, type RevocationMatch } from "./rule.ts";
import { effectSchema, matchSchema } from "./rule-schema.ts";

export type RevokeDeps = {
  log: {
    append(entry: { id: string; kind: "revocation.added"; rule: Revocation }): Promise<Result<Receipt>>;
    propose(rule: Revocation, wouldCut: WouldCut, exact: boolean): Promise<Result<RevocationRecord>>;
    revocation(id: string): Promise<Result<RevocationRecord>>;
    revocationReceipt(id: string): Promise<Result<Receipt>>;
  };
  live: LiveTokens;
  /** Our own signing keys. */
  ownKeys(): Promise<Result<{ kid: string; state: string }[]>>;
  issuer: string;
  /** A rule that would cut more live tokens than this needs a second person. */
  confirmAbove(): Promise<Result<number>>;
  ids: CreationIds;
  clock: Clock;
};

/** A caller's clock may be ahead of ours. */
const CLOCK_TOLERANCE_SECONDS = 60;

const epoch = z.number().min(0).max(1e11);

export const revokeSchema = z
  .strictObject({
    match: matchSchema,
    effect: effectSchema.exactOptional().describe("Absent: what it hits is refused."),
    issued_before: epoch.exactOptional(),
    reason: z.string().min(1).max(500),
    expires_at: epoch.exactOptional(),
    emergency: z
      .literal(true)
      .exactOptional()
      .describe("In force at once, whatever it cuts, without a second person. Everybody is told."),
  })
  .refine((body) => Object.keys(body.match).length > 0 || body.issued_before !== undefined, {
    path: ["match"],
    message: "name at least one claim, or give issued_before to hit every token from before that moment",
  });

type Body = z.output<typeof revokeSchema>;

export type Revoked =
  | { kind: "in_force"; receipt: Receipt }
  | { kind: "held_back"; record: RevocationRecord };

/**
 * Puts a revocation into force, or where it would cut more than one person may, holds it back for a second
 * one. The same id again answers what became of it.
 */
export async function revoke(
  body: Body,
  { id, fresh }: { id: string; fresh: boolean },
  actor: string,
  now: number,
  deps: RevokeDeps,
): Promise<Result<Revoked>> {
  const known = fresh ? undefined : await outcomeOf(id, deps);
  if (known) return known;
  if (body.expires_at !== undefined && body.expires_at <= now) {
    return err(problem("invalid_body", "expires_at: must be in the future, in epoch seconds."));
  }
  const unfit = body.match.address === undefined ? undefined : addressFault(body, now);
  if (unfit) return err(problem("invalid_body", unfit));
  if (locksOut(body, now, deps.issuer)) {
    const detail =
      "issued_before: give a moment that is not in the future. Without it every token of this deployment is " +
      "refused, also the one that is needed to lift this.";
    return err(problem("invalid_body", detail));
  }
  const bansOwnKey = await ownKeyFault(body, now, deps);
  if (bansOwnKey) return err(bansOwnKey);
  const tooMany = await exceedingCount(body, deps);
  if (!tooMany.ok) return tooMany;
  // What is held back must last as long, counted from its confirmation.
  const startsBy = tooMany.value ? now + CONFIRMATION_SECONDS : now;
  const rule = ruleOf(body, id, actor, now, defaultExpiry(body.match, body.issued_before, startsBy));
  if (tooMany.value) {
    const { would_cut, exact } = tooMany.value;
    const record = await deps.log.propose(rule, would_cut, exact);
    return record.ok ? ok({ kind: "held_back", record: record.value }) : record;
  }
  const receipt = await deps.log.append({ id, kind: "revocation.added", rule });
  return receipt.ok ? ok({ kind: "in_force", receipt: receipt.value }) : receipt;
}

/** An address is somebody else's sooner or later, and no token has one. */
function addressFault({ match, effect, issued_before, expires_at }: Body, now: number): string | undefined {
  const { address = "", ...rest } = match;
  if (!ADDRESS_BLOCK.test(addressBlock(address))) return "match.address: is no IPv4 or IPv6 address.";
  if (Object.keys(rest).length > 0 || issued_before !== undefined || effect !== undefined) {
    return "match.address: stands alone: it is looked at before a token is read, and refuses the request.";
  }
  if (expires_at !== undefined && expires_at <= now + MAX_TOKEN_LIFE_SECONDS) return undefined;
  return "expires_at: is needed with match.address, at most 31 days ahead.";
}

/** As a rule holds it: an address in its one spelling. */
function spelled({ address, ...rest }: RevocationMatch): RevocationMatch {
  return address === undefined ? rest : { address: addressBlock(address) };
}

/** Whether nobody could lift the rule: it hits all tokens of ours, also those that are yet to be issued. */
function locksOut({ match, issued_before }: Body, now: number, issuer: string): boolean {
  const { iss, ...rest } = match;
  if (Object.keys(rest).length > 0 || (iss !== undefined && iss !== issuer)) return false;
  return issued_before === undefined || issued_before > now + CLOCK_TOLERANCE_SECONDS;
}

/**
 * A key of ours that signs, or will, is replaced, never only banned: every token that it goes on signing would
 * be refused, the operator's too.
 */
async function ownKeyFault(
  { match, issued_before }: Body,
  now: number,
  { issuer, ownKeys }: RevokeDeps,
): Promise<Problem | undefined> {
  const { kid, iss, ...rest } = match;
  if (kid === undefined || Object.keys(rest).length > 0 || (iss !== undefined && iss !== issuer))
    return undefined;
  if (issued_before !== undefined && issued_before <= now + CLOCK_TOLERANCE_SECONDS) return undefined;
  const keys = await ownKeys();
  if (!keys.ok) {
    const detail =
      "Nothing is revoked: it could not be read whether this is a signing key of ours. Try again, or give issued_before.";
    return problem("unavailable", detail);
  }
  const signs = keys.value.some(
    (key) => key.kid === kid && (key.state === "current" || key.state === "next"),
  );
  if (!signs) return undefined;
  const detail =
    "match.kid: is a signing key of this deployment, so that every token yet to be issued would be refused too. " +
    'Replace it, and deny what it signed: POST /v1/keys/rotate {"compromised_kid": …}.';
  return problem("invalid_body", detail);
}

/** What an earlier call with the id led to; undefined where it led to nothing. */
async function outcomeOf(id: string, { log }: RevokeDeps): Promise<Result<Revoked> | undefined> {
  const record = await log.revocation(id);
  if (!record.ok) return record.error.code === "not_found" ? undefined : record;
  if (record.value.seq !== undefined) {
    const receipt = await log.revocationReceipt(id);
    return receipt.ok ? ok({ kind: "in_force", receipt: receipt.value }) : receipt;
  }
  if (record.value.state === "awaiting_confirmation") return ok({ kind: "held_back", record: record.value });
  const detail = `The revocation that this Idempotency-Key made was not confirmed (${record.value.state}). Use a new key.`;
  return err(problem("gone", detail));
}

/** The count where it is more than one person may cut, else undefined. */
async function exceedingCount(body: Body, deps: RevokeDeps): Promise<Result<LiveCount | undefined>> {
  // One token is never too many, and an emergency waits for no count.
  if (body.emergency || body.match.jti !== undefined) return ok(undefined);
  const counted = await countLive(body.match, body.issued_before, deps.issuer, deps.live);
  const limit = counted.ok ? await deps.confirmAbove() : counted;
  if (!counted.ok || !limit.ok) {
    const detail =
      "Nothing is revoked: it could not be counted how many tokens this would cut. Try again, or set " +
      '"emergency": true to revoke without the count and without a second person.';
    return err(problem("unavailable", detail));
  }
  return ok(counted.value.would_cut.tokens > limit.value ? counted.value : undefined);
}

function ruleOf(
  body: Body,
  id: string,
  actor: string,
  now: number,
  defaultEnd: number | undefined,
): Revocation {
  const expiresAt = body.expires_at ?? defaultEnd;
  return {
    id,
    match: spelled(body.match),
    ...(body.effect ? { effect: body.effect } : {}),
    ...(body.issued_before === undefined ? {} : { issued_before: body.issued_before }),
    reason: body.reason,
    actor,
    created_at: now,
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(body.emergency ? { emergency: true as const } : {}),
  };
}
