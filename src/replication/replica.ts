import type { CompiledPolicy } from "../policy/compiled.ts";
import type { KeyPurpose } from "../protocol/jwk.ts";
import type { Result } from "../protocol/result.ts";
import type { DeniedFilter } from "../revocation/filter.ts";
import type { RuleIndex } from "../revocation/rule-index.ts";

/** A public key of ours, ready to verify with. */
export type VerificationKey = { kid: string; purpose: KeyPurpose; alg: string; key: CryptoKey };

/** What one isolate knows, and how old that knowledge is. Immutable but for `revocations`, which only moves forward. */
export type ReplicaView = {
  /** Last log entry that is folded in. */
  seq: number;
  /** When the last delta was asked for (epoch milliseconds): the view holds everything acknowledged before. */
  fetchedAtMs: number;
  policy: CompiledPolicy;
  keys: ReadonlyMap<string, VerificationKey>;
  revocations: RuleIndex;
  /** Denied tokens by the million; what it suspects must be confirmed. Absent where none was ever imported. */
  filter?: DeniedFilter;
};

export type ReplicaReader = {
  /** The view in memory, undefined in a cold isolate. */
  peek(): ReplicaView | undefined;
  /**
   * Asks the log now; the view that comes back was asked for after this call began. With `maxAgeMs`, one that
   * another isolate asked for that long ago at most will do, and counts as that old.
   */
  refresh(maxAgeMs?: number): Promise<Result<ReplicaView>>;
  /** Starts a refresh that no request waits for, unless one is under way. */
  refreshInBackground(waitUntil: (work: Promise<unknown>) => void, maxAgeMs?: number): void;
};
