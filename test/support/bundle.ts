import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** The Worker as `wrangler deploy` would upload it. */
    bundlePath: string;
  }
}

/** Builds the deployable bundle once for all end-to-end tests. */
export default function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-bundle-"));
  execFileSync("npx", ["wrangler", "deploy", "--dry-run", "--outdir", folder], {
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_WRITE_LOGS: "false",
    },
  });
  project.provide("bundlePath", join(folder, "worker.js"));
  return () => rmSync(folder, { recursive: true, force: true });
}
