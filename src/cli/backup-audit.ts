import { hash } from "node:crypto";
import type { ExportLine } from "../protocol/audit-export.ts";
import type { Disclosures } from "../protocol/audit-record.ts";
import { type AuditVerdict, verifyExport } from "../protocol/audit-verifier.ts";
import type { RowLine } from "../protocol/backup.ts";
import { base64, canonicalBase64url, utf8 } from "../protocol/encoding.ts";
import { leafHash } from "../protocol/merkle.ts";
import { verifierKey } from "../protocol/signed-note.ts";

const OBJECT = "AuditObject";
const sha256 = (data: Uint8Array) => hash("sha256", data, "buffer");

/** Of the log that a backup holds: how far its own signatures reach, and what they say of it. */
export type BackedUpAudit = { verdict: AuditVerdict; unsigned: number };

/** Gathers, while a backup is read once, what its audit log is verified by when it is read again. */
export class AuditInBackup {
  readonly #checkpoints: { size: number; note: string }[] = [];
  /** Hashes of records whose text retention has taken, by their place. */
  readonly #pruned = new Map<number, string | undefined>();
  #publicKey: string | undefined;
  #records = 0;

  /** To be told each row of the first reading. */
  take(object: string, { table, row }: RowLine): void {
    if (object !== OBJECT) return;
    if (table === "records") {
      this.#records++;
      if (row[6] === null) this.#pruned.set(Number(row[0]), undefined);
    } else if (table === "nodes" && row[0] === 0 && this.#pruned.has(Number(row[1]))) {
      this.#pruned.set(Number(row[1]), (row[2] as { bytes: string }).bytes);
    } else if (table === "checkpoints")
      this.#checkpoints.push({ size: Number(row[0]), note: String(row[2]) });
    else if (table === "state" && row[1] === "key") {
      this.#publicKey = (JSON.parse(String(row[2])) as { public_key: string }).public_key;
    }
  }

  /** Verifies the log from the rows of the second reading; undefined where nothing was ever recorded. */
  async verify(issuer: string, rows: AsyncIterable<RowLine>): Promise<BackedUpAudit | undefined> {
    const publicKey = this.#publicKey && canonicalBase64url(this.#publicKey);
    if (this.#records === 0 || !publicKey) return undefined;
    const key = { name: `${issuer.replace(/^https?:\/\//, "")}/v1/audit`, publicKey };
    const size = Math.max(0, ...this.#checkpoints.map((each) => each.size));
    const header: ExportLine = {
      ...{ audit_log: 1, origin: key.name, from: 0, size, verifier_key: await verifierKey(key) },
      ...{ checkpoints: this.#checkpoints.length, edge: [] },
    };
    const verdict = await verifyExport(this.#lines(header, size, rows), { sha256 });
    return { verdict, unsigned: this.#records - size };
  }

  async *#lines(header: ExportLine, size: number, rows: AsyncIterable<RowLine>): AsyncGenerator<string> {
    yield JSON.stringify(header);
    const checkpoints = [...this.#checkpoints].sort((a, b) => a.size - b.size);
    for await (const { table, row } of rows) {
      const seq = Number(row[0]);
      if (table !== "records" || seq >= size) continue;
      yield JSON.stringify(await this.#line(seq, row));
      while (checkpoints[0]?.size === seq + 1)
        yield JSON.stringify({ checkpoint: checkpoints.shift()!.note });
    }
  }

  async #line(seq: number, row: RowLine["row"]): Promise<ExportLine> {
    const [leaf, disclosures] = [row[6], row[7]];
    if (leaf === null) {
      const known = canonicalBase64url(this.#pruned.get(seq) ?? "");
      return { seq, leaf_hash: base64(known ?? new Uint8Array()) };
    }
    const leaf_hash = base64(await leafHash(utf8(String(leaf)), sha256));
    return {
      seq,
      leaf_hash,
      leaf: String(leaf),
      disclosures: JSON.parse(String(disclosures ?? "{}")) as Disclosures,
    };
  }
}

/** Whether a row is the audit log's. */
export function isAudit(object: string): boolean {
  return object === OBJECT;
}
