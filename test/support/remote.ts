/** A Durable Object's methods as they are over RPC. The platform's own mapped type gives up on recursive data. */
export type Remote<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};

/** Types a stub for calls; the stub itself is still what `cloudflare:test` takes. */
export function remote<T extends object>(stub: unknown): Remote<T> {
  return stub as Remote<T>;
}

/** The value of a result that the test needs to be there. */
export function expectValue<T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T {
  if (result.ok) return result.value;
  throw new Error(`expected a value, got ${JSON.stringify(result.error)}`);
}
