import { newId } from "../platform/ids.ts";
import { type Observation, observedKey, type Report } from "../remediation/observation.ts";
import { hashToken, tokenHash } from "../revocation/token-hash.ts";

/** As many shards as there are, whatever the number of isolates; another number loses what is being counted. */
export const DETECTOR_SHARDS = 16;
/** What is noted for one report at most, and how much of that may be news of places, so that the rest has room. */
export const MAX_NOTED = 2_000;
export const MAX_PLACES_NOTED = 1_500;

type Refused = Observation & { what: "refused" };
type Used = Exclude<Observation, Refused>;

/** What an isolate has seen and has not told yet: equal observations once, with their number. Bounded. */
export class Notebook {
  /** By what tells one refusal from another: whoever sends bad tokens chooses how many there are of one key. */
  #refused = new Map<string, { key: string; observed: Refused }>();
  /** By what is counted together. */
  #used = new Map<string, Used[]>();
  #size = 0;
  #places = 0;
  #leftOut = 0;
  #isolate: string | undefined;

  note(observed: Observation): void {
    const key = observedKey(observed);
    if (key === undefined) return;
    if (observed.what === "refused") this.#noteRefused(key, observed);
    else this.#noteUsed(key, observed);
  }

  /** What is to be told, by shard, and how many observations had no room. */
  take(nowMs: number): { reports: Map<number, Report>; leftOut: number } {
    const reports = new Map<number, Report>();
    // Randomness is for requests only, and this is made before the first of them.
    this.#isolate ??= newId("rpt", nowMs);
    const isolate = this.#isolate;
    const tell = (key: string, observed: Observation[]) => {
      const shard = shardOf(key);
      const report = reports.get(shard);
      if (report) report.observations.push(...observed);
      else reports.set(shard, { id: newId("rpt", nowMs), isolate, observations: observed });
    };
    for (const { key, observed } of this.#refused.values()) tell(key, [observed]);
    for (const [key, observed] of this.#used) tell(key, observed);
    const leftOut = this.#leftOut;
    this.#refused = new Map();
    this.#used = new Map();
    this.#size = 0;
    this.#places = 0;
    this.#leftOut = 0;
    return { reports, leftOut };
  }

  #noteRefused(key: string, observed: Refused): void {
    const name = `${observed.why} ${observed.value ?? ""} ${key}`;
    const same = this.#refused.get(name)?.observed;
    if (same) {
      same.at = observed.at;
      same.about = observed.about;
      same.count += observed.count;
    } else if (this.#hasRoom()) this.#refused.set(name, { key, observed });
  }

  /** Told from the last of its key only: one that is told twice is no harm, and nobody has a long list walked through. */
  #noteUsed(key: string, observed: Used): void {
    const before = this.#used.get(key);
    const last = before?.at(-1);
    if (last && isSame(last, observed)) {
      addTo(last, observed);
      return;
    }
    const isPlace = observed.what === "seen";
    if (isPlace && this.#places >= MAX_PLACES_NOTED) {
      this.#leftOut++;
      return;
    }
    if (!this.#hasRoom()) return;
    if (isPlace) this.#places++;
    if (before) before.push(observed);
    else this.#used.set(key, [observed]);
  }

  #hasRoom(): boolean {
    const hasRoom = this.#size < MAX_NOTED;
    if (hasRoom) this.#size++;
    else this.#leftOut++;
    return hasRoom;
  }
}

function isSame(one: Used, other: Used): boolean {
  if (one.what === "used" || other.what === "used") return one.what === other.what;
  return one.address_hash === other.address_hash && one.country === other.country;
}

function addTo(same: Used, observed: Used): void {
  same.at = observed.at;
  same.about = observed.about;
  if (same.what === "used" && observed.what === "used") same.count += observed.count;
}

function shardOf(key: string): number {
  hashToken(key);
  return tokenHash.lo % DETECTOR_SHARDS;
}
