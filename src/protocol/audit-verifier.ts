import type { ExportHeader, ExportLine, PrunedLine, RecordLine } from "./audit-export.ts";
import {
  type AuditLeaf,
  commitmentOf,
  DISCLOSED_MEMBERS,
  type Disclosures,
  type Sha256,
} from "./audit-record.ts";
import { base64, fromBase64, sha256Bytes, utf8 } from "./encoding.ts";
import { parseUniqueObject } from "./json.ts";
import { leafHash, TreeEdge } from "./merkle.ts";
import { type Checkpoint, type NoteKey, openCheckpoint, readVerifierKey } from "./signed-note.ts";

export type VerifierOptions = {
  /** The key that the operator holds, as `/v1/audit/key` has answered it once. Absent: the export's own is taken. */
  verifierKey?: string;
  /** Checkpoints that were kept elsewhere: KV, webhooks, earlier exports. The log must contain each. */
  anchors?: readonly string[];
  sha256?: Sha256;
};

/** What is wrong first. `seq` is the first record that is, or may be, not as it was; `until`, where it is known, the last. */
export type AuditFault = { line: number; seq: number; until?: number; fault: string };

export type AuditVerdict =
  | {
      intact: true;
      origin: string;
      from: number;
      size: number;
      pruned: number;
      erased: number;
      checkpoints: number;
    }
  | ({ intact: false } & AuditFault);

/** Thrown within and never beyond the verifier: the first fault ends the reading. */
class Broken extends Error {
  readonly found: AuditFault;
  constructor(found: AuditFault) {
    super(found.fault);
    this.found = found;
  }
}

/** Reads an export line by line and says whether it is the log, whole and as it was signed. */
export async function verifyExport(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifierOptions = {},
): Promise<AuditVerdict> {
  const verifier = new ExportVerifier(options);
  try {
    for await (const line of lines) await verifier.read(line);
    return await verifier.end();
  } catch (fault) {
    if (fault instanceof Broken) return { intact: false, ...fault.found };
    throw fault;
  }
}

/** The members of each kind of line, in their order. */
const LINES = [
  "audit_log,origin,from,size,verifier_key,checkpoints,edge",
  "seq,leaf_hash,leaf,disclosures",
  "seq,leaf_hash",
  "checkpoint",
];

class ExportVerifier {
  readonly #o: VerifierOptions;
  readonly #sha256: Sha256;
  #line = 0;
  #header: ExportHeader | undefined;
  #key: NoteKey | undefined;
  #edge: TreeEdge;
  /** Roots that were kept elsewhere, by size. */
  readonly #anchors = new Map<number, string>();
  /** The size of the last checkpoint that held. */
  #signed = 0;
  #checkpoints = 0;
  #pruned = 0;
  #prunedBefore = 0;
  #erased = 0;
  readonly #sources = new Map<string, number>();
  /** A backup was restored: objects went on from where it had them, which the log may have been beyond. */
  #restored = false;
  /** What a record commits to and does not say, until an erasure accounts for it: the line that it is in. */
  readonly #unsaid = new Map<string, AuditFault>();

  constructor(options: VerifierOptions) {
    this.#o = options;
    this.#sha256 = options.sha256 ?? sha256Bytes;
    this.#edge = new TreeEdge(this.#sha256);
  }

