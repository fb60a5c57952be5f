import { withTimeout } from "../platform/rpc.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { bucketOfToken, type DeniedBucket, deniedBucketKey, deniedUntil } from "./denied-token.ts";
import type { DeniedFilter } from "./filter.ts";

export type ConfirmPorts = {
  denylist: { contains(iss: string, jti: string): Promise<Result<number>> };
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
  const told = await denylist.contains(iss, jti);
  if (told.ok) return told;
  const untils = await Promise.all([iss, ""].map((named) => untilInKv(filter, named, iss, jti, kv)));
  const known = untils.filter((until) => until !== undefined);
  const until = Math.max(0, ...known);
  // A list that denies is enough; that none does must be known of both.
  return until > 0 || known.length === untils.length ? ok(until) : told;
}

/** @param named the issuer that the entry would name, "" for none */
async function untilInKv(
  filter: DeniedFilter,
  named: string,
  iss: string,
  jti: string,
  kv: ConfirmPorts["kv"],
): Promise<number | undefined> {
  if (!filter.suspects(named, jti)) return 0;
  const needed = filter.bucketBuild(named, jti);
  if (needed === 0) return 0;
  const list = await readBucket(kv, bucketOfToken(named, jti)).catch(() => undefined);
  return list && list.build >= needed ? deniedUntil(list.tokens, iss, jti) : undefined;
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
    const buckets = new Set([bucketOfToken(iss, jti), bucketOfToken("", jti)]);
    const lists = await Promise.all([...buckets].map((bucket) => readBucket(kv, bucket)));
    return ok(Math.max(...lists.map((list) => deniedUntil(list?.tokens ?? [], iss, jti))));
  } catch {
    return err(problem("unavailable", "The KV lists of denied tokens could not be read."));
  }
}

function readBucket(kv: Pick<KVNamespace, "get">, bucket: number): Promise<DeniedBucket | null> {
  return withTimeout(kv.get<DeniedBucket>(deniedBucketKey(bucket), "json"), KV_TIMEOUT_MS);
}
