import type { ExactCount, Limits } from "../limits/limits.ts";
import type { LimitPolicy } from "../policy/limit-schema.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import { type Refusal, refusal } from "./decision.ts";

/** Whether and as what one request was counted. It may be decided on several times, and is counted once. */
export type Counting = { counted?: true; count?: ExactCount };

/** Who nobody knows the address of is counted as one. */
const NO_ADDRESS = "-";
/** What one customer has of IPv6, at the least. */
const IPV6_GROUPS = 4;

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
  if (by === "ip" || !token) return `ip ${networkOf(headers.get("cf-connecting-ip"))}`;
  const { iss, jti, client_id: client, subject } = token.facts;
  if (by === "token" && jti !== undefined) return `token ${iss} ${jti}`;
  if (by === "client" && client !== undefined) return `client ${iss} ${client}`;
  return `subject ${subject}`;
}

/** An IPv4 address, or the /64 network of an IPv6 one. */
function networkOf(address: string | null): string {
  if (!address) return NO_ADDRESS;
  if (!address.includes(":")) return address;
  const [before = "", after] = address.toLowerCase().split("::");
  const groups = before.split(":").filter((group) => group !== "");
  if (after !== undefined) {
    const tail = after.split(":").filter((group) => group !== "").length;
    for (let left = 8 - groups.length - tail; left > 0; left--) groups.push("0");
    groups.push(...after.split(":").filter((group) => group !== ""));
  }
  return groups
    .slice(0, IPV6_GROUPS)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}
