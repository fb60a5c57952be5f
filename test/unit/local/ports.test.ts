import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../../src/local/ports.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function occupy(port: number, host: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return (server.address() as { port: number }).port;
}

describe("freePort", () => {
  it("gives the wanted port where it is free", async () => {
    const port = await occupy(0, "127.0.0.1");
    await new Promise((resolve) => servers.pop()!.close(resolve));
    expect(await freePort(port)).toBe(port);
  });

  it("gives another, ten or more on, where it is taken, and leaves that one free", async () => {
    const taken = await occupy(0, "127.0.0.1");
    const other = await freePort(taken);
    expect(other).not.toBe(taken);
    expect((other - taken) % 10).toBe(0);
    expect(await occupy(other, "127.0.0.1")).toBe(other);
  });

  it("passes over a port that is taken on the other loopback address, which localhost may mean", async (t) => {
    const taken = await occupy(0, "::1").catch(() => undefined);
    if (taken === undefined) return t.skip("no IPv6 loopback here");
    expect(await freePort(taken)).not.toBe(taken);
  });
});
