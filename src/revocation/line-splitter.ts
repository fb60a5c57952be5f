import { fromUtf8 } from "../protocol/encoding.ts";

/** One line of a stream, numbered from 1; `fault` where it cannot be read. */
export type Line = { line: number; text: string } | { line: number; fault: string };

export const MAX_LINE_BYTES = 4 * 1024;
const NEWLINE = 10;
const EMPTY = new Uint8Array(0);

/**
 * Cuts a stream of bytes into lines, holding no more than one line of it. A line that is too long or is not
 * UTF-8 is a fault of its own, and the rest stands. Empty lines are counted and skipped.
 */
export class LineSplitter {
  #rest: Uint8Array = EMPTY;
  #tooLong = false;
  #line = 0;

  *push(chunk: Uint8Array): Generator<Line> {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      const line = this.#take(chunk.subarray(from, end));
      if (line) yield line;
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** The last line, where the stream does not end in a newline. */
  *end(): Generator<Line> {
    if (this.#rest.length === 0 && !this.#tooLong) return;
    const line = this.#take(EMPTY);
    if (line) yield line;
  }

  #take(tail: Uint8Array): Line | undefined {
    this.#line++;
    this.#keep(tail);
    const bytes = this.#rest;
    const tooLong = this.#tooLong;
    this.#rest = EMPTY;
    this.#tooLong = false;
    if (tooLong) return { line: this.#line, fault: `the line is over ${MAX_LINE_BYTES} bytes` };
    const text = fromUtf8(bytes);
    if (text === undefined) return { line: this.#line, fault: "the line is not UTF-8" };
    const trimmed = text.trim();
    return trimmed === "" ? undefined : { line: this.#line, text: trimmed };
  }

  #keep(bytes: Uint8Array): void {
    if (this.#tooLong || bytes.length === 0) return;
    if (this.#rest.length + bytes.length > MAX_LINE_BYTES) {
      this.#tooLong = true;
      this.#rest = EMPTY;
      return;
    }
    // A copy: the chunk's memory is not ours to keep.
    const joined = new Uint8Array(this.#rest.length + bytes.length);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    this.#rest = joined;
  }
}
