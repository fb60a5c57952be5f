import { dateText } from "./duration.ts";
import type { EffectView, MatchView } from "./operator-wire.ts";

/** What each claim that a rule can name stands for. */
export const MEMBER_WORDS: Readonly<Record<string, string>> = {
  jti: "token",
  grant: "grant",
  session: "session",
  sub: "subject",
  client_id: "client",
  jkt: "sender's key",
  kid: "signing key",
  iss: "issuer",
  address: "address",
};

type Rule = { match: MatchView; issued_before?: number };

/** Which tokens a rule hits, in one line. */
export function ruleText({ match, issued_before: before }: Rule): string {
  const named = Object.entries(match).map(([member, value]) => `${MEMBER_WORDS[member] ?? member} ${value}`);
  const moment = before === undefined ? "" : `issued before ${dateText(before)}`;
  if (match.address !== undefined) return `every request from ${named.join(" and ")}`;
  if (named.length === 0) return `every token ${moment}`;
  return [`tokens of ${named.join(" and ")}`, moment].filter((part) => part !== "").join(", ");
}

/** What becomes of what it hits. */
export function effectText(effect: EffectView | undefined): string {
  if (!effect) return "refused";
  if (effect.kind === "shrink_scope") return `count without ${effect.scopes.join(", ")}`;
  const { acr_values: acr, signed_in_since: since } = effect;
  const wants = [
    ...(acr ? [`by ${acr.join(" or ")}`] : []),
    ...(since === undefined ? [] : [`since ${dateText(since)}`]),
  ];
  return `need a new sign-in ${wants.join(", ")}`;
}
