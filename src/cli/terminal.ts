import { styleText } from "node:util";

/** Where a command reads and writes. Tests give their own. */
export type Streams = {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
};

/** A column of a table: its heading and what of each row stands in it. */
export type Column<T> = { title: string; value: (row: T) => string | number | undefined };

type Style = Parameters<typeof styleText>[0];

const DEFAULT_COLUMNS = 80;
const MIN_CELL = 6;
/** Escapes of terminals, and what moves the cursor: what others wrote must not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text that came from elsewhere, on one line and without power over the terminal. */
export function plain(text: string): string {
  return text.replaceAll(CONTROL, "\ufffd");
}

/** What a command says: results on standard output, everything else beside it. */
export class Terminal {
  readonly json: boolean;
  readonly #streams: Streams;
  readonly #colour: boolean;

  constructor(streams: Streams, options: { json: boolean; colour: boolean }) {
    this.#streams = streams;
    this.json = options.json;
    this.#colour = options.colour;
  }

  get interactive(): boolean {
    return Boolean(this.#streams.stdin.isTTY && this.#streams.stderr.isTTY);
  }

  get columns(): number {
    return this.#streams.stdout.columns ?? DEFAULT_COLUMNS;
  }

  /** A result: as JSON where that was asked for, else as it is shown to people. */
  result(value: unknown, shown: () => void): void {
    if (this.json) this.line(JSON.stringify(value, null, 2));
    else shown();
  }

  line(text = ""): void {
    this.#streams.stdout.write(`${text}\n`);
  }

  /** Progress and hints: never part of a result. */
  note(text: string): void {
    this.#streams.stderr.write(`${text}\n`);
  }

  /** What one would do next. */
  next(command: string, what: string): void {
    if (!this.json) this.note(this.style("dim", `${what}: `) + command);
  }

  /** Rewrites one line while something goes on; nothing where nobody looks. */
  progress(text: string): void {
    if (this.#streams.stderr.isTTY) this.#streams.stderr.write(`\r\u001b[2K${text}`);
  }

  progressDone(): void {
    if (this.#streams.stderr.isTTY) this.#streams.stderr.write("\r\u001b[2K");
  }

  style(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Names and values, one a line. */
  fields(fields: Record<string, string | number | undefined>): void {
    const known = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
    const width = Math.max(0, ...known.map(([name]) => name.length));
    for (const [name, value] of known) {
      this.line(`${this.style("dim", name.padEnd(width))}  ${plain(String(value))}`);
    }
  }

  /** A table that fits the terminal: its widest columns are cut. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[], empty: string): void {
    if (rows.length === 0) return this.note(empty);
    const cells = rows.map((row) => columns.map(({ value }) => plain(String(value(row) ?? ""))));
    const widths = fit(
      columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length))),
      this.columns,
    );
    const written = (row: readonly string[]) =>
      row.map((cell, i) => (i === row.length - 1 ? cut(cell, widths[i]!) : cut(cell, widths[i]!).padEnd(widths[i]!))).join("  ").trimEnd();
    this.line(this.style("dim", written(columns.map(({ title }) => title.toUpperCase()))));
    for (const row of cells) this.line(written(row));
  }
}

/** Takes from the widest until the sum fits. */
function fit(widths: number[], columns: number): number[] {
  const fitted = [...widths];
  const room = columns - 2 * (fitted.length - 1);
  for (let over = sum(fitted) - room; over > 0; over = sum(fitted) - room) {
    const widest = fitted.indexOf(Math.max(...fitted));
    if (fitted[widest]! <= MIN_CELL) break;
    const second = Math.max(MIN_CELL, ...fitted.filter((width) => width < fitted[widest]!));
    fitted[widest] = Math.max(second, fitted[widest]! - over, MIN_CELL);
    if (fitted[widest] === widths[widest] && fitted[widest] === second) break;
  }
  return fitted;
}

function sum(widths: readonly number[]): number {
  return widths.reduce((total, width) => total + width, 0);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;
}
