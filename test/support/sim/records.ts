import type { DeniedToken } from "../../../src/revocation/denied-token.ts";
import { denylistKey } from "../../../src/revocation/denylist.ts";
import { fileKey } from "../../../src/revocation/rule.ts";
import type { Recorded, Records } from "./control-plane.ts";
import { kvKeyOf, Violation } from "./judge.ts";
import type { KvDouble } from "./kv-double.ts";
import type { Ledger } from "./ledger.ts";

const LOST = "nothing acknowledged is lost";
const DIFFERS = "KV says what the log says";

/** Once everything is quiet: nothing acknowledged is lost, and KV says what the objects say. */
export async function judgeRecords(
  ledger: Ledger,
  kv: KvDouble,
  records: Records,
  nowSeconds: number,
): Promise<void> {
  judgeLedger(ledger, records, nowSeconds);
  judgeCompacted(records, nowSeconds);
  await judgeRules(kv, records, nowSeconds);
  judgeDenials(kv, records, nowSeconds);
}

function judgeLedger(ledger: Ledger, { revocations, denials }: Records, nowSeconds: number): void {
  const recorded = new Map(revocations.map((record) => [record.id, record]));
  for (const { id, acked, lifts, bulk, match, expiresAt } of ledger.rules) {
    if (bulk) {
      const gone = lifts.length > 0 || (expiresAt !== undefined && expiresAt <= nowSeconds);
      const listed = denials.some(
        ({ iss, jti, rule }) => rule === "" && jti === match.jti && iss === (match.iss ?? ""),
      );
      if (bulk.stored && !gone && !listed) throw new Violation(LOST, `${id} ${JSON.stringify(match)}`);
      continue;
    }
    if (acked && recorded.get(id)?.seq !== acked.receipt.seq) throw new Violation(LOST, id);
    if (lifts.some((lift) => lift.acked) && recorded.get(id)?.lifted_at === undefined) {
      throw new Violation(LOST, `the lift of ${id}`);
    }
  }
}

/** The list of denied tokens has each compacted rule that is in force, with its end, and none that was lifted. */
function judgeCompacted({ revocations, denials }: Records, nowSeconds: number): void {
  const listed = new Map(denials.map((denial) => [denial.rule, denial.expires_at]));
  for (const { id, compacted, lifted_at, expires_at } of revocations) {
    if (!compacted || (expires_at !== undefined && expires_at <= nowSeconds)) continue;
    const wanted = lifted_at === undefined ? expires_at : undefined;
    if (listed.get(id) === wanted) continue;
    throw new Violation(LOST, `${id} is listed until ${listed.get(id)}, not ${wanted}`);
  }
}

async function judgeRules(
  kv: KvDouble,
  { revocations, headSeq }: Records,
  nowSeconds: number,
): Promise<void> {
  const inForce = (rule: Recorded) =>
    rule.lifted_at === undefined && !(rule.expires_at && rule.expires_at <= nowSeconds);
  const wanted = new Map<string, string[]>();
  for (const rule of revocations.filter(inForce)) {
    const key = await denylistKey(fileKey(rule.match));
    wanted.set(key, [...(wanted.get(key) ?? []), rule.id]);
  }
  for (const key of new Set([...wanted.keys(), ...kv.keys("deny:")])) {
    const listed = JSON.parse(String(kv.centrally(key) ?? "[]")) as Recorded[];
    const found = listed.filter(inForce).map(({ id }) => id);
    same(key, found, wanted.get(key) ?? []);
  }
  const snapshot = JSON.parse(String(kv.centrally("snapshot"))) as { seq: number; rules: Recorded[] };
  same("snapshot seq", [String(snapshot.seq)], [String(headSeq)]);
  same(
    "snapshot",
    snapshot.rules.filter(inForce).map(({ id }) => id),
    revocations.filter((rule) => inForce(rule) && !rule.compacted).map(({ id }) => id),
  );
}

function judgeDenials(kv: KvDouble, { denials }: Records, nowSeconds: number): void {
  const wanted = new Map<string, string[]>();
  for (const { iss, jti, expires_at } of denials.filter((denial) => denial.expires_at > nowSeconds)) {
    const key = kvKeyOf({ match: { iss, jti }, bulk: { stored: true } });
    wanted.set(key, [...(wanted.get(key) ?? []), `${iss} ${jti} ${expires_at}`]);
  }
  for (const key of new Set([...wanted.keys(), ...kv.keys("denied:")])) {
    const text = kv.centrally(key);
    const { tokens } = JSON.parse(text === undefined ? `{"tokens":[]}` : String(text)) as {
      tokens: DeniedToken[];
    };
    const living = tokens.filter((token) => token.expires_at > nowSeconds);
    const found = living.map(({ iss, jti, expires_at }) => `${iss ?? ""} ${jti} ${expires_at}`);
    same(key, found, wanted.get(key) ?? []);
  }
}

function same(what: string, found: string[], wanted: string[]): void {
  const [a, b] = [found, wanted].map((ids) => [...ids].sort().join(", "));
  if (a !== b) throw new Violation(DIFFERS, `${what} is [${a}], not [${b}]`);
}
