import { faultText, type Logger } from "../platform/log.ts";
import { denylistKey } from "../revocation/denylist.ts";
import { fileKey, type Revocation } from "../revocation/rule.ts";

/** What one step of the check looked at, and where the KV denylist did not hold what the log does. */
export type DriftReport = {
  /** Keys that were compared. */
  checked: number;
  /** Keys that KV lacks, or holds without one of the rules in force. */
  missing: number;
  /** Keys in KV with a rule that is lifted or that the log does not know. */
  stale: number;
};

/** The rules in force that are filed under one key (`jti:tok_…`), and when anything under it last changed, in epoch seconds. */
export type DeniedKey = { key: string; rules: Revocation[]; changed_at: number };

/** What the check reads and what it does, all of it in the log's own object. */
export type DriftDeps = {
  kv: Pick<KVNamespace, "get" | "list">;
  logger: Logger;
  /** Keys with rules in force that sort after one, in order. */
  keysAfter(after: string, limit: number): DeniedKey[];
  under(key: string): DeniedKey;
  cursor(direction: Direction): string;
  setCursor(direction: Direction, cursor: string): void;
  /** Writes what is in force under the keys into KV, by the outbox. */
  repair(keys: string[]): void;
};

export type Direction = "log" | "kv";

/** With the repairs, at most 801 KV operations: an invocation may make 1,000. */
const PAGE = 200;
/** KV shows a change everywhere only after a minute or more; until then a difference means nothing. */
export const SETTLED_AFTER_SECONDS = 180;
const PARALLEL = 20;
const PREFIX = "deny:";
const HASHED = "deny:sha256:";

/**
 * One step of the endless comparison of the KV denylist with the log: a page of what the log has in force,
 * and a page of what KV holds. KV is only a projection: what differs is written again from the log.
 */
export async function checkDrift(deps: DriftDeps, nowSeconds: number): Promise<DriftReport> {
  const report: DriftReport = { checked: 0, missing: 0, stale: 0 };
  const repairs = new Set<string>();
  try {
    // What changed a moment ago is not looked for in KV yet: it would remember the miss.
    const settled = nextKeys(deps).filter((denied) => isSettled(denied, nowSeconds));
    const names = await Promise.all(settled.map(({ key }) => denylistKey(key)));
    const held = await readAll(names, deps);
    settled.forEach((denied, i) => {
      compare(denied, held[i] ?? null, nowSeconds, report, repairs);
    });
    const listed = await nextNames(deps);
    const values = await readAll(listed, deps);
    listed.forEach((name, i) => {
      const found = values[i] ?? null;
      const key = keyOf(name, found);
      if (key !== undefined) compare(deps.under(key), found, nowSeconds, report, repairs);
    });
  } catch (fault) {
    // The page is looked at again in the next round; KV's cursor may be what it does not take.
    deps.setCursor("kv", "");
    deps.logger("warn", "denylist.check_failed", { fault: faultText(fault) });
  }
  if (repairs.size) deps.repair([...repairs]);
  return report;
}

function nextKeys({ keysAfter, cursor, setCursor }: DriftDeps): DeniedKey[] {
  const page = keysAfter(cursor("log"), PAGE);
  setCursor("log", page.length === PAGE ? page.at(-1)!.key : "");
  return page;
}

async function nextNames({ kv, cursor, setCursor }: DriftDeps): Promise<string[]> {
  const from = cursor("kv");
  const page = await kv.list({ prefix: PREFIX, limit: PAGE, cursor: from === "" ? null : from });
  setCursor("kv", page.list_complete ? "" : page.cursor);
  return page.keys.map(({ name }) => name);
}

/** The values of the keys, in their order, a few at a time. */
async function readAll(names: string[], { kv }: DriftDeps): Promise<(Revocation[] | null)[]> {
  const values: (Revocation[] | null)[] = [];
  for (let from = 0; from < names.length; from += PARALLEL) {
    const some = names.slice(from, from + PARALLEL);
    values.push(...(await Promise.all(some.map((name) => kv.get<Revocation[]>(name, "json")))));
  }
  return values;
}

/** The claim that an entry is filed under; a hashed name does not tell, its rules do. */
function keyOf(name: string, found: Revocation[] | null): string | undefined {
  if (!name.startsWith(HASHED)) return name.slice(PREFIX.length);
  return found?.[0] && fileKey(found[0].match);
}

function compare(
  denied: DeniedKey,
  found: Revocation[] | null,
  nowSeconds: number,
  report: DriftReport,
  repairs: Set<string>,
): void {
  report.checked++;
  if (repairs.has(denied.key) || !isSettled(denied, nowSeconds)) return;
  const kind = driftOf(denied.rules, found ?? [], nowSeconds);
  if (!kind) return;
  report[kind]++;
  repairs.add(denied.key);
}

function isSettled({ changed_at }: DeniedKey, nowSeconds: number): boolean {
  return nowSeconds - changed_at >= SETTLED_AFTER_SECONDS;
}

/** How the rules that KV holds under a key differ from those in force; an expired one is gone by itself. */
export function driftOf(
  inForce: readonly Revocation[],
  found: readonly Revocation[],
  nowSeconds: number,
): "missing" | "stale" | undefined {
  const alive = (rule: Revocation) => rule.expires_at === undefined || rule.expires_at > nowSeconds;
  const ids = (rules: readonly Revocation[]) => new Set(rules.filter(alive).map(({ id }) => id));
  const [wanted, held] = [ids(inForce), ids(found)];
  const beyond = (one: Set<string>, other: Set<string>) => [...one].some((id) => !other.has(id));
  if (beyond(wanted, held)) return "missing";
  return beyond(held, wanted) ? "stale" : undefined;
}
