import {
  BACKUP_VERSION,
  type BackupHeader,
  type BackupLine,
  type BackupTrailer,
  EMPTY_DIGEST,
  isPageOf,
  isTrailerOf,
  type ObjectEndLine,
  type ObjectLine,
  type PageLine,
  pageDigest,
  type RowLine,
} from "./backup.ts";

/** What is wrong first, and where. */
export class BackupFault extends Error {
  override name = "BackupFault";
  readonly line: number;
  constructor(line: number, fault: string) {
    super(`line ${line}: ${fault}`);
    this.line = line;
  }
}

export type BackupReaderOptions = {
  /** Of the deployment's secret, where it is at hand: tells who wrote the backup. */
  keys?: readonly CryptoKey[];
  /** Told each row, with whose it is. */
  onRow?: (object: string, name: string, line: RowLine) => void;
  /** Told each object that is whole, with how many rows it has. */
  onObject?: (object: string, rows: number) => void;
  /** Told each page that holds: its text with the line that ends it. */
  onPage?: (page: PageLine, text: string) => void | Promise<void>;
};

/** Reads a backup line by line and says whether it is whole and as it was written. Holds one page at a time. */
export class BackupReader {
  readonly #o: BackupReaderOptions;
  #line = 0;
  #header: BackupHeader | undefined;
  #trailer: BackupTrailer | undefined;
  #pages = 0;
  #objects = 0;
  #rows = 0;
  #digest = EMPTY_DIGEST;
  #text: string[] = [];
  #open: { object: string; name: string; rows: Record<string, number> } | undefined;
  /** The last object is named anew where a page begins. */
  #named = false;

  constructor(options: BackupReaderOptions = {}) {
    this.#o = options;
  }

  get header(): BackupHeader | undefined {
    return this.#header;
  }

  async read(text: string): Promise<void> {
    this.#line++;
    const line = this.#parsed(text);
    if (this.#trailer) this.#broken("something follows the end of the backup");
    if (!this.#header) this.#begin(line as BackupHeader);
    else if ("page" in line) return this.#endPage(line, text);
    else if ("backup" in line) return this.#end(line);
    else if ("object" in line) this.#object(line);
    else if ("table" in line) this.#row(line);
    else if ("end" in line) this.#endObject(line);
    else this.#broken("this is no line of a backup");
    this.#text.push(text, "\n");
  }

  /** To be called after the last line. */
  finish(): BackupTrailer {
    this.#line++;
    if (!this.#header) this.#broken("the file is empty");
    if (!this.#trailer) this.#broken("the file ends here, but the backup does not: it was cut off");
    return this.#trailer;
  }

  #parsed(text: string): BackupLine {
    try {
      const line: unknown = JSON.parse(text);
      if (typeof line === "object" && line !== null && !Array.isArray(line)) return line as BackupLine;
    } catch {
      // Said below.
    }
    return this.#broken("this is no JSON object");
  }

  #begin(header: BackupHeader): void {
    if (header.portcullis_backup === undefined) this.#broken("this is no backup of Portcullis");
    if (header.portcullis_backup !== BACKUP_VERSION) {
      this.#broken(`a backup of version ${header.portcullis_backup}; this release reads ${BACKUP_VERSION}`);
    }
    this.#header = header;
  }

  #object({ object, name, continues }: ObjectLine): void {
    const open = this.#open;
    if (open && !(continues && open.object === object && open.name === name)) {
      this.#broken(`${open.object} ${open.name} has no end`);
    }
    if (!open && continues) this.#broken(`${object} ${name} has no beginning`);
    this.#open = open ?? { object, name, rows: {} };
    this.#named = true;
  }

  #row(line: RowLine): void {
    if (!this.#open || !this.#named) this.#broken("the row belongs to no object");
    this.#open.rows[line.table] = (this.#open.rows[line.table] ?? 0) + 1;
    this.#rows++;
    this.#o.onRow?.(this.#open.object, this.#open.name, line);
  }

  #endObject({ end, name, rows }: ObjectEndLine): void {
    const open = this.#open;
    if (!open || open.object !== end || open.name !== name) this.#broken(`${end} ${name} has no beginning`);
    for (const table of new Set([...Object.keys(rows), ...Object.keys(open.rows)])) {
      const [said, had] = [rows[table] ?? 0, open.rows[table] ?? 0];
      if (said !== had) this.#broken(`${end} ${name} had ${said} rows in "${table}"; here are ${had}`);
    }
    this.#open = undefined;
    this.#objects++;
    this.#o.onObject?.(
      end,
      Object.values(open.rows).reduce((sum, count) => sum + count, 0),
    );
  }

  async #endPage(line: PageLine, text: string): Promise<void> {
    if (line.page !== this.#pages + 1) this.#broken(`page ${this.#pages + 1} is not here; ${line.page} ends`);
    const content = this.#text.join("");
    const digest = await pageDigest(this.#digest, content);
    if (digest !== line.digest) this.#broken(`page ${line.page} is not as it was written`);
    await this.#signed((key) => isPageOf(key, line));
    this.#pages++;
    this.#digest = digest;
    this.#text = [];
    this.#named = false;
    await this.#o.onPage?.(line, `${content}${text}\n`);
  }

  async #end(trailer: BackupTrailer): Promise<void> {
    const { id, issuer, taken_at } = this.#header!;
    if (this.#text.length > 0 || this.#open) this.#broken("the last page has no end");
    const said = [trailer.backup, trailer.issuer, trailer.taken_at, trailer.pages, trailer.digest];
    const had = [id, issuer, taken_at, this.#pages, this.#digest];
    if (said.some((each, i) => each !== had[i])) this.#broken("this is the end of another backup");
    if (trailer.objects !== this.#objects || trailer.rows !== this.#rows) {
      const counts = `${trailer.objects} objects with ${trailer.rows} rows`;
      this.#broken(`the backup had ${counts}; here are ${this.#objects} with ${this.#rows}`);
    }
    await this.#signed((key) => isTrailerOf(key, trailer));
    this.#trailer = trailer;
  }

  async #signed(verify: (key: CryptoKey) => Promise<boolean>): Promise<void> {
    const { keys } = this.#o;
    if (!keys) return;
    for (const key of keys) if (await verify(key)) return;
    this.#broken("another secret than PORTCULLIS_SECRET has signed this, or nobody");
  }

  #broken(fault: string): never {
    throw new BackupFault(this.#line, fault);
  }
}
