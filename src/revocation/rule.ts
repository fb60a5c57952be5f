import type * as z from "zod";
import type { effectSchema, matchSchema } from "./rule-schema.ts";

export type RevocationMatch = z.output<typeof matchSchema>;

export type Effect = z.output<typeof effectSchema>;

/** A revocation: data that hits any number of tokens. Times are epoch seconds (NumericDate). */
export type Revocation = {
  id: string;
  match: RevocationMatch;
  /** Absent: what it hits is refused. */
  effect?: Effect;
  /** Only tokens whose `iat` is before this moment. */
  issued_before?: number;
  reason: string;
  actor: string;
  created_at: number;
  /** When no matching token can still be alive; absent where the ban is permanent. */
  expires_at?: number;
  /** The second person, where one was needed. */
  confirmation?: { actor: string; at: number; comment?: string };
  /** In force without a second person, because its maker said that there was no time to ask one. */
  emergency?: true;
};

/** Rules of the canary name it: it is no client and no person. Their history goes soon, and no list shows it. */
export const PROBE_ACTOR = "canary";

/** What a revocation is matched against: the claims of one verified token. */
export type TokenFacts = {
  iss: string;
  sub: string;
  /** `<issuer id>|<sub>` for a token of a trusted identity provider; equal to `sub` for one of ours. */
  subject: string;
  iat: number;
  kid: string;
  jti?: string;
  grant?: string;
  session?: string;
  client_id?: string;
  jkt?: string;
};

/** What one request is looked up by: its verified token, and where it came from, as a rule spells it. */
export type Suspect = { facts?: TokenFacts; address?: string };

/** From the narrowest to the widest: a rule is filed under the first member that it names. */
export const MEMBERS = ["jti", "grant", "session", "sub", "client_id", "jkt", "kid", "iss"] as const;
export type Member = (typeof MEMBERS)[number];

/** Where a rule is filed: `member:value`, or `*` for a rule that names nothing but a moment. */
export function fileKey(match: RevocationMatch): string {
  if (match.address !== undefined) return addressKey(match.address);
  for (const member of MEMBERS) {
    const value = match[member];
    if (value !== undefined) return `${member}:${value}`;
  }
  return "*";
}

/** Where rules for an address are filed, by the block that it belongs to. */
export function addressKey(block: string): string {
  return `address:${block}`;
}

/** Every key under which a rule that hits this token can be filed: at most ten. */
export function probeKeys(facts: TokenFacts): string[] {
  const keys = ["*", `iss:${facts.iss}`, `kid:${facts.kid}`, `sub:${facts.sub}`];
  if (facts.subject !== facts.sub) keys.push(`sub:${facts.subject}`);
  if (facts.jti !== undefined) keys.push(`jti:${facts.jti}`);
  if (facts.grant !== undefined) keys.push(`grant:${facts.grant}`);
  if (facts.session !== undefined) keys.push(`session:${facts.session}`);
  if (facts.client_id !== undefined) keys.push(`client_id:${facts.client_id}`);
  if (facts.jkt !== undefined) keys.push(`jkt:${facts.jkt}`);
  return keys;
}

/** Whether the rule's own time has come to its end. */
export function isOver(rule: Revocation, nowSeconds: number): boolean {
  return rule.expires_at !== undefined && rule.expires_at <= nowSeconds;
}

/** Whether the rule hits the token now, whatever its effect; one for an address hits no token. */
export function hits(rule: Revocation, facts: TokenFacts, nowSeconds: number): boolean {
  if (isOver(rule, nowSeconds) || rule.match.address !== undefined) return false;
  if (rule.issued_before !== undefined && facts.iat >= rule.issued_before) return false;
  const { match } = rule;
  for (const member of MEMBERS) {
    const wanted = match[member];
    if (wanted === undefined || wanted === facts[member]) continue;
    if (member === "sub" && wanted === facts.subject) continue;
    return false;
  }
  return true;
}

/** No access token that lives longer is accepted, so that a revocation of it may end after this time. */
export const MAX_TOKEN_LIFE_SECONDS = 31 * 86_400;

/** `iat` may lie a minute ahead, and an identity provider's clock may be half a minute behind at the end. */
const CLOCK_MARGIN_SECONDS = 120;

/**
 * When a revocation may be forgotten: after the longest life that a matching token can have. A ban without
 * `issued_before` of a subject, client, key or issuer also hits future tokens, and stays until it is lifted.
 */
export function defaultExpiry(
  match: RevocationMatch,
  issuedBefore: number | undefined,
  nowSeconds: number,
): number | undefined {
  const finite = match.jti ?? match.grant ?? match.session;
  if (finite === undefined && issuedBefore === undefined) return undefined;
  return Math.max(nowSeconds, issuedBefore ?? 0) + MAX_TOKEN_LIFE_SECONDS + CLOCK_MARGIN_SECONDS;
}
