import { fileKey, hits, MEMBERS, type Member, type Revocation, type TokenFacts } from "./rule.ts";

/**
 * All revocations in force, by hash map on each claim: a look-up is at most ten probes, whatever the number
 * of rules. Changes are synchronous, so a reader never sees half of one.
 */
export class RuleIndex {
  readonly #byMember = new Map<Member, Map<string, Revocation[]>>(
    MEMBERS.map((member) => [member, new Map()]),
  );
  readonly #everything: Revocation[] = [];
  readonly #byId = new Map<string, Revocation>();

  get size(): number {
    return this.#byId.size;
  }

  add(rule: Revocation): void {
    if (this.#byId.has(rule.id)) return;
    this.#byId.set(rule.id, rule);
    const slot = this.#slot(rule);
    if (!slot) this.#everything.push(rule);
    else slot.map.set(slot.value, [...(slot.map.get(slot.value) ?? []), rule]);
  }

  remove(id: string): void {
    const rule = this.#byId.get(id);
    if (!rule) return;
    this.#byId.delete(id);
    const slot = this.#slot(rule);
    if (!slot) {
      this.#everything.splice(this.#everything.indexOf(rule), 1);
      return;
    }
    const rest = (slot.map.get(slot.value) ?? []).filter((other) => other.id !== id);
    if (rest.length) slot.map.set(slot.value, rest);
    else slot.map.delete(slot.value);
  }

  /** A new index without some rules, and without those whose time is over: no token that they hit is alive. */
  without(ids: ReadonlySet<string>, nowSeconds: number): RuleIndex {
    const rest = new RuleIndex();
    for (const rule of this.#byId.values()) {
      const over = rule.expires_at !== undefined && rule.expires_at <= nowSeconds;
      if (!over && !ids.has(rule.id)) rest.add(rule);
    }
    return rest;
  }

  /** The revocation that hits this token now, or undefined. */
  find(facts: TokenFacts, nowSeconds: number): Revocation | undefined {
    if (this.#byId.size === 0) return undefined;
    for (const rule of this.#everything) if (hits(rule, facts, nowSeconds)) return rule;
    for (const member of MEMBERS) {
      const map = this.#byMember.get(member)!;
      if (map.size === 0) continue;
      const found =
        this.#probe(map, facts[member], facts, nowSeconds) ??
        (member === "sub" ? this.#probe(map, facts.subject, facts, nowSeconds) : undefined);
      if (found) return found;
    }
    return undefined;
  }

  #probe(
    map: Map<string, Revocation[]>,
    value: string | undefined,
    facts: TokenFacts,
    nowSeconds: number,
  ): Revocation | undefined {
    if (value === undefined) return undefined;
    return map.get(value)?.find((rule) => hits(rule, facts, nowSeconds));
  }

  #slot(rule: Revocation): { map: Map<string, Revocation[]>; value: string } | undefined {
    const key = fileKey(rule.match);
    if (key === "*") return undefined;
    const colon = key.indexOf(":");
    return { map: this.#byMember.get(key.slice(0, colon) as Member)!, value: key.slice(colon + 1) };
  }
}
