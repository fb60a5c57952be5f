import type { IncomingMessage } from "node:http";
import { Webhook } from "standardwebhooks";
import { listen } from "./loopback-server.ts";

/** A webhook whose signature was verified. */
type Delivery = { type: string; data: unknown; receivedAtMs: number };

export type Receiver = {
  url: string;
  /** From now on messages are verified with this secret; before, all are refused. */
  trust(secret: string): void;
  /** The first delivery, past or to come, that fits. Rejects after `timeoutMs`. */
  arrived(fits: (delivery: Delivery) => boolean, timeoutMs: number): Promise<Delivery>;
  /** Messages that did not verify. */
  refused(): number;
  close(): Promise<void>;
};

const MAX_BODY_CHARS = 256 * 1024;

/** Starts a webhook receiver on loopback, as a team would write one: verify first, then answer 204. */
export async function startReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const waiting = new Set<(delivery: Delivery) => void>();
  let webhook: Webhook | undefined;
  let refused = 0;
  const server = await listen(0, async (req, res) => {
    const delivery = await verified(webhook, req);
    if (delivery === undefined) {
      refused += 1;
      res.writeHead(401).end();
      return;
    }
    res.writeHead(204).end();
    deliveries.push(delivery);
    for (const tell of waiting) tell(delivery);
  });
  return {
    url: `${server.url}/hooks`,
    trust: (secret) => {
      webhook = new Webhook(secret);
    },
    arrived: (fits, timeoutMs) =>
      new Promise((resolve, reject) => {
        const known = deliveries.find(fits);
        if (known) return resolve(known);
        const tell = (delivery: Delivery) => {
          if (!fits(delivery)) return;
          clearTimeout(timer);
          waiting.delete(tell);
          resolve(delivery);
        };
        const timer = setTimeout(() => {
          waiting.delete(tell);
          reject(new Error(`no webhook that fits within ${timeoutMs} ms`));
        }, timeoutMs);
        waiting.add(tell);
      }),
    refused: () => refused,
    close: server.close,
  };
}

async function verified(webhook: Webhook | undefined, req: IncomingMessage): Promise<Delivery | undefined> {
  let body = "";
  for await (const part of req.setEncoding("utf8")) {
    body += part;
    if (body.length > MAX_BODY_CHARS) return undefined;
  }
  try {
    const headers = Object.fromEntries(
      Object.entries(req.headers).map(([name, value]) => [name, String(value)]),
    );
    const event = webhook?.verify(body, headers) as { type: string; data: unknown } | undefined;
    return event && { type: event.type, data: event.data, receivedAtMs: Date.now() };
  } catch {
    return undefined;
  }
}
