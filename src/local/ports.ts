import { createServer } from "node:net";

const STEP = 10;
const TRIES = 20;

/**
 * The wanted port, or the next free one in steps of ten (so that neighbours keep their distance).
 * Free means free on both loopback addresses: `localhost` may resolve to either.
 */
export async function freePort(wanted: number): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = wanted + i * STEP;
    if (port > 65_535) break;
    if ((await canListen(port, "127.0.0.1")) && (await canListen(port, "::1"))) return port;
  }
  throw new Error(
    `No free port from ${wanted} on (tried ${TRIES} in steps of ${STEP}); choose one with --port.`,
  );
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (fault: NodeJS.ErrnoException) => {
      if (fault.code === "EADDRINUSE" || fault.code === "EACCES") resolve(false);
      else if (fault.code === "EADDRNOTAVAIL" || fault.code === "EAFNOSUPPORT") resolve(true);
      else reject(fault);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
