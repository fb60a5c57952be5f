import type { StoredPolicy } from "../policy/document.ts";
import type { PublicKeyRecord } from "../protocol/jwk.ts";
import type { FilterManifest } from "../revocation/filter.ts";
import type { Revocation } from "../revocation/rule.ts";

/** One change that every edge must learn of. `id` makes an append idempotent. */
export type LogEntry =
  | { id: string; kind: "revocation.added"; rule: Revocation }
  | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string; reason?: string }
  /** All keys that verify from now on; `rule` denies what a compromised one has signed. */
  | { id: string; kind: "keys.changed"; keys: PublicKeyRecord[]; rule?: Revocation }
  | ({ id: string; kind: "policy.activated" } & StoredPolicy)
  | { id: string; kind: "filter.published"; filter: FilterManifest }
  /** Rules for one token each, which the filter in the log before it knows: replicas drop them. */
  | { id: string; kind: "rules.compacted"; ids: string[] }
  /** What is left of a `filter.published` once a later one is in the log. */
  | { id: string; kind: "filter.superseded" };

export type SequencedEntry = { seq: number; entry: LogEntry };

/** Everything that the log's entries up to `seq` amount to. */
export type Snapshot = {
  seq: number;
  /** When it was taken, epoch milliseconds. */
  at_ms: number;
  policy: StoredPolicy;
  keys: PublicKeyRecord[];
  /** Revocations in force, without those that the filter stands for. */
  rules: Revocation[];
  /** The filter of denied tokens in force; absent where none was ever published. */
  filter?: FilterManifest;
};

/** What has happened since a sequence number; `too_old` where the log no longer holds it. */
export type Delta =
  | {
      too_old: false;
      head_seq: number;
      entries: SequencedEntry[];
      /** When the log was asked (epoch milliseconds), where that was before this reader asked. */
      asked_at_ms?: number;
    }
  | { too_old: true };

/** The KV key of the snapshot (JSON of {@link Snapshot}). */
export const SNAPSHOT_KEY = "snapshot";
