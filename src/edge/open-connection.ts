import type { Refusal } from "./decision.ts";

/** Starts watching, with what is to happen when the grant ends; answers how to stop. */
export type StartWatch = (cut: (why: Refusal) => void) => () => void;

/** A stream whose bytes come out as they went in. */
export type Pipe = () => { readable: ReadableStream; writable: WritableStream };

/** A body that is known to be no longer than this is under way as a whole: it is not watched. */
export const MAX_UNWATCHED_BYTES = 1024 * 1024;
/** RFC 6455 §7.4.1: "policy violation". */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
/** RFC 6455 §7.4.1: these codes stand for closings without a frame, and cannot be sent. */
const UNSENDABLE: ReadonlySet<number> = new Set([1004, 1005, 1006, 1015]);
/** A part of the handshake that the runtime makes itself for each connection. */
const OWN_HANDSHAKE = ["sec-websocket-accept", "sec-websocket-extensions"];

/** The origin's answer as the client gets it, cut where it outlives what it was allowed on. */
export function keepOpen(answer: Response, start: StartWatch, pipe: Pipe): Response {
  if (answer.webSocket) return openSocket(answer, answer.webSocket, start);
  return answer.body ? openStream(answer, answer.body, start, pipe) : answer;
}

/** Whether an answer may outlive what it was allowed on. */
export function mayStayOpen({ headers, webSocket, body }: Response): boolean {
  if (webSocket) return true;
  if (!body) return false;
  if (isEventStream(headers)) return true;
  const length = headers.get("content-length");
  return length === null || Number(length) > MAX_UNWATCHED_BYTES;
}

function isEventStream(headers: Headers): boolean {
  return /^text\/event-stream\b/i.test(headers.get("content-type") ?? "");
}

/**
 * An event stream ends as if the origin had ended it: its client comes back and is refused. Any other body breaks
 * off, so that a part of it is not taken for the whole.
 */
function openStream(answer: Response, body: ReadableStream, start: StartWatch, pipe: Pipe): Response {
  const { readable, writable } = pipe();
  const abort = new AbortController();
  const events = isEventStream(answer.headers);
  const stop = start(() => abort.abort());
  const piped = body.pipeTo(writable, { signal: abort.signal, preventAbort: events });
  // A side that went away is seen by the other side; there is nobody else to tell.
  void piped
    .catch(() => (events ? writable.close() : undefined))
    .catch(() => {})
    .finally(stop);
  return new Response(readable, answer);
}

/** Both sides speak through us, so that both can be told why it ends. */
function openSocket(answer: Response, origin: WebSocket, start: StartWatch): Response {
  const { 0: forClient, 1: client } = new WebSocketPair();
  for (const socket of [origin, client]) {
    socket.binaryType = "arraybuffer";
    socket.accept();
  }
  const stop = start(() => {
    close(client, POLICY_VIOLATION, "the access has ended");
    close(origin, POLICY_VIOLATION, "the access has ended");
  });
  relay(origin, client, stop);
  relay(client, origin, stop);
  const headers = new Headers(answer.headers);
  for (const name of OWN_HANDSHAKE) headers.delete(name);
  return new Response(null, { status: 101, headers, webSocket: forClient });
}

function relay(from: WebSocket, to: WebSocket, stop: () => void): void {
  from.addEventListener("message", ({ data }) => {
    try {
      to.send(data as string | ArrayBuffer);
    } catch {
      // The other side is closing: its end is on the way.
    }
  });
  from.addEventListener("close", ({ code, reason }) => {
    stop();
    if (UNSENDABLE.has(code)) close(to, code === 1006 ? INTERNAL_ERROR : undefined);
    else close(to, code, reason);
    close(from);
  });
  from.addEventListener("error", () => {
    stop();
    close(to, INTERNAL_ERROR);
  });
}

function close(socket: WebSocket, code?: number, reason?: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // It is closed already.
  }
}
