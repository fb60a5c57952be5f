import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of the bench on loopback, on a port of its own. */
export type Backstage = { port: number; url: string; close(): void };

/** An origin that answers everything with the same JSON. */
export function startNodeOrigin(body: string): Promise<Backstage> {
  return listen((_request, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  });
}

/** KV as workerd asks for it over HTTP: values by key in memory, without expiry or lag. */
export async function startKv(values = new Map<string, Buffer>()): Promise<Backstage> {
  return listen(async (request, response) => {
    const key = decodeURIComponent(new URL(request.url!, "http://kv").pathname.slice(1));
    if (request.method === "PUT") {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      values.set(key, Buffer.concat(parts));
      response.end();
    } else if (request.method === "DELETE") {
      values.delete(key);
      response.end();
    } else {
      const value = values.get(key);
      response.writeHead(value ? 200 : 404).end(value);
    }
  });
}

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Backstage> {
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
