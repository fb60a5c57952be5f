import { ok, type Result } from "../protocol/result.ts";

/**
 * An isolate reports once in two seconds at most, which takes its shard less than a millisecond. So one shard has
 * room for a thousand busy isolates, of some thousand requests a second each, and all of them for sixteen times that.
 */
export const TRAFFIC_SHARDS = 16;

/** What every shard answers. Where one does not, nothing is: counters that fall would be taken for a new beginning. */
export async function ofAll<S, T>(
  shards: readonly S[],
  ask: (shard: S) => Promise<Result<T>>,
): Promise<Result<T[]>> {
  const answers = await Promise.all(shards.map(ask));
  const values: T[] = [];
  for (const answer of answers) {
    if (!answer.ok) return answer;
    values.push(answer.value);
  }
  return ok(values);
}
