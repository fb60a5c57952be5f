import { styleText } from "node:util";

/** Where a command reads and writes. Tests give their own. */
export type Streams = {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
};

/** Variables of the process, or those that a test gives. */
export type Environment = Record<string, string | undefined>;

/** A column of a table: its heading and what of each row stands in it. */
export type Column<T> = {
  title: string;
  value: (row: T) => string | number | undefined;
  /** Never cut: what one copies, and short words that say how something stands. */
  whole?: boolean;
  /** Where not all columns have room, it stands below its row, with its name. */
  below?: boolean;
};

type Style = Parameters<typeof styleText>[0];

const DEFAULT_COLUMNS = 80;
const MIN_CELL = 6;
/** Between two columns. */
const GAP = 2;
/** Escapes of terminals, and what moves the cursor: what others wrote must not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text that came from elsewhere, on one line and without power over the terminal. */
export function plain(text: string): string {
  return text.replaceAll(CONTROL, "\ufffd");
}

/** Sentences for a terminal of so many columns, broken between words; as they are where nobody looks. */
export function wrapped(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    const indent = /^ */.exec(line)![0];
    let room = line;
    for (let at = breakIn(room, columns, indent); at > 0; at = breakIn(room, columns, indent)) {
      lines.push(room.slice(0, at));
      room = indent + room.slice(at + 1);
    }
    lines.push(room);
  }
  return lines.join("\n");
}

/** Where a line that is too long ends early; 0 where it fits, or is one word. */
function breakIn(line: string, columns: number, indent: string): number {
  if (line.length <= columns) return 0;
  const at = line.lastIndexOf(" ", columns);
  return at > indent.length ? at : 0;
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

  /** A result in a sentence. */
  say(text: string): void {
    this.line(wrapped(text, this.#streams.stdout.columns));
  }

  /** One line; at a terminal that is too narrow for it, parts that go on below. Others read it by the line. */
  flow(parts: readonly string[]): void {
    const room = this.#streams.stdout.columns ?? Number.POSITIVE_INFINITY;
    let text = "";
    for (const part of parts) {
      const longer = text === "" ? part : `${text}${" ".repeat(GAP)}${part}`;
      if (text === "" || longer.length <= room) text = longer;
      else {
        this.line(text);
        text = " ".repeat(2 * GAP) + part;
      }
    }
    this.line(text);
  }

  /** Progress and hints: never part of a result. */
  note(text: string): void {
    this.#streams.stderr.write(`${wrapped(text, this.#streams.stderr.columns)}\n`);
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
    const room = this.#streams.stdout.columns;
    const under = `\n${" ".repeat(width + GAP)}`;
    for (const [name, value] of known) {
      const text = wrapped(plain(String(value)), room && room - width - GAP).replaceAll("\n", under);
      this.line(`${this.style("dim", name.padEnd(width))}${" ".repeat(GAP)}${text}`);
    }
  }

  /** A table that fits the terminal: columns go below their rows, and then the widest are cut, but for those that are whole. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[], empty: string): void {
    if (rows.length === 0) {
      this.note(empty);
      return;
    }
    const fits = sum(wantedWidths(rows, columns)) + GAP * (columns.length - 1) <= this.columns;
    const beside = columns.filter(({ below }) => fits || !below);
    const under = columns.filter(({ below }) => !fits && below);
    const wanted = wantedWidths(rows, beside);
    const least = beside.map(({ whole }, i) => (whole ? wanted[i]! : Math.min(MIN_CELL, wanted[i]!)));
    const widths = fittingWidths(wanted, least, this.columns - GAP * (beside.length - 1));
    const written = (row: readonly string[]) =>
      row
        .map((cell, i) =>
          i === row.length - 1 ? cut(cell, widths[i]!) : cut(cell, widths[i]!).padEnd(widths[i]!),
        )
        .join(" ".repeat(GAP))
        .trimEnd();
    this.line(this.style("dim", written(beside.map(({ title }) => title.toUpperCase()))));
    for (const row of rows) {
      this.line(written(beside.map((column) => cellOf(row, column))));
      for (const line of this.#below(row, under)) this.line(line);
    }
  }

  /** Names and values of a row that have no place in it, in as many lines as they need. */
  #below<T>(row: T, columns: readonly Column<T>[]): string[] {
    const room = this.columns - GAP;
    const lines: { text: string; chars: number }[] = [];
    for (const column of columns) {
      const value = cellOf(row, column);
      if (value === "") continue;
      const shown = cut(value, room - column.title.length - 1);
      const chars = column.title.length + 1 + shown.length;
      const text = `${this.style("dim", column.title)} ${shown}`;
      const last = lines.at(-1);
      if (last && last.chars + GAP + chars <= room) {
        last.text += " ".repeat(GAP) + text;
        last.chars += GAP + chars;
      } else lines.push({ text, chars });
    }
    return lines.map(({ text }) => " ".repeat(GAP) + text);
  }
}

function cellOf<T>(row: T, { value }: Column<T>): string {
  return plain(String(value(row) ?? ""));
}

function wantedWidths<T>(rows: readonly T[], columns: readonly Column<T>[]): number[] {
  return columns.map((column) =>
    Math.max(column.title.length, ...rows.map((row) => cellOf(row, column).length)),
  );
}

/** Takes from the widest, a character at a time, until they fit or none can give more. */
function fittingWidths(wanted: readonly number[], least: readonly number[], room: number): number[] {
  const widths = [...wanted];
  for (let over = sum(widths) - room; over > 0; over--) {
    const givers = widths.flatMap((width, i) => (width > least[i]! ? [i] : []));
    const widest = givers.sort((a, b) => widths[b]! - widths[a]!)[0];
    if (widest === undefined) break;
    widths[widest]! -= 1;
  }
  return widths;
}

function sum(widths: readonly number[]): number {
  return widths.reduce((total, width) => total + width, 0);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;
}
