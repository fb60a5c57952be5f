import { fileKey, hits, isOver, MEMBERS, type Member, type Revocation, type TokenFacts } from "./rule.ts";

/** Rules by the first member that their match names. A look-up is at most ten probes, whatever their number. */
class RuleFile {
  readonly #byMember = new Map<Member, Map<string, Revocation[]>>(
    MEMBERS.map((member) => [member, new Map()]),
  );
  readonly #everything: Revocation[] = [];
  #size = 0;

  add(rule: Revocation): void {
    this.#size++;
    const slot = this.#slot(rule);
    if (!slot) this.#everything.push(rule);
    else slot.map.set(slot.value, [...(slot.map.get(slot.value) ?? []), rule]);
  }

  remove(rule: Revocation): void {
    this.#size--;
    const slot = this.#slot(rule);
    if (!slot) {
      this.#everything.splice(this.#everything.indexOf(rule), 1);
      return;
    }
    const rest = (slot.map.get(slot.value) ?? []).filter((other) => other.id !== rule.id);
    if (rest.length) slot.map.set(slot.value, rest);
    else slot.map.delete(slot.value);
  }

  /** The first rule that hits the token now, or undefined. */
  find(facts: TokenFacts, nowSeconds: number): Revocation | undefined {
    if (this.#size === 0) return undefined;
    for (const rule of this.#everything) if (hits(rule, facts, nowSeconds)) return rule;
    for (const member of MEMBERS) {
      const map = this.#byMember.get(member)!;
      if (map.size === 0) continue;
      const found =
        probe(map, facts[member], facts, nowSeconds) ??
        (member === "sub" ? probe(map, facts.subject, facts, nowSeconds) : undefined);
      if (found) return found;
    }
    return undefined;
  }

  /** Every rule that hits the token now; undefined where none does. A rule is in one place, so that none comes twice. */
  all(facts: TokenFacts, nowSeconds: number): Revocation[] | undefined {
    if (this.#size === 0) return undefined;
    let found = hitting(this.#everything, facts, nowSeconds, undefined);
    for (const member of MEMBERS) {
      const map = this.#byMember.get(member)!;
      const value = facts[member];
      if (map.size === 0 || value === undefined) continue;
      found = hitting(map.get(value), facts, nowSeconds, found);
      if (member === "sub" && facts.subject !== value) {
        found = hitting(map.get(facts.subject), facts, nowSeconds, found);
      }
    }
    return found;
  }

  #slot(rule: Revocation): { map: Map<string, Revocation[]>; value: string } | undefined {
    const key = fileKey(rule.match);
    if (key === "*") return undefined;
    const colon = key.indexOf(":");
    return { map: this.#byMember.get(key.slice(0, colon) as Member)!, value: key.slice(colon + 1) };
  }
}

function hitting(
  rules: readonly Revocation[] | undefined,
  facts: TokenFacts,
  nowSeconds: number,
  found: Revocation[] | undefined,
): Revocation[] | undefined {
  if (rules === undefined) return found;
  let all = found;
  for (const rule of rules) {
    if (!hits(rule, facts, nowSeconds)) continue;
    all ??= [];
    all.push(rule);
  }
  return all;
}

function probe(
  map: Map<string, Revocation[]>,
  value: string | undefined,
  facts: TokenFacts,
  nowSeconds: number,
): Revocation | undefined {
  if (value === undefined) return undefined;
  return map.get(value)?.find((rule) => hits(rule, facts, nowSeconds));
}

/**
 * All revocations in force: those that refuse, those that constrain, and those for addresses, each apart, so that
 * where there are none of a kind a look-up costs nothing. Changes are synchronous: a reader never sees half of one.
 */
export class RuleIndex {
  readonly #byId = new Map<string, Revocation>();
  readonly #refusing = new RuleFile();
  readonly #constraining = new RuleFile();
  readonly #byAddress = new Map<string, Revocation[]>();

  get size(): number {
    return this.#byId.size;
  }

  /** Whether a request's address matters at all. */
  get blocksAddresses(): boolean {
    return this.#byAddress.size > 0;
  }

  add(rule: Revocation): void {
    if (this.#byId.has(rule.id)) return;
    this.#byId.set(rule.id, rule);
    const { address } = rule.match;
    if (address === undefined) this.#fileOf(rule).add(rule);
    else this.#byAddress.set(address, [...(this.#byAddress.get(address) ?? []), rule]);
  }

  remove(id: string): void {
    const rule = this.#byId.get(id);
    if (!rule) return;
    this.#byId.delete(id);
    const { address } = rule.match;
    if (address === undefined) {
      this.#fileOf(rule).remove(rule);
      return;
    }
    const rest = (this.#byAddress.get(address) ?? []).filter((other) => other.id !== id);
    if (rest.length) this.#byAddress.set(address, rest);
    else this.#byAddress.delete(address);
  }

  /** A new index without some rules, and without those whose time is over: no token that they hit is alive. */
  without(ids: ReadonlySet<string>, nowSeconds: number): RuleIndex {
    const rest = new RuleIndex();
    for (const rule of this.#byId.values()) {
      if (!isOver(rule, nowSeconds) && !ids.has(rule.id)) rest.add(rule);
    }
    return rest;
  }

  /** The revocation that refuses this token now, or undefined. */
  find(facts: TokenFacts, nowSeconds: number): Revocation | undefined {
    return this.#refusing.find(facts, nowSeconds);
  }

  /** Every rule that demands something of this token now, or takes scopes from it; undefined where there is none. */
  constraints(facts: TokenFacts, nowSeconds: number): Revocation[] | undefined {
    return this.#constraining.all(facts, nowSeconds);
  }

  /** The rule that refuses requests from this block of addresses now, or undefined. */
  blocks(addressBlock: string, nowSeconds: number): Revocation | undefined {
    return this.#byAddress.get(addressBlock)?.find((rule) => !isOver(rule, nowSeconds));
  }

  #fileOf({ effect }: Revocation): RuleFile {
    return effect ? this.#constraining : this.#refusing;
  }
}
