import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

/** A message whose signature the `standardwebhooks` package verified. */
export type ReceivedMessage = {
  /** `webhook-id` */
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
  /** The exact text that was signed. */
  body: string;
  headers: Record<string, string>;
  receivedAtMs: number;
};

export type ReceiverAnswer = {
  status: number;
  headers?: Record<string, string>;
  body?: string;
  /** How long the answer is held back. */
  delayMs?: number;
};

/** What to answer to message number `count` (from 1 up, over all attempts). */
export type Answering = (message: ReceivedMessage, count: number) => ReceiverAnswer;

/**
 * A webhook receiver as an integrator would write it: a plain HTTP server that verifies each message with
 * the `standardwebhooks` package. Messages that do not verify get 401 and are kept apart.
 */
export class Receiver {
  /** Verified messages, one for each attempt. */
  readonly received: ReceivedMessage[] = [];
  /** Why messages were not accepted. */
  readonly refused: string[] = [];
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  readonly #waiting = new Set<() => void>();
  #secrets: string[] = [];
  #answer: Answering = () => ({ status: 204 });

  /** Listens on a free port of the loopback interface. */
  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  /** The secrets that are accepted from now on, as `whsec_…`. */
  trust(...secrets: string[]): void {
    this.#secrets = secrets;
  }

  answerWith(answer: Answering): void {
    this.#answer = answer;
  }

  /** The first message that fits, past or future; rejects after `timeoutMs` with what came instead. */
  async waitFor(
    fits: string | ((message: ReceivedMessage) => boolean),
    timeoutMs = 10_000,
  ): Promise<ReceivedMessage> {
    const test = typeof fits === "string" ? (message: ReceivedMessage) => message.type === fits : fits;
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.received.find(test);
      if (found) return found;
      if (Date.now() >= deadline) throw new Error(`no such message within ${timeoutMs} ms; ${this.#seen()}`);
      await this.#change(deadline - Date.now());
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    const answer = this.#take(body, request.headers as Record<string, string>);
    for (const wake of this.#waiting) wake();
    if (answer.delayMs) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #take(body: string, headers: Record<string, string>): ReceiverAnswer {
    const fault = this.#verify(body, headers);
    if (fault !== undefined) {
      this.refused.push(fault);
      return { status: 401 };
    }
    const { type, timestamp, data } = JSON.parse(body) as Pick<
      ReceivedMessage,
      "type" | "timestamp" | "data"
    >;
    const id = headers["webhook-id"]!;
    const message = { id, type, timestamp, data, body, headers, receivedAtMs: Date.now() };
    this.received.push(message);
    return this.#answer(message, this.received.length);
  }

  #verify(body: string, headers: Record<string, string>): string | undefined {
    let fault = "no secret is trusted";
    for (const secret of this.#secrets) {
      try {
        new Webhook(secret).verify(body, headers);
        return undefined;
      } catch (reason) {
        fault = String(reason);
      }
    }
    return fault;
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, withinMs);
      this.#waiting.add(wake);
    });
  }

  #seen(): string {
    const types = this.received.map(({ type }) => type).join(", ") || "nothing";
    return `received: ${types}; refused: ${this.refused.join("; ") || "nothing"}`;
  }
}
