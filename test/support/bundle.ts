import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { bundle } from "../../bench/workerd.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The Worker as `wrangler deploy` would upload it. */
    bundlePath: string;
  }
}

/** Builds the deployable bundle once for all end-to-end tests. */
export default function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-bundle-"));
  bundle(folder);
  project.provide("bundlePath", join(folder, "worker.js"));
  return () => rmSync(folder, { recursive: true, force: true });
}
