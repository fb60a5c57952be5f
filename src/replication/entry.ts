import type { PolicyDocument, PolicyVersion } from "../policy/document.ts";
import type { PublicKeyRecord } from "../protocol/jwk.ts";
import type { Revocation } from "../revocation/rule.ts";

/** One change that every edge must learn of. `id` makes an append idempotent. */
export type LogEntry =
  | { id: string; kind: "revocation.added"; rule: Revocation }
  | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string }
  | { id: string; kind: "keys.changed"; keys: PublicKeyRecord[] }
  | { id: string; kind: "policy.activated"; version: number; document: PolicyDocument };

export type SequencedEntry = { seq: number; entry: LogEntry };

/** Everything that the log's entries up to `seq` amount to. */
export type Snapshot = {
  seq: number;
  /** When it was taken, epoch milliseconds. */
  at_ms: number;
  policy: PolicyVersion;
  keys: PublicKeyRecord[];
  /** Revocations in force. */
  rules: Revocation[];
};

/** What has happened since a sequence number; `too_old` where the log no longer holds it. */
export type Delta = { too_old: false; head_seq: number; entries: SequencedEntry[] } | { too_old: true };

/** The KV key of the snapshot (JSON of {@link Snapshot}). */
export const SNAPSHOT_KEY = "snapshot";