  async read(text: string): Promise<void> {
    this.#line++;
    const line = parseUniqueObject(text) as ExportLine | undefined;
    if (!line) this.#broken("the line is not one JSON object");
    // Every byte counts: what is written otherwise was written by somebody else.
    if (JSON.stringify(line) !== text) this.#broken("the line is not written as an export writes it");
    const kind = LINES.find((members) => Object.keys(line).join() === members);
    if (kind === undefined) this.#broken("the line has not the members of any line of an export");
    if (!this.#header) return this.#begin(line as ExportHeader);
    if ("checkpoint" in line) return this.#checkpoint(line.checkpoint);
    if (!("seq" in line)) this.#broken("the line is neither a record nor a checkpoint");
    await this.#record(line);
  }

  async end(): Promise<AuditVerdict> {
    const header = this.#header;
    this.#line++;
    if (!header) this.#broken("the export is empty");
    if (this.#edge.size !== header.size)
      this.#broken(`the export ends here; the log had ${header.size} records`);
    if (this.#checkpoints !== header.checkpoints) {
      this.#broken(`the export has ${this.#checkpoints} checkpoints, its header says ${header.checkpoints}`);
    }
    if (this.#signed !== header.size || this.#checkpoints === 0) {
      this.#broken("no signed checkpoint covers what comes last", this.#signed, this.#edge.size - 1);
    }
    if (this.#pruned > 0 && this.#prunedBefore < header.from + this.#pruned) {
      this.#broken("the text is missing, and no record says that retention took it", this.#prunedBefore);
    }
    const [unsaid] = this.#unsaid.values();
    if (unsaid) throw new Broken(unsaid);
    const [later] = [...this.#anchors.keys()].filter((size) => size > header.size);
    if (later !== undefined) this.#broken(`a checkpoint that was kept elsewhere knows ${later} records`);
    const counts = { pruned: this.#pruned, erased: this.#erased, checkpoints: this.#checkpoints };
    return { intact: true, origin: header.origin, from: header.from, size: header.size, ...counts };
  }

  async #begin(header: ExportHeader): Promise<void> {
    if (header.audit_log !== 1) this.#broken("the first line is not the header of an audit export");
    const { from, size, edge, verifier_key: own } = header;
    if (!isCount(from) || !isCount(size) || from > size || !Array.isArray(edge))
      this.#broken("the header is malformed");
    const held = this.#o.verifierKey?.trim();
    if (held !== undefined && held !== own)
      this.#broken("the export names another verifier key than the one that you hold");
    const key = await readVerifierKey(own);
    if (!key) this.#broken("the verifier key cannot be read");
    if (key.name !== header.origin)
      this.#broken(`the key is that of ${key.name}, the export of ${header.origin}`);
    this.#key = key;
    this.#header = header;
    const hashes = edge.map((hash) => fromBase64(hash) ?? this.#broken("the header is malformed"));
    if (hashes.length !== popCount(from)) this.#broken("the header is malformed");
    let next = 0;
    this.#edge = new TreeEdge(this.#sha256, from, () => hashes[next++]!);
    this.#signed = from;
    for (const note of this.#o.anchors ?? []) {
      const opened = await this.#open(note, "a checkpoint that was kept elsewhere");
      this.#anchors.set(opened.size, base64(opened.rootHash));
    }
    await this.#holdAgainstAnchor();
  }

  async #record(line: RecordLine | PrunedLine): Promise<void> {
    const expected = this.#edge.size;
    if (line.seq !== expected) {
      this.#broken(`the record ${expected} is not here; ${JSON.stringify(line.seq)} stands in its place`);
    }
    const claimed = typeof line.leaf_hash === "string" ? fromBase64(line.leaf_hash) : undefined;
    if (claimed?.length !== 32) this.#broken("the leaf hash is malformed");
    if ("leaf" in line) await this.#text(line);
    else this.#textless();
    await this.#edge.append(claimed);
    await this.#holdAgainstAnchor();
  }

  #textless(): void {
    if (this.#pruned < this.#edge.size - this.#header!.from) {
      this.#broken("the text is missing, though that of records before it is there");
    }
    this.#pruned++;
  }

  async #text({ leaf: text, leaf_hash: claimed, disclosures }: RecordLine): Promise<void> {
    const seq = this.#edge.size;
    if (base64(await leafHash(utf8(text), this.#sha256)) !== claimed) {
      this.#broken("the text is not the one that the leaf hash is of");
    }
    const leaf = parseUniqueObject(text) as AuditLeaf | undefined;
    if (leaf?.v !== 1 || leaf.seq !== seq) this.#broken("the text is that of another record");
    this.#sequence(leaf);
    await this.#disclosed(leaf, disclosures ?? {});
    this.#account(leaf);
  }

  /** Each object numbers what it notes down: nothing of it is missing. */
  #sequence({ source, source_seq: number }: AuditLeaf): void {
    if (number === undefined) return;
    const before = this.#sources.get(source);
    const whole = this.#header!.from === 0 && this.#pruned === 0 && !this.#restored;
    const expected = before === undefined ? (whole ? 1 : number) : before + 1;
    if (number !== expected)
      this.#broken(`the record ${expected} of ${source} is not here; ${number} follows`);
    this.#sources.set(source, number);
  }

  async #disclosed({ seq, commitments }: AuditLeaf, disclosures: Disclosures): Promise<void> {
    for (const member of Object.keys(disclosures)) {
      if (!Object.hasOwn(commitments, member)) this.#broken(`the record does not commit to "${member}"`);
    }
    for (const member of DISCLOSED_MEMBERS) {
      const commitment = commitments[member];
      const disclosure = disclosures[member];
      if (commitment === undefined) continue;
      if (!disclosure) {
        const fault = `"${member}" is missing, and no record says that it was erased`;
        this.#unsaid.set(`${seq}.${member}`, { line: this.#line, seq, until: seq, fault });
      } else if ((await commitmentOf(member, disclosure, this.#sha256)) !== commitment) {
        this.#broken(`"${member}" is not what the record commits to`);
      }
    }
  }

  /** What the log says of itself: which text and which members are gone. */
  #account({ type, data }: AuditLeaf): void {
    if (type === "backup.restored") {
      this.#sources.clear();
      this.#restored = true;
    }
    if (type === "audit.pruned" && isCount(data?.before)) {
      this.#prunedBefore = Math.max(this.#prunedBefore, data.before);
    }
    if (type !== "audit.erased" || !Array.isArray(data?.members)) return;
    for (const name of data.members) {
      if (this.#unsaid.delete(String(name))) this.#erased++;
    }
  }

  async #checkpoint(note: string): Promise<void> {
    const { size, rootHash } = await this.#open(note, "the checkpoint", this.#signed);
    if (size !== this.#edge.size) {
      const seq = Math.min(size, this.#edge.size);
      this.#broken(`a checkpoint for ${size} records follows the first ${this.#edge.size}`, seq);
    }
    if (base64(rootHash) !== base64(await this.#edge.root())) {
      this.#broken("the records are not those that the checkpoint signs", this.#signed, this.#edge.size - 1);
    }
    this.#signed = size;
    this.#checkpoints++;
  }

  async #holdAgainstAnchor(): Promise<void> {
    const { size } = this.#edge;
    const root = this.#anchors.get(size);
    if (root === undefined || root === base64(await this.#edge.root())) return;
    this.#broken("the records are not those of a checkpoint that was kept elsewhere", this.#signed, size - 1);
  }

  async #open(note: string, what: string, since = this.#edge.size): Promise<Checkpoint> {
    const opened = await openCheckpoint(String(note), this.#key!);
    if ("checkpoint" in opened) return opened.checkpoint;
    this.#broken(`${what} does not hold: ${opened.fault}`, since);
  }

  #broken(fault: string, seq = this.#edge.size, until?: number): never {
    throw new Broken({ line: this.#line, seq, ...(until === undefined ? {} : { until }), fault });
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function popCount(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
