import type { Logger } from "../../../src/platform/log.ts";
import { seededRandom } from "../token-factory.ts";
import { CacheDouble, type CacheFault } from "./cache-double.ts";
import { ControlPlane } from "./control-plane.ts";
import { Judge, Violation } from "./judge.ts";
import { KvDouble, type KvFault, type KvLag } from "./kv-double.ts";
import { Ledger } from "./ledger.ts";
import { type Fault, Network } from "./network.ts";
import { Operator } from "./operator.ts";
import { judgeRecords } from "./records.ts";
import { SimIsolate } from "./sim-isolate.ts";
import { ROUTES } from "./sim-policy.ts";
import { installCrypto } from "./sync-crypto.ts";
import { VirtualTime } from "./virtual-time.ts";

export type WorldOptions = { seed: number; lags: readonly KvLag[] };

type Span = { where: string; untilMs: number };
type Call = { isolate: number; route: number; startedMs: number; cancelledMs: number; done: boolean };

/** Isolates by location: two locations of two each. */
const LOCATION_OF = [0, 0, 1, 1];
/** An isolate that the log answers decides within this time, whatever KV does. */
const DECIDES_WITHIN_MS = 15_000;
/** The longest pause of an outbox, with its jitter, and then some. */
const QUIET_MS = 16 * 60_000;
/** Where the log and the list of denied tokens are called from. */
const EDGES = LOCATION_OF.map((_, i) => `edge:${i}`);
const WAYS = [
  ...EDGES.map((edge) => [edge]),
  ["control"],
  ["denylist"],
  ["log/denylist"],
  EDGES,
  EDGES.map((edge) => `${edge}/denylist`),
];
export const WAY_COUNT = WAYS.length;
export const ALL_EDGES = WAYS.indexOf(EDGES);
export const FROM_DENYLIST = WAYS.findIndex(([from]) => from === "denylist");

/** Some isolates of the edge and one control plane in one process, on a clock and a network that only the test moves. */
export class World {
  readonly time = new VirtualTime();
  readonly ledger = new Ledger();
  readonly operator: Operator;
  readonly judge: Judge;
  readonly trace: string[] = [];
  readonly #kv: KvDouble;
  readonly #caches: CacheDouble[];
  readonly #isolates: SimIsolate[];
  readonly #network: Network;
  readonly #control: ControlPlane;
  readonly #restore: (() => void)[];
  readonly #reads = new Map<string, number[]>();
  readonly #disturbed: Span[] = [];
  readonly #calls: Call[] = [];
  readonly #lives = LOCATION_OF.map(() => 0);
  #violation: unknown;

  constructor({ seed, lags }: WorldOptions) {
    const random = seededRandom(seed);
    const { time } = this;
    this.#restore = [installCrypto(random), time.install(), this.#listen()];
    this.#kv = new KvDouble(time, random, lags);
    this.#caches = lags.map(() => new CacheDouble(time));
    this.#network = new Network(time, random);
    this.#network.onArrival = (from) => this.#reads.set(from, [...(this.#reads.get(from) ?? []), time.nowMs]);
    this.#control = new ControlPlane(time, this.#network, this.#kv);
    this.operator = new Operator(time, this.#control, this.ledger, (line) => this.#note(line));
    this.judge = new Judge({
      ledger: this.ledger,
      kv: this.#kv,
      firstReadMs: (isolate, sinceMs) => this.#reads.get(isolate)?.find((atMs) => atMs >= sinceMs),
      logAnswers: (isolate, sinceMs) => !this.#disturbedSince([isolate, `${isolate}/denylist`], sinceMs),
      kvTakesWrites: (sinceMs) => !this.#disturbedSince(["writes", "log", "denylist"], sinceMs),
      kvAnswers: (location, sinceMs) => !this.#disturbedSince([`reads:${location}`], sinceMs),
    });
    const logger: Logger = (level, event, fields) =>
      this.#note(`  ${level} ${event} ${JSON.stringify(fields ?? {})}`);
    const around = {
      time,
      network: this.#network,
      control: this.#control,
      kv: this.#kv,
      caches: this.#caches,
      logger,
    };
    this.#isolates = LOCATION_OF.map((location, i) => new SimIsolate(EDGES[i]!, location, around));
  }

  /** A first key and a first policy, known to the log. */
  async begin(): Promise<void> {
    this.operator.changePolicy(0);
    this.operator.rotate(false, false);
    await this.wait(1_000);
  }

  /** Lets time pass; throws what the judge has found meanwhile. */
  async wait(ms: number): Promise<void> {
    await this.time.advance(ms);
    if (this.#violation) throw this.#violation;
    const late = this.#calls.find((call) => {
      if (
        call.done ||
        call.cancelledMs < Number.POSITIVE_INFINITY ||
        this.time.nowMs - call.startedMs <= DECIDES_WITHIN_MS
      )
        return false;
      const edge = EDGES[call.isolate]!;
      return !this.#disturbedSince([edge, `${edge}/denylist`], call.startedMs - DECIDES_WITHIN_MS);
    });
    if (late)
      throw new Violation(
        "every call is decided",
        `${EDGES[late.isolate]} ${ROUTES[late.route]!.path} of ${late.startedMs}`,
      );
  }

