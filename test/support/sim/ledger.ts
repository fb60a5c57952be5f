import type { PolicyDocument } from "../../../src/policy/document.ts";
import type { Receipt } from "../../../src/revocation/receipt.ts";
import type { RevocationMatch } from "../../../src/revocation/rule.ts";

/** A token that was minted, as the judge knows it. Moments are epoch seconds. */
export type SimToken = {
  jwt: string;
  kid: string;
  claims: {
    iss: string;
    sub: string;
    client_id: string;
    jti: string;
    iat: number;
    grant?: string;
    sid?: string;
  };
  expiresAt: number;
};

/** A change that was sent to the log, and its acknowledgement where one came. */
export type Submission = { sentMs: number; acked?: { atMs: number; receipt: Receipt } };

export type SimRule = Submission & {
  id: string;
  match: RevocationMatch;
  issuedBefore?: number;
  expiresAt?: number;
  /** A token that is denied by name; acknowledged when its publication is. */
  bulk?: { stored: boolean };
  lifts: Submission[];
};

/** A set of public keys that was published, in the order of publication. */
export type SimKeySet = Submission & { kids: readonly string[] };

export type SimPolicy = Submission & { document: PolicyDocument };

/** What the world has told the log, in plain lists: the judge's own account, independent of the product. */
export class Ledger {
  readonly tokens: SimToken[] = [];
  readonly rules: SimRule[] = [];
  readonly keySets: SimKeySet[] = [];
  readonly policies: SimPolicy[] = [];

  /** Rules that name this token and whose time is not over; the judge's own reading of the contract. */
  rulesOn(token: SimToken, nowSeconds: number): SimRule[] {
    return this.rules.filter(
      (rule) => names(rule, token) && !(rule.expiresAt !== undefined && rule.expiresAt <= nowSeconds),
    );
  }

  /** How often keys or policy were changed at or after a moment, counted when it was acknowledged. */
  changesSince(sinceMs: number): number {
    return [...this.keySets, ...this.policies].filter(({ acked }) => !acked || acked.atMs >= sinceMs).length;
  }

  /** How old the knowledge behind a decision may be on this route, under any policy that an edge may go by. */
  stalenessMs(path: string, sinceMs: number, outOfReach: boolean): number {
    const settled = this.policies.findLastIndex(({ acked }) => {
      return acked !== undefined && acked.receipt.effective_by.eventual * 1000 < sinceMs;
    });
    const bounds = this.policies.slice(Math.max(0, settled)).map(({ document }) => {
      const { consistency, on_stale } = document.routes.find((route) => route.path === path)!;
      const boundMs =
        consistency.tier === "bounded" ? consistency.max_staleness_ms : TIER_MS[consistency.tier];
      return boundMs + (outOfReach && on_stale !== "deny" ? on_stale.allow_for_seconds * 1000 : 0);
    });
    return Math.max(...bounds);
  }

  /** The first acknowledged set without the token's key after one that had it. */
  removalOfKey(token: SimToken): SimKeySet | undefined {
    const first = this.keySets.findIndex(({ kids }) => kids.includes(token.kid));
    return this.keySets.slice(first).find(({ kids, acked }) => acked && !kids.includes(token.kid));
  }

  /** Whether every set that may be in force holds the token's key. */
  keyStands(token: SimToken): boolean {
    const first = this.keySets.findIndex(({ kids }) => kids.includes(token.kid));
    return this.keySets.slice(first).every(({ kids }) => kids.includes(token.kid));
  }
}

const TIER_MS = { strict: 0, eventual: 60_000 };

const CLAIM_OF = {
  iss: "iss",
  jti: "jti",
  grant: "grant",
  session: "sid",
  sub: "sub",
  client_id: "client_id",
} as const;

function names({ match, issuedBefore }: SimRule, token: SimToken): boolean {
  if (issuedBefore !== undefined && token.claims.iat >= issuedBefore) return false;
  return Object.entries(match).every(([member, wanted]) => {
    if (member === "kid") return token.kid === wanted;
    return token.claims[CLAIM_OF[member as keyof typeof CLAIM_OF]] === wanted;
  });
}
