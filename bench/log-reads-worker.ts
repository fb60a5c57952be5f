import type { LogObject } from "../src/replication/log-object.ts";

export * from "../src/worker.ts";

type Log = Pick<LogObject, "append" | "since" | "sweep">;

/**
 * Measures one LogObject from inside the same process. `?readers=32&seconds=5&behind=0`: so many readers ask it
 * for what came after `head - behind`, each as fast as it is answered.
 */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const number = (name: string, or: number) => Number(query.get(name) ?? or);
    const stub = () => env.LOG.getByName("bench") as unknown as Log;
    const behind = number("behind", 0);
    const head = await fill(stub(), number("entries", 1_000));
    const latenciesMs: number[] = [];
    const beganMs = Date.now();
    const endMs = beganMs + number("seconds", 5) * 1000;
    const reader = async () => {
      for (let askedMs = Date.now(); askedMs < endMs; askedMs = Date.now()) {
        const delta = await stub().since(head - behind);
        if (!delta.ok || delta.value.too_old) throw new Error("the log did not answer");
        latenciesMs.push(Date.now() - askedMs);
      }
    };
    await Promise.all(Array.from({ length: number("readers", 32) }, reader));
    const tookMs = Date.now() - beganMs;
    latenciesMs.sort((a, b) => a - b);
    const at = (share: number) => latenciesMs[Math.floor(share * (latenciesMs.length - 1))];
    return Response.json({
      readers: number("readers", 32),
      behind,
      reads_per_second: Math.round(latenciesMs.length / (tookMs / 1000)),
      p50_ms: at(0.5),
      p99_ms: at(0.99),
    });
  },
};

/** Fills an empty log with so many entries, and waits for their effects; answers its head. */
async function fill(log: Log, entries: number): Promise<number> {
  const known = await log.since(0);
  if (known.ok && !known.value.too_old && known.value.head_seq > 0) return known.value.head_seq;
  const created_at = Math.ceil(Date.now() / 1000);
  for (let n = 0; n < entries; n++) {
    const id = `rev_bench_${n}`;
    const expires_at = created_at + 3_600;
    const rule = { id, match: { jti: id }, reason: "bench", actor: "bench", created_at, expires_at };
    const receipt = await log.append({ id, kind: "revocation.added", rule });
    if (!receipt.ok) throw new Error(receipt.error.detail);
  }
  for (;;) {
    const swept = await log.sweep();
    if (swept.ok && swept.value.outbox_rows === 0) return entries;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
