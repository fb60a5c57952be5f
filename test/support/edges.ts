import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { inject } from "vitest";
import { RATE_LIMITS } from "./rate-limits.ts";
import { COMPATIBILITY, OBJECTS, type RuntimeOptions, variablesOf } from "./runtime.ts";

/** One Worker that has the objects, and others that only use them: each is an edge with a memory of its own. */
export type Edges = {
  names: readonly string[];
  /** One request at one edge; the status it answers. */
  call(edge: string, path: string, token: string): Promise<number>;
  stop(): Promise<void>;
};

const CONTROL = "control";
/** Not the issuer's host: the gate answers. */
const API = "http://api.example.com";

/** The deployable bundle as several Workers on one control plane: its objects and its KV are the same for all. */
export async function startEdges(
  options: Pick<RuntimeOptions, "issuer" | "stateDir"> & { count: number },
): Promise<Edges> {
  const { issuer, stateDir, count } = options;
  const names = Array.from({ length: count }, (_, i) => `edge-${i}`);
  const contents = readFileSync(inject("bundlePath"), "utf8");
  const worker = (name: string) => ({
    name,
    modules: [{ type: "ESModule" as const, path: "worker.js", contents }],
    ...COMPATIBILITY,
    bindings: variablesOf({ issuer }),
    kvNamespaces: { KV: "shared" },
    ratelimits: RATE_LIMITS,
    durableObjects: Object.fromEntries(
      Object.entries(OBJECTS).map(([binding, className]) => {
        const own = { className, useSQLite: true as const };
        return [binding, name === CONTROL ? own : { ...own, scriptName: CONTROL }];
      }),
    ),
  });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: Number(new URL(issuer).port),
      durableObjectsPersist: join(stateDir, "do"),
      kvPersist: join(stateDir, "kv"),
      handleStructuredLogs: () => {},
      workers: [CONTROL, ...names].map(worker),
    }),
  );
  await miniflare.ready;
  const fetchers = new Map(
    await Promise.all(names.map(async (name) => [name, await miniflare.getWorker(name)] as const)),
  );
  return {
    names,
    call: async (edge, path, token) => {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetchers.get(edge)!.fetch(API + path, { headers });
      await response.body?.cancel();
      return response.status;
    },
    stop: () => miniflare.dispose(),
  };
}
