import { STATUS_CODES } from "node:http";
import { styleText } from "node:util";

const INDENT = "   ";
/** 80 columns less the indent and the mark. */
const TEXT_WIDTH = 80 - INDENT.length - 2;
/** A longer value is broken at its own members. */
const MAX_PIECE_CHARS = 48;

/** Prints the story: numbered steps, what was sent (`>`), what came back (`<`) and what it means (`=`). */
export class Narrator {
  #steps = 0;
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void = console.log) {
    this.#print = print;
  }

  get steps(): number {
    return this.#steps;
  }

  step(title: string): void {
    this.#steps += 1;
    this.#print("");
    this.#print(styleText("bold", `${this.#steps}  ${title}`));
  }

  sent(line: string, body?: unknown): void {
    this.#block(styleText("cyan", ">"), line, body);
  }

  got(status: number, body?: unknown): void {
    const mark = styleText(status < 400 ? "green" : "red", "<");
    this.#block(mark, `${status} ${STATUS_CODES[status] ?? ""}`, body);
  }

  note(text: string): void {
    this.#block(styleText("yellow", "="), text);
  }

  /** All on one line where it fits, else the body on lines of its own. */
  #block(mark: string, line: string, body?: unknown): void {
    const pieces = body === undefined ? [] : piecesOf(body);
    const whole = [line, ...pieces].join(" ");
    const [first = "", ...rest] =
      whole.length <= TEXT_WIDTH ? [whole] : [...packed(line.split(" ")), ...packed(pieces)];
    this.#print(`${INDENT}${mark} ${first}`);
    for (const text of rest) this.#print(`${INDENT}    ${text}`);
  }
}

/**
 * What is not broken over lines: the words of a text, the members of an object. No token or secret is shown
 * whole.
 */
export function piecesOf(body: unknown): string[] {
  if (typeof body === "string") return masked(body).split(" ");
  const members = membersOf(body);
  if (members.length === 0) return [json(body)];
  const pieces = members.flatMap(([name, value], i) => {
    const breaks = membersOf(value).length > 0 && json(value).length > MAX_PIECE_CHARS;
    const [first = "", ...rest] = breaks ? piecesOf(value) : [json(value)];
    const member = [`"${name}": ${first}`, ...rest];
    return i < members.length - 1 ? withEnd(member, ",") : member;
  });
  const [first = "", ...rest] = pieces;
  return withEnd([`{ ${first}`, ...rest], " }");
}

function membersOf(value: unknown): [string, unknown][] {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [];
  return Object.entries(value).filter(([, member]) => member !== undefined);
}

function withEnd(pieces: string[], end: string): string[] {
  return [...pieces.slice(0, -1), `${pieces.at(-1)}${end}`];
}

function json(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_name, member) => (typeof member === "string" ? masked(member) : member),
    1,
  );
  return text.replace(/\n\s*/g, " ");
}

function masked(text: string): string {
  return text
    .replace(/\b(eyJ[\w-]{5})[\w-]*\.[\w-]*\.[\w-]*/g, "$1…")
    .replace(/\b(whsec_)[A-Za-z0-9+/=_-]+/g, "$1…");
}

/** Joins pieces to lines; one that is longer than a line stays whole. */
function packed(pieces: string[]): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + piece.length <= TEXT_WIDTH - 2)
      lines[lines.length - 1] = `${last} ${piece}`;
    else lines.push(piece);
  }
  return lines;
}
