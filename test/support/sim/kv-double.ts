import { ANYONE, type VirtualTime } from "./virtual-time.ts";

/** How a location of KV lags: a write reaches it after `lagMs`, and what it has read, a miss too, it keeps for `cacheMs`. */
export type KvLag = { lagMs: number; cacheMs: number };

/** What goes wrong: throws, throws after it had its effect, answers 429, never answers, answers late. */
export type KvFault = "fails" | "answer_lost" | "too_many" | "hangs" | "slow";

type Value = string | ArrayBuffer;
type Version = { atMs: number; value: Value | undefined; expiresAtMs: number };
type Cached = { version: Version | undefined; untilMs: number };
type Disturbance = { what: string; fault: KvFault; untilMs: number };
type PutOptions = { expirationTtl?: number; metadata?: unknown };

const LATENCY_MS = 5;
const SLOW_MS = 800;
const WRITE_INTERVAL_MS = 1_000;
const MIN_TTL_SECONDS = 60;

/** Workers KV at its worst: late in every location, with cached misses and one write a second for a key. */
export class KvDouble {
  readonly #time: VirtualTime;
  readonly #random: () => number;
  readonly #lags: readonly KvLag[];
  readonly #versions = new Map<string, Version[]>();
  readonly #caches: Map<string, Cached>[];
  #disturbances: Disturbance[] = [];

  constructor(time: VirtualTime, random: () => number, lags: readonly KvLag[]) {
    this.#time = time;
    this.#random = random;
    this.#lags = lags;
    this.#caches = lags.map(() => new Map());
  }

  /** `what`: `writes`, or `reads:<location>`. */
  disturb(what: string, fault: KvFault, forMs: number): void {
    this.#disturbances.push({ what, fault, untilMs: this.#time.nowMs + forMs });
  }

  heal(): void {
    this.#disturbances = [];
  }

  /** The binding of an isolate in this location. */
  at(location: number): Pick<KVNamespace, "get"> {
    const get = async (key: string, type?: string | { type?: string }) => {
      await this.#exchange(`reads:${location}`);
      const value = this.#read(location, key);
      return value === undefined ? null : decode(value, typeof type === "object" ? type.type : type);
    };
    return { get } as unknown as Pick<KVNamespace, "get">;
  }

  /** The binding of an object: it writes to the centre. */
  readonly centre = {
    put: (key: string, value: Value, options: PutOptions = {}) =>
      this.#exchange("writes", () => this.#write(key, value, options)),
    delete: (key: string) => this.#exchange("writes", () => this.#write(key, undefined, {})),
    get: async (key: string, type?: string) => {
      await this.#exchange("writes");
      const value = this.centrally(key);
      return value === undefined ? null : decode(value, type);
    },
    list: async ({
      prefix = "",
      cursor = "",
      limit = 1_000,
    }: {
      prefix?: string;
      cursor?: string;
      limit?: number;
    }) => {
      await this.#exchange("writes");
      const after = this.keys(prefix)
        .sort()
        .filter((name) => name > cursor);
      const names = after.slice(0, limit);
      const complete = names.length === after.length;
      return {
        keys: names.map((name) => ({ name })),
        list_complete: complete,
        cursor: complete ? "" : names.at(-1),
      };
    },
  };

  /** What the centre holds now, without lag or fault: for the judge. */
  centrally(key: string): Value | undefined {
    return living(this.#versions.get(key)?.at(-1), this.#time.nowMs)?.value;
  }

  keys(prefix: string): string[] {
    return [...this.#versions.keys()].filter(
      (key) => key.startsWith(prefix) && this.centrally(key) !== undefined,
    );
  }

  /** The last moment at which a reader in this location may, by its lag alone, not have seen what the key held from `sinceMs` on. */
  mayBeUnseenUntilMs(location: number, key: string, sinceMs: number): number | undefined {
    const written = this.#versions
      .get(key)
      ?.find(({ atMs, value }) => atMs >= sinceMs && value !== undefined);
    const { lagMs, cacheMs } = this.#lags[location]!;
    return written && written.atMs + lagMs + cacheMs;
  }

  #read(location: number, key: string): Value | undefined {
    const now = this.#time.nowMs;
    const { lagMs, cacheMs } = this.#lags[location]!;
    const cache = this.#caches[location]!;
    let cached = cache.get(key);
    if (!cached || cached.untilMs <= now) {
      const version = this.#versions.get(key)?.findLast(({ atMs }) => atMs <= now - lagMs);
      cached = { version, untilMs: now + cacheMs };
      cache.set(key, cached);
    }
    return living(cached.version, now)?.value;
  }

  #write(key: string, value: Value | undefined, { expirationTtl }: PutOptions): void {
    const now = this.#time.nowMs;
    if (expirationTtl !== undefined && expirationTtl < MIN_TTL_SECONDS)
      throw new Error("KV PUT failed: 400 expiration_ttl");
    const versions = this.#versions.get(key) ?? [];
    if (now - (versions.at(-1)?.atMs ?? 0) < WRITE_INTERVAL_MS)
      throw new Error("KV PUT failed: 429 Too Many Requests");
    const expiresAtMs = expirationTtl === undefined ? Number.POSITIVE_INFINITY : now + expirationTtl * 1000;
    this.#versions.set(key, [...versions, { atMs: now, value, expiresAtMs }]);
  }

  async #exchange(what: string, effect: () => void = () => {}): Promise<void> {
    const now = this.#time.nowMs;
    this.#disturbances = this.#disturbances.filter(({ untilMs }) => untilMs > now);
    const fault = this.#disturbances.find((each) => each.what === what)?.fault;
    if (fault === "hangs") return new Promise(() => {});
    const caller = this.#time.party();
    const wayMs = () => this.#random() * (fault === "slow" ? SLOW_MS : 2 * LATENCY_MS);
    // What is on its way arrives, whatever becomes of the caller.
    return new Promise((resolve, reject) => {
      const answer = (run: () => void) => this.#time.after(wayMs(), run, caller);
      const arrive = () => {
        try {
          if (fault === "too_many") throw new Error("KV failed: 429 Too Many Requests");
          if (fault === "fails") throw new Error("KV failed: 500");
          effect();
          if (fault === "answer_lost") throw new Error("KV failed: network connection lost");
          answer(resolve);
        } catch (fault) {
          answer(() => reject(fault));
        }
      };
      this.#time.after(wayMs(), arrive, ANYONE);
    });
  }
}

function living(version: Version | undefined, nowMs: number): Version | undefined {
  return version && version.expiresAtMs > nowMs ? version : undefined;
}

function decode(value: Value, type: string | undefined): unknown {
  if (type === "json") return JSON.parse(typeof value === "string" ? value : new TextDecoder().decode(value));
  if (type === "arrayBuffer")
    return typeof value === "string" ? new TextEncoder().encode(value).buffer : value.slice(0);
  return typeof value === "string" ? value : new TextDecoder().decode(value);
}
