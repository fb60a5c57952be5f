import { connect } from "node:net";

/** What came back over the socket; status 0 where the connection ended without an answer. */
export type WireAnswer = { status: number; requestId: string | undefined; body: string };

const TIMEOUT_MS = 10_000;
const NO_ANSWER: WireAnswer = { status: 0, requestId: undefined, body: "" };

/** Writes the very bytes to a connection of its own and reads one answer; latin1, so that every byte is one character. */
export function sendBytes(port: number, request: string): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(request, "latin1")));
    const done = (answer: WireAnswer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(TIMEOUT_MS, () => {
      socket.destroy();
      reject(new Error(`no answer to ${JSON.stringify(request.slice(0, 200))}`));
    });
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      const answer = readAnswer(received, request.startsWith("HEAD "));
      if (answer) done(answer);
    });
    socket.on("close", () => done(NO_ANSWER)).on("error", () => done(NO_ANSWER));
  });
}

/** The answer, once it is whole: by its Content-Length, its last chunk, or its lack of a body. */
function readAnswer(text: string, bodiless: boolean): WireAnswer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  const status = Number(head.slice(9, 12));
  if (status === 100) return readAnswer(body, bodiless);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const whole = length === undefined ? !/\r\ntransfer-encoding:/i.test(head) : body.length >= Number(length);
  if (!whole && !bodiless && !body.endsWith("0\r\n\r\n")) return undefined;
  return { status, requestId: /\r\nx-request-id: *(\S+)/i.exec(head)?.[1], body };
}

/** A request with header lines as they stand; a body needs its length among them. */
export function requestBytes(
  target: string,
  host: string,
  lines: readonly string[],
  method = "GET",
  body = "",
): string {
  return `${[`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...lines].join("\r\n")}\r\n\r\n${body}`;
}

/** Sends them all, a few at a time, and answers in their order. */
export async function sendAll(port: number, requests: readonly string[]): Promise<WireAnswer[]> {
  const answers: WireAnswer[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < requests.length; i = next++) answers[i] = await sendBytes(port, requests[i]!);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return answers;
}
