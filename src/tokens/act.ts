import type { Json } from "../protocol/json.ts";

/** RFC 8693 §4.1: who acts now, and within it who acted before. */
export type ActClaim = { sub: string; act?: ActClaim };

/** Longer chains are not minted and not read: each link is a whole subject. */
export const MAX_ACTORS = 3;

const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]{0,318}[\x21-\x7e])?$/;

/** Reads an `act` claim; null where it is not one. `name` turns its subjects into those that the policy names. */
export function readAct(
  value: Json,
  name: (sub: string) => string = (sub) => sub,
  left = MAX_ACTORS,
): ActClaim | null {
  if (value === null || typeof value !== "object" || Array.isArray(value) || left === 0) return null;
  const { sub } = value;
  if (typeof sub !== "string" || !PLAIN.test(sub)) return null;
  if (!Object.hasOwn(value, "act")) return { sub: name(sub) };
  const act = readAct(value.act as Json, name, left - 1);
  return act && { sub: name(sub), act };
}

/** The claim of a token by which `actor` acts, where others acted before. Undefined where the chain is too long. */
export function actOf(actor: string, before: ActClaim | undefined): ActClaim | undefined {
  let links = 1;
  for (let act = before; act; act = act.act) links++;
  if (links > MAX_ACTORS) return undefined;
  return before ? { sub: actor, act: before } : { sub: actor };
}

/** Who acts for the subject, nearest first. */
export function actorsOf(act: ActClaim | undefined): string[] {
  return act ? [act.sub, ...actorsOf(act.act)] : [];
}
