import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

/** How many reads a second one LogObject answers on this machine: `node bench/log-reads.ts`. */
const folder = mkdtempSync(join(tmpdir(), "portcullis-bench-"));
try {
  const worker = new URL("./log-reads-worker.ts", import.meta.url).pathname;
  execFileSync("npx", ["wrangler", "deploy", worker, "--dry-run", "--outdir", folder], {
    cwd: new URL("..", import.meta.url).pathname,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" },
  });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: "bench",
      modules: [
        {
          type: "ESModule",
          path: "worker.js",
          contents: readFileSync(join(folder, "log-reads-worker.js"), "utf8"),
        },
      ],
      compatibilityDate: "2026-10-30",
      kvNamespaces: ["KV"],
      durableObjects: {
        LOG: { className: "LogObject", useSQLite: true },
        REGISTRY: { className: "RegistryObject", useSQLite: true },
      },
      durableObjectsPersist: join(folder, "do"),
    }),
  );
  const url = await miniflare.ready;
  for (const query of [
    "readers=1&behind=0",
    "readers=8&behind=0",
    "readers=32&behind=0",
    "readers=32&behind=10",
    "readers=32&behind=100",
  ]) {
    const answer = await miniflare.dispatchFetch(`${url}?seconds=4&${query}`);
    console.log(await answer.text());
  }
  await miniflare.dispose();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
