import { utf8 } from "../protocol/encoding.ts";
import type { Lines, ServerSentEvent } from "./calls.ts";
import { PortcullisUnreachable } from "./errors.ts";

/** NDJSON as a request's body. What is no text yet is made so as it is sent, a piece at a time. */
export function bodyOfLines(lines: Lines<unknown>): string | Blob | ReadableStream<Uint8Array> {
  if (typeof lines === "string" || lines instanceof Blob || lines instanceof ReadableStream) return lines;
  const pieces = joined(lines);
  return new ReadableStream<Uint8Array>({
    async pull(stream) {
      const next = await pieces.next();
      if (next.done) stream.close();
      else stream.enqueue(next.value);
    },
    cancel: async () => void (await pieces.return(undefined)),
  });
}

const PIECE_CHARS = 64 * 1024;

async function* joined(lines: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  let piece = "";
  for await (const line of lines) {
    piece += `${typeof line === "string" ? line : JSON.stringify(line)}\n`;
    if (piece.length < PIECE_CHARS) continue;
    yield utf8(piece);
    piece = "";
  }
  if (piece !== "") yield utf8(piece);
}

/** The lines of a body, read as they are wanted. One that breaks off throws: it is never taken for whole. */
export async function* linesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  if (!body) return;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let whole = false;
  try {
    for (;;) {
      const { done, value } = await read(reader);
      const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
      rest = done ? "" : (lines.pop() ?? "");
      whole = done;
      yield* lines;
      if (done) return;
    }
  } finally {
    if (!whole) await reader.cancel().catch(() => undefined);
  }
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (fault) {
    if (fault instanceof Error && fault.name === "AbortError") throw fault;
    throw new PortcullisUnreachable("The answer broke off: what was read is not all of it.");
  }
}

/** One JSON value a line; empty lines say nothing. */
export async function* jsonLines(body: ReadableStream<Uint8Array> | null): AsyncGenerator<unknown> {
  for await (const line of linesOf(body)) if (line.trim() !== "") yield JSON.parse(line);
}

/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), their data parsed as JSON. */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<ServerSentEvent> {
  let fields: Record<string, string> = {};
  for await (const line of linesOf(body)) {
    const [, name, value] = /^(id|event|data):? ?(.*?)\r?$/.exec(line) ?? [];
    if (name !== undefined) {
      const before = name === "data" && fields.data !== undefined ? `${fields.data}\n` : "";
      fields[name] = `${before}${value}`;
    } else if (line === "" || line === "\r") {
      const { id, event = "message", data } = fields;
      if (data !== undefined)
        yield { ...(id === undefined ? {} : { id }), type: event, data: JSON.parse(data) };
      fields = {};
    }
  }
}
