import type { ExactCount, Limits } from "../limits/limits.ts";
import type { LimitPolicy } from "../policy/limit-schema.ts";
import { addressBlock } from "../protocol/address-block.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import { type Refusal, refusal } from "./decision.ts";

/** Whether and as what one request was counted. It may be decided on several times, and is counted once. */
export type Counting = { counted?: true; count?: ExactCount };

/** Who nobody knows the address of is counted as one. */
const NO_ADDRESS = "-";

/** Counts a request against the limit of its route, and keeps what is left. */
export async function countRequest(
  routeId: string,
  limit: LimitPolicy,
  token: VerifiedToken | undefined,
  headers: Pick<Headers, "get">,
  counting: Counting,
  limits: Limits,
): Promise<Refusal | undefined> {
  counting.counted = true;
  const key = `${routeId} ${whose(limit.by, token, headers)}`;
  const counted = await limits.count(limit, key);
  if (!counted.ok) {
    const { reason, ...more } = counted.error;
    return refusal(reason, more);
  }
  if (counted.value) counting.count = counted.value;
  return undefined;
}

/** A token that lacks what is counted by is counted by its subject, so that nobody escapes by leaving it out. */
export function whose(
  by: LimitPolicy["by"],
  token: VerifiedToken | undefined,
  headers: Pick<Headers, "get">,
): string {
  if (by === "ip" || !token) return `ip ${addressBlock(headers.get("cf-connecting-ip") ?? NO_ADDRESS)}`;
  const { iss, jti, client_id: client, subject } = token.facts;
  if (by === "token" && jti !== undefined) return `token ${iss} ${jti}`;
  if (by === "client" && client !== undefined) return `client ${iss} ${client}`;
  return `subject ${subject}`;
}
