import { withTimeout } from "../platform/rpc.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { bucketOfToken, type DeniedBucket, deniedBucketKey, deniedUntil } from "./denied-token.ts";
import type { DeniedFilter } from "./filter.ts";

export type ConfirmPorts = {
  denylist: { contains(iss: string, jti: string, build: number): Promise<Result<number>> };
  kv: Pick<KVNamespace, "get">;
};

const KV_TIMEOUT_MS = 2_000;

/**
 * Until when a token that the filter suspects is denied (epoch seconds), 0 where it is not: as the object says,
 * or where that cannot be reached, as KV's list says, provided that the list is at least as new as the filter.
 */
export async function confirmDenied(
  filter: DeniedFilter,
  iss: string,
  jti: string,
  { denylist, kv }: ConfirmPorts,
): Promise<Result<number>> {
  const told = await denylist.contains(iss, jti, filter.stamp(jti));
  if (told.ok) return told;
  const needed = filter.bucketBuild(jti);
  if (needed === 0) return ok(0);
  const list = await readBucket(kv, bucketOfToken(jti)).catch(() => undefined);
  return list && list.build >= needed ? ok(deniedUntil(list.tokens, iss, jti)) : told;
}

/**
 * Looks a token up in KV's lists of denied tokens, whatever their age: what stands where the log cannot be
 * reached. The answer is the entry's end, 0 where there is none.
 */
export async function findInDeniedBuckets(
  kv: Pick<KVNamespace, "get">,
  iss: string,
  jti: string,
): Promise<Result<number>> {
  try {
    const list = await readBucket(kv, bucketOfToken(jti));
    return ok(deniedUntil(list?.tokens ?? [], iss, jti));
  } catch {
    return err(problem("unavailable", "The KV lists of denied tokens could not be read."));
  }
}

function readBucket(kv: Pick<KVNamespace, "get">, bucket: number): Promise<DeniedBucket | null> {
  return withTimeout(kv.get<DeniedBucket>(deniedBucketKey(bucket), "json"), KV_TIMEOUT_MS);
}
