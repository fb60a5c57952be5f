import type { Result } from "../protocol/result.ts";
import type { ReplicaView } from "../replication/replica.ts";
import type { DeniedFilter } from "../revocation/filter.ts";
import type { TokenFacts } from "../revocation/rule.ts";

/** Asks exactly: until when the token is denied (epoch seconds), 0 where it is not. Fails where nobody can tell. */
export type ConfirmDenied = (filter: DeniedFilter, iss: string, jti: string) => Promise<Result<number>>;

/** `unconfirmed`: the filter suspects the token, and nobody was asked about it under this filter yet. */
export type DenyVerdict = "clear" | "denied" | "unconfirmed";

type Memo = { stamp: number; deniedUntil: number };

const MAX_MEMOS = 20_000;

/**
 * The exact answer behind the filter, remembered: a token that is suspected is asked about once for each build
 * of the parts that suspect it, so a false suspicion costs one call and not one a request. One for each isolate.
 */
export class DeniedTokens {
  readonly #confirm: ConfirmDenied;
  readonly #maxMemos: number;
  readonly #memos = new Map<string, Memo>();

  constructor(confirm: ConfirmDenied, maxMemos = MAX_MEMOS) {
    this.#confirm = confirm;
    this.#maxMemos = maxMemos;
  }

  /** What is known now; synchronous. Without a suspicion this is one look into the filter. */
  look(view: ReplicaView, { iss, jti }: TokenFacts, nowSeconds: number): DenyVerdict {
    const { filter } = view;
    if (!filter || jti === undefined || !filter.mayContain(jti)) return "clear";
    const memo = this.#memos.get(nameOf(iss, jti));
    if (memo?.stamp !== filter.stamp(jti)) return "unconfirmed";
    return nowSeconds < memo.deniedUntil ? "denied" : "clear";
  }

  /** Asks where a look would tell `unconfirmed`; false where nobody could answer. */
  async settle(view: ReplicaView, facts: TokenFacts, nowSeconds: number): Promise<boolean> {
    if (this.look(view, facts, nowSeconds) !== "unconfirmed") return true;
    const { iss, jti = "" } = facts;
    const filter = view.filter!;
    const deniedUntil = await this.#confirm(filter, iss, jti);
    if (!deniedUntil.ok) return false;
    this.#remember(nameOf(iss, jti), { stamp: filter.stamp(jti), deniedUntil: deniedUntil.value });
    return true;
  }

  /** The oldest goes first. An answer about an older filter does not take the place of a newer one's. */
  #remember(name: string, memo: Memo): void {
    if ((this.#memos.get(name)?.stamp ?? 0) > memo.stamp) return;
    this.#memos.delete(name);
    this.#memos.set(name, memo);
    if (this.#memos.size <= this.#maxMemos) return;
    const [oldest] = this.#memos.keys();
    this.#memos.delete(oldest!);
  }
}

function nameOf(iss: string, jti: string): string {
  return `${iss}\0${jti}`;
}
