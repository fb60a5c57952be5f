import type { Problem } from "./problem.ts";

/** An expected outcome. Plain data, so that it survives structured clone over RPC (`instanceof` does not). */
export type Result<T, E = Problem> = { ok: true; value: T } | { ok: false; error: E };

export function ok<T>(value: T): { ok: true; value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { ok: false; error: E } {
  return { ok: false, error };
}
