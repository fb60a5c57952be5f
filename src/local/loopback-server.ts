import { createServer, type RequestListener } from "node:http";

/** A server that only this machine can reach. */
export type LoopbackServer = { url: string; close(): Promise<void> };

/** Listens on 127.0.0.1; `port` 0 takes any free one. */
export async function listen(port: number, listener: RequestListener): Promise<LoopbackServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
