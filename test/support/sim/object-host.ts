import { objectState, SqliteStorage } from "./sqlite-storage.ts";
import { ANYONE, type Party, type VirtualTime } from "./virtual-time.ts";

type Instance = { object: Record<string, (...args: unknown[]) => unknown>; party: Party; kill: () => void };

/** Makes an instance of the object's class on its storage, with bindings that work in this object's name. */
export type MakeObject = (ctx: DurableObjectState, gate: OutputGate) => object;

/** Wraps what leaves the object: it goes once everything that was written before is durable. */
export type OutputGate = <T>(leave: () => Promise<T>) => Promise<T>;

const ALARM_RETRY_MS = 2_000;
const ALARM_TRIES = 7;

/**
 * One Durable Object on its machine: made on the first call, dropped with all that is in its memory by a
 * crash, its storage and alarm outlive it.
 */
export class ObjectHost {
  readonly #time: VirtualTime;
  readonly #make: MakeObject;
  readonly #storage: SqliteStorage;
  #instance: Instance | undefined;
  #alarmTries = 0;
  #alarmRuns = false;
  #crash = newCrash();

  constructor(time: VirtualTime, make: MakeObject) {
    this.#time = time;
    this.#make = make;
    this.#storage = new SqliteStorage(time);
    this.#storage.onAlarm = (atMs) => this.#watchAlarm(atMs);
  }

  /** Calls a method; the answer leaves once it is durable. Rejects where the object crashes before that. */
  async call(method: string, args: readonly unknown[]): Promise<unknown> {
    const { object, party } = this.#running();
    const crash = this.#crash;
    const work = this.#time.as(party, async () => {
      const value = await object[method]!(...args);
      await this.#storage.durable();
      return value;
    });
    return Promise.race([work, crash.promise]);
  }

  /** What the storage holds, without any network: for the judge. */
  rows<T>(query: string): T[] {
    return this.#storage.exec(query, []) as T[];
  }

  crash(): void {
    this.#instance?.kill();
    this.#instance = undefined;
    this.#storage.crash();
    // An alarm counts as run only once its run has ended.
    if (this.#alarmRuns) this.#storage.setAlarm(this.#time.nowMs + ALARM_RETRY_MS);
    this.#alarmRuns = false;
    const { reject } = this.#crash;
    this.#crash = newCrash();
    reject(new Error("the object crashed"));
  }

  close(): void {
    this.#instance?.kill();
    this.#storage.close();
  }

  #running(): Instance {
    this.#instance ??= this.#start();
    return this.#instance;
  }

  #start(): Instance {
    let alive = true;
    const party = { alive: () => alive };
    const waitUntil = (work: Promise<unknown>) => void work.catch(() => {});
    const ctx = objectState(this.#storage, party.alive, waitUntil);
    const gate: OutputGate = async (leave) => {
      await this.#storage.durable();
      return leave();
    };
    const object = this.#time.as(party, () => this.#make(ctx, gate)) as Instance["object"];
    return {
      object,
      party,
      kill: () => {
        alive = false;
      },
    };
  }

  #watchAlarm(atMs: number | undefined): void {
    if (atMs === undefined) return;
    const due = () => this.#storage.alarmAtMs === atMs && !this.#alarmRuns;
    this.#time.after(atMs - this.#time.nowMs, () => due() && void this.#alarm(), ANYONE);
  }

  /** At least once: an alarm whose run ended in a crash or a fault runs again, the latter a few times only. */
  async #alarm(): Promise<void> {
    const instance = this.#running();
    this.#alarmRuns = true;
    this.#storage.setAlarm(undefined);
    try {
      await this.#time.as(instance.party, async () => instance.object.alarm!());
      this.#alarmTries = 0;
    } catch {
      if (instance === this.#instance && ++this.#alarmTries < ALARM_TRIES) {
        this.#storage.setAlarm(this.#time.nowMs + ALARM_RETRY_MS);
      }
    }
    if (instance !== this.#instance) return;
    this.#alarmRuns = false;
    this.#watchAlarm(this.#storage.alarmAtMs);
  }
}

function newCrash(): PromiseWithResolvers<never> {
  const crash = Promise.withResolvers<never>();
  crash.promise.catch(() => {});
  return crash;
}
