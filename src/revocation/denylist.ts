import { withTimeout } from "../platform/rpc.ts";
import { sha256Hex, utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { findInDeniedBuckets } from "./confirm-denied.ts";
import { addressKey, hits, isOver, probeKeys, type Revocation, type Suspect } from "./rule.ts";

/** KV refuses longer keys, and an expiry sooner than this. */
const MAX_KV_KEY_BYTES = 512;
export const MIN_KV_TTL_SECONDS = 60;
const LANES = 8;
/** KV is tried again at least this often: a revocation must not wait out the pause of one before it. */
export const LONGEST_KV_RETRY_MS = 10_000;
/** KV refuses a later expiry, and the row would hold up its lane for ever. */
const MAX_KV_TTL_SECONDS = 2 ** 31 - 1;
/** A request that stands on KV alone does not wait longer for it. */
const KV_TIMEOUT_MS = 2_000;

/** The KV key of the revocations filed under one claim value: `deny:jti:tok_…`, hashed where it is too long. */
export async function denylistKey(fileKey: string): Promise<string> {
  const key = `deny:${fileKey}`;
  return utf8(key).length <= MAX_KV_KEY_BYTES ? key : `deny:sha256:${await sha256Hex(fileKey)}`;
}

/** Spreads the keys over a few lanes of the outbox, so that one that KV refuses does not hold up all. */
export function denylistLane(fileKey: string): string {
  let hash = 0;
  for (let i = 0; i < fileKey.length; i++) hash = (hash * 31 + fileKey.charCodeAt(i)) >>> 0;
  return `kv:deny:${hash % LANES}`;
}

/** KV's `expirationTtl` for the rules under one key: as long as the last of them, never under KV's floor. */
export function denylistTtlSeconds(rules: readonly Revocation[], nowSeconds: number): number | undefined {
  let last = 0;
  for (const rule of rules) {
    if (rule.expires_at === undefined) return undefined;
    last = Math.max(last, rule.expires_at);
  }
  return Math.min(Math.max(MIN_KV_TTL_SECONDS, last - nowSeconds), MAX_KV_TTL_SECONDS);
}

/**
 * Whether KV lists the request, by a rule or by its token's name: what stands where the log cannot be reached. KV
 * shows a write elsewhere after up to 60 s or more. A rule that only constrains counts as one that refuses: whether
 * its demand is met is not looked into here.
 */
export async function isListed(
  kv: Pick<KVNamespace, "get">,
  suspect: Suspect,
  nowSeconds: number,
): Promise<Result<boolean>> {
  const { iss, jti } = suspect.facts ?? {};
  const [rule, until] = await Promise.all([
    findInDenylist(kv, suspect, nowSeconds),
    iss === undefined || jti === undefined ? ok(0) : findInDeniedBuckets(kv, iss, jti),
  ]);
  if (rule.ok && rule.value) return ok(true);
  if (until.ok && until.value > nowSeconds) return ok(true);
  if (!rule.ok) return rule;
  return until.ok ? ok(false) : until;
}

/** The rule in KV's denylist that hits the request. At most eleven reads, in parallel. */
export async function findInDenylist(
  kv: Pick<KVNamespace, "get">,
  { facts, address }: Suspect,
  nowSeconds: number,
): Promise<Result<Revocation | undefined>> {
  const probes = facts ? probeKeys(facts) : [];
  if (address !== undefined) probes.push(addressKey(address));
  const isHit = (rule: Revocation) =>
    rule.match.address === undefined
      ? facts !== undefined && hits(rule, facts, nowSeconds)
      : rule.match.address === address && !isOver(rule, nowSeconds);
  try {
    const keys = await Promise.all(probes.map(denylistKey));
    const reads = keys.map((key) => kv.get<Revocation[]>(key, "json"));
    const lists = await withTimeout(Promise.all(reads), KV_TIMEOUT_MS);
    return ok(lists.flatMap((list) => list ?? []).find(isHit));
  } catch {
    return err(problem("unavailable", "The KV denylist could not be read."));
  }
}
