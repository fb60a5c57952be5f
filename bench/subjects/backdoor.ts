import type { FilterManifest } from "../../src/revocation/filter.ts";

type Log = { append(entry: object): Promise<{ ok: boolean }> };

/** Beside the gate, not in it: puts the manifest of a ready-made filter into the gate's log. */
export default {
  async fetch(request: Request, env: { LOG: { getByName(name: string): Log } }): Promise<Response> {
    const filter = await request.json<FilterManifest>();
    const appended = await env.LOG.getByName("main").append({
      id: `log_bench_${Date.now()}`,
      kind: "filter.published",
      filter,
    });
    return Response.json(appended, { status: appended.ok ? 200 : 500 });
  },
};