  /** @param token any number, or -1 for the newest */
  call(isolate: number, token: number, route: number, cancelAfterMs?: number): void {
    const to = this.#isolates[isolate]!;
    const held = this.ledger.tokens.at(token % this.ledger.tokens.length)!;
    const { path, tier } = ROUTES[route]!;
    const startedMs = this.time.nowMs;
    const cancelledMs = startedMs + (cancelAfterMs ?? Number.POSITIVE_INFINITY);
    const call: Call = { isolate, route, startedMs, cancelledMs, done: false };
    this.#calls.push(call);
    const cancelled = () => this.time.nowMs >= cancelledMs;
    const about = {
      isolate: to.name,
      life: this.#lives[isolate]!,
      location: to.location,
      tier,
      path,
      token: held,
      startedMs,
    };
    to.call(path, held.jwt, cancelled).then(
      (decision) => {
        call.done = true;
        const decidedMs = this.time.nowMs;
        const { outcome, reason, seq, replicaAgeMs } = decision;
        const how = `${outcome} ${reason} seq ${seq} age ${replicaAgeMs} begun ${startedMs}`;
        this.#note(`${to.name} ${path} ${held.claims.jti}: ${how}`);
        this.#watch(() => this.judge.hear({ ...about, decidedMs, decision }));
      },
      (fault) =>
        this.#watch(() => {
          throw new Violation("no decision throws", `${to.name} ${path}: ${fault?.stack ?? fault}`);
        }),
    );
  }

  callAll(token: number): void {
    for (const isolate of EDGES.keys()) for (const route of ROUTES.keys()) this.call(isolate, token, route);
  }

  /** Whether nobody waits for an answer of the isolate: only then it may be put to sleep. */
  isIdle(isolate: number): boolean {
    return !this.#calls.some(
      (call) => call.isolate === isolate && !call.done && call.cancelledMs > this.time.nowMs,
    );
  }

  sleep(isolate: number): void {
    this.#note(`${EDGES[isolate]} sleeps`);
    this.#isolates[isolate]!.sleep();
  }

  evict(isolate: number): void {
    this.#note(`${EDGES[isolate]} is evicted`);
    for (const call of this.#calls) if (call.isolate === isolate) call.done = true;
    this.#lives[isolate]!++;
    this.#isolates[isolate]!.evict();
  }

  crash(which: "log" | "denylist"): void {
    this.#note(`the ${which} crashes`);
    this.#disturbed.push({ where: which, untilMs: this.time.nowMs });
    for (const edge of EDGES) {
      this.#disturbed.push({ where: which === "log" ? edge : `${edge}/denylist`, untilMs: this.time.nowMs });
    }
    this.#control[which].crash();
  }

  disturbWay(way: number, fault: Fault, forMs: number): void {
    this.#note(`calls of ${WAYS[way]!.join(" ")}: ${JSON.stringify(fault)} during ${forMs}`);
    for (const where of WAYS[way]!) {
      this.#network.disturb(where, fault, forMs);
      this.#disturbed.push({ where, untilMs: this.time.nowMs + forMs });
    }
  }

  disturbKv(where: "writes" | "reads:0" | "reads:1", fault: KvFault, forMs: number): void {
    this.#note(`KV ${where} ${fault} during ${forMs}`);
    this.#kv.disturb(where, fault, forMs);
    this.#disturbed.push({ where, untilMs: this.time.nowMs + forMs });
  }

  disturbCache(location: number, fault: CacheFault, forMs: number): void {
    this.#note(`the cache of ${location} ${fault} during ${forMs}`);
    this.#caches[location]!.disturb(fault, forMs);
  }

  /** The cron, once. */
  cron(): void {
    this.#note("cron");
    const { toLog, toDenylist } = this.#control;
    for (const work of [toLog.sweep(), toDenylist.sweep(), toLog.checkDrift()]) void work;
  }

  /** Everything is mended, all is quiet for a while; then the records and every decision must be right. */
  async end(): Promise<void> {
    this.#note("all is mended");
    this.#network.heal();
    this.#kv.heal();
    for (const cache of this.#caches) cache.heal();
    for (const span of this.#disturbed) span.untilMs = Math.min(span.untilMs, this.time.nowMs);
    await this.wait(QUIET_MS);
    this.cron();
    await this.wait(QUIET_MS);
    if (!(await this.time.finish(this.operator.settle()))) {
      throw new Violation("what is stored is published", "an import is not");
    }
    await this.wait(QUIET_MS);
    const records = this.#control.records();
    await judgeRecords(this.ledger, this.#kv, records, this.time.nowMs / 1000);
    this.judge.noteCompacted(records.revocations);
    for (let token = 0; token < this.ledger.tokens.length; token++) {
      this.callAll(token);
      await this.wait(200);
    }
    await this.wait(DECIDES_WITHIN_MS * 2);
  }

  close(): void {
    this.#control.close();
    for (const restore of this.#restore) restore();
  }

  #disturbedSince(places: readonly string[], sinceMs: number): boolean {
    return this.#disturbed.some(({ where, untilMs }) => places.includes(where) && untilMs >= sinceMs);
  }

  #watch(judge: () => void): void {
    try {
      judge();
    } catch (violation) {
      this.#violation ??= violation;
    }
  }

  /** What the objects write to the console belongs to the trace. */
  #listen(): () => void {
    const { log, warn, error } = console;
    const hear = (line: string) => this.#note(`  ${line}`);
    Object.assign(console, { log: hear, warn: hear, error: hear });
    return () => Object.assign(console, { log, warn, error });
  }

  #note(line: string): void {
    this.trace.push(`${this.time.nowMs} ${line}`);
  }
}
