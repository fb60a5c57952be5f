import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** What is evaluated when the Worker starts: everything that `worker.ts` imports, and nothing that it loads later. */
export type RequestPath = {
  /** npm packages and modules of Node in it. */
  packages: string[];
  /** Our own rooms, of which something is in it. */
  rooms: string[];
  gzipBytes: number;
};

/** Bundles as wrangler does, but in parts, so that the part that comes first can be weighed. */
export async function requestPath(): Promise<RequestPath> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: new URL("../..", import.meta.url).pathname,
    entryPoints: ["src/worker.ts"],
    ...{ bundle: true, splitting: true, minify: true, metafile: true, write: false },
    ...{ format: "esm", target: "es2024", outdir: "out", logLevel: "error" },
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
  });
  const parts = new Set<string>();
  const packages = new Set<string>();
  const rooms = new Set<string>();
  const visit = (path: string) => {
    if (parts.has(path)) return;
    parts.add(path);
    const { inputs, imports } = metafile.outputs[path]!;
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1];
      const room = /^src\/([^/]+)\//.exec(input)?.[1];
      if (name !== undefined && bytesInOutput > 0) packages.add(name);
      if (room !== undefined && bytesInOutput > 0) rooms.add(room);
    }
    for (const { kind, path: to, external } of imports) {
      if (external) packages.add(to);
      else if (kind === "import-statement") visit(to);
    }
  };
  visit(
    Object.keys(metafile.outputs).find((path) => metafile.outputs[path]!.entryPoint === "src/worker.ts")!,
  );
  const weighed = outputFiles.filter(({ path }) => [...parts].some((part) => path.endsWith(`/${part}`)));
  return {
    packages: [...packages].filter((name) => !name.startsWith("cloudflare:")).sort(),
    rooms: [...rooms].sort(),
    gzipBytes: weighed.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0),
  };
}
