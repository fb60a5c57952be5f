import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the origin got it. */
export type OriginRequest = {
  method: string;
  url: string;
  /** Name and value as they were sent, in order, none merged. */
  headers: [string, string][];
  message: IncomingMessage;
};

export type Answering = (request: OriginRequest, response: ServerResponse) => void;

const answerOk: Answering = ({ message }, response) => {
  message.resume().on("end", () => response.writeHead(200, { "content-type": "text/plain" }).end("ok"));
};

/** An origin that keeps every request and answers as it is told. */
export class RecordingOrigin {
  readonly received: OriginRequest[] = [];
  #answer: Answering = answerOk;
  readonly #server = createServer((message, response) => {
    const { method = "", url = "", rawHeaders } = message;
    const headers: [string, string][] = [];
    for (let i = 0; i < rawHeaders.length; i += 2) headers.push([rawHeaders[i]!, rawHeaders[i + 1]!]);
    const request = { method, url, headers, message };
    this.received.push(request);
    this.#answer(request, response);
  });

  static async start(): Promise<RecordingOrigin> {
    const origin = new RecordingOrigin();
    await new Promise<void>((resolve) => origin.#server.listen(0, "127.0.0.1", resolve));
    return origin;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers so from now on; without an argument with a plain 200. */
  answerWith(answer: Answering = answerOk): void {
    this.#answer = answer;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
