import { expect, it } from "vitest";
import { requestPath } from "../../support/request-path.ts";

/** What each of these costs at a start was measured; see docs/decisions/0087, and 0072 for what is the platform's. */
const TAKEN = ["ipaddr.js", "jose", "node:async_hooks"];
/** The console's pages come with the first visit to one; the others are not the Worker's. */
const LATER = ["cli", "client", "console", "importers", "local"];
const MAX_GZIP_BYTES = 250 * 1024;

/** `import type` costs nothing, and what only some requests need is loaded by `await import()`. */
it("starts with no library that a forwarded request does not need, and in 250 KiB", async () => {
  const { packages, rooms, gzipBytes } = await requestPath();
  expect(packages).toEqual(TAKEN);
  expect(rooms).toEqual(expect.arrayContaining(["edge", "protocol", "replication"]));
  for (const room of LATER) expect(rooms).not.toContain(room);
  expect(gzipBytes).toBeLessThan(MAX_GZIP_BYTES);
  // The whole of it, and not an empty shell.
  expect(gzipBytes).toBeGreaterThan(50 * 1024);
}, 60_000);
