import { newSecret } from "../platform/ids.ts";
import { type AuditEntry, personsIn, sealEntry } from "../protocol/audit-record.ts";
import { sha256Bytes, utf8 } from "../protocol/encoding.ts";
import { leafHash, TreeEdge, TreeReader } from "../protocol/merkle.ts";
import type { Result } from "../protocol/result.ts";
import { ok } from "../protocol/result.ts";
import { checkpointText } from "../protocol/signed-note.ts";
import type { AuditStore, CheckpointRow, NewRecord } from "./audit-store.ts";
import type { CheckpointKey } from "./checkpoint-key.ts";

export type AuditLogOptions = {
  store: AuditStore;
  key: CheckpointKey;
  /** The log's name in its checkpoints: the URL that it is read under, without the scheme. */
  origin: string;
  /** Runs a change in a transaction. */
  commit(change: () => void): void;
};

/** The log itself: adds records to the tree, one batch after the other, and signs its checkpoints. */
export class AuditLog {
  readonly #o: AuditLogOptions;
  readonly tree: TreeReader;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: AuditLogOptions) {
    this.#o = options;
    this.tree = new TreeReader((level, index) => options.store.node(level, index), sha256Bytes);
  }

  /** Adds the entries in their order, those that are there already once. `also` joins the same transaction. */
  append(entries: () => readonly AuditEntry[], also: () => void = () => {}): Promise<number> {
    const turn = this.#last.then(async () => {
      const records = await this.#records(entries());
      this.#o.commit(() => {
        for (const record of records) this.#o.store.insert(record);
        also();
      });
      return records.length;
    });
    // A fault is its own caller's, not of those that come after.
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** A signed checkpoint of the log as it is. */
  async checkpoint(nowSeconds: number): Promise<Result<CheckpointRow>> {
    const { store, key, origin } = this.#o;
    const size = store.size();
    const known = store.checkpoint();
    if (known?.size === size) return ok(known);
    const rootHash = await this.tree.root(size);
    const note = await key.sign(checkpointText({ origin, size, rootHash }));
    if (!note.ok) return note;
    const made = { size, at: nowSeconds, note: note.value };
    this.#o.commit(() => store.addCheckpoint(made));
    return ok(made);
  }

  async #records(entries: readonly AuditEntry[]): Promise<NewRecord[]> {
    const { store } = this.#o;
    const edge = new TreeEdge(sha256Bytes, store.size(), (level, index) => store.node(level, index));
    const records = new Map<string, NewRecord>();
    for (const entry of entries) {
      if (records.has(entry.id) || store.has(entry.id)) continue;
      const { leaf, disclosures } = await sealEntry(entry, edge.size, newSecret);
      const leafText = JSON.stringify(leaf);
      const nodes = await edge.append(await leafHash(utf8(leafText), sha256Bytes));
      records.set(entry.id, { leaf, leafText, disclosures, persons: personsIn(entry), nodes });
    }
    return [...records.values()];
  }
}
