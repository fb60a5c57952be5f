import { objectPort } from "../../../src/platform/rpc.ts";
import { ok, type Result } from "../../../src/protocol/result.ts";
import type { LogEntry } from "../../../src/replication/entry.ts";
import { LogObject } from "../../../src/replication/log-object.ts";
import { DenylistObject } from "../../../src/revocation/denylist-object.ts";
import type { DenylistPort } from "../../../src/revocation/denylist-port.ts";
import type { Receipt } from "../../../src/revocation/receipt.ts";
import type { RevocationMatch } from "../../../src/revocation/rule.ts";
import type { KvDouble } from "./kv-double.ts";
import type { Network } from "./network.ts";
import { ObjectHost, type OutputGate } from "./object-host.ts";
import type { VirtualTime } from "./virtual-time.ts";

export type LogPort = {
  append(entry: LogEntry): Promise<Result<Receipt>>;
  sweep(): Promise<Result<unknown>>;
  checkDrift(): Promise<Result<unknown>>;
};
export type DenylistCalls = DenylistPort & { sweep(): Promise<Result<unknown>> };

/** A revocation, or a token that is denied by name, as storage has it. */
export type Recorded = {
  id: string;
  match: RevocationMatch;
  seq: number;
  expires_at?: number;
  lifted_at?: number;
  /** The list of denied tokens holds it, and replicas do not. */
  compacted: boolean;
};
/** `rule`: the revocation that stands behind it, "" for none. */
type RecordedDenial = { iss: string; jti: string; rule: string; expires_at: number };

/** Rules for one token that a replica holds: more go to the list of denied tokens. */
const MAX_RULES = 2;

/** No webhook endpoint listens, and no receiver of signals. */
const NO_ENDPOINTS = {
  getByName: () => ({ endpointsFor: async () => ok([]), streamIds: async () => ok([]) }),
};
/** Takes every record and keeps none. */
const ANY_AUDIT = { getByName: () => ({ append: async () => ok(null) }) };

/** No grant has a place in a status list. */
const NO_LISTS = { getByName: () => ({ offer: async () => ok(null) }) };

/** The objects that revocation stands on, each on a machine of its own, and the operator's ways to them. */
export class ControlPlane {
  readonly log: ObjectHost;
  readonly denylist: ObjectHost;
  readonly toLog: LogPort;
  readonly toDenylist: DenylistCalls;

  constructor(time: VirtualTime, network: Network, kv: KvDouble) {
    const { clock } = time;
    this.log = new ObjectHost(time, (ctx, gate) => {
      const denylist = network.namespace("log/denylist", this.denylist, gate);
      const env = {
        KV: kvBehind(gate, kv),
        REGISTRY: NO_ENDPOINTS,
        STATUS_LIST: NO_LISTS,
        DENYLIST: denylist,
        AUDIT: ANY_AUDIT,
      };
      return new LogObject(ctx, env as unknown as Env, clock, { maxRules: MAX_RULES });
    });
    this.denylist = new ObjectHost(time, (ctx, gate) => {
      const log = network.namespace("denylist", this.log, gate);
      const env = { KV: kvBehind(gate, kv), LOG: log, AUDIT: ANY_AUDIT };
      return new DenylistObject(ctx, env as unknown as Env, clock);
    });
    const log = () => {};
    this.toLog = objectPort(network.namespace("control", this.log), "main", { log });
    this.toDenylist = objectPort(network.namespace("control", this.denylist), "main", { log });
  }

  /** What storage holds, for the judge. */
  records() {
    type Row = { rule: string; seq: number; lifted_at: number | null; place: string | null };
    const rows = this.log.rows<Row>("SELECT rule, seq, lifted_at, place FROM revocations");
    const revocations = rows.map(({ rule, seq, lifted_at, place }): Recorded => {
      const { id, match, expires_at } = JSON.parse(rule) as Recorded;
      return {
        id,
        match,
        seq,
        compacted: place === "denylist",
        ...(expires_at ? { expires_at } : {}),
        ...(lifted_at === null ? {} : { lifted_at }),
      };
    });
    const headSeq = this.log.rows<{ seq: number }>("SELECT MAX(seq) AS seq FROM entries")[0]?.seq ?? 0;
    const denials = this.denylist.rows<RecordedDenial>("SELECT iss, jti, rule, expires_at FROM denied");
    return { revocations, denials, headSeq };
  }

  close(): void {
    this.log.close();
    this.denylist.close();
  }
}

export type Records = ReturnType<ControlPlane["records"]>;

/** What an object writes leaves it only once it is durable. */
function kvBehind(gate: OutputGate, { centre }: KvDouble) {
  return {
    ...centre,
    put: (...args: Parameters<typeof centre.put>) => gate(() => centre.put(...args)),
    delete: (key: string) => gate(() => centre.delete(key)),
  };
}
