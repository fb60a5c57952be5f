import type { Disclosures } from "./audit-record.ts";

/** The first line of an export. */
export type ExportHeader = {
  audit_log: 1;
  /** The log's name, as its checkpoints have it. */
  origin: string;
  /** The first record that follows, and how many the log has: the export holds all from there on. */
  from: number;
  size: number;
  verifier_key: string;
  /** How many checkpoints stand between the records. */
  checkpoints: number;
  /** Base64 hashes of the complete subtrees before `from`, the largest first; none where it is 0. */
  edge: string[];
};

/** A record. `leaf` is the exact text that the tree commits to. */
export type RecordLine = { seq: number; leaf_hash: string; leaf: string; disclosures: Disclosures };

/** A record that retention has taken the text of. */
export type PrunedLine = { seq: number; leaf_hash: string };

/** A signed checkpoint, right after the record that was the last one then. The last line is one. */
export type CheckpointLine = { checkpoint: string };

export type ExportLine = ExportHeader | RecordLine | PrunedLine | CheckpointLine;
