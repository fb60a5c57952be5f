import { newId } from "../platform/ids.ts";
import { type Observation, observedKey, type Report } from "../remediation/observation.ts";
import { hashToken, tokenHash } from "../revocation/token-hash.ts";

/** As many shards as there are, whatever the number of isolates; another number loses what is being counted. */
export const DETECTOR_SHARDS = 16;
/** What is noted for one report at most, and how much of that may be news of places, so that the rest has room. */
export const MAX_NOTED = 2_000;
export const MAX_PLACES_NOTED = 1_500;

/** What an isolate has seen and has not told yet: equal observations once, with their number. Bounded. */
export class Notebook {
  #noted = new Map<string, Observation>();
  #places = 0;
  #leftOut = 0;
  #isolate: string | undefined;

  note(observed: Observation): void {
    const key = observedKey(observed);
    if (key === undefined) return;
    const name = `${observed.what} ${distinction(observed)} ${key}`;
    const same = this.#noted.get(name);
    if (same) {
      addTo(same, observed);
      return;
    }
    const isPlace = observed.what === "seen";
    if (this.#noted.size >= MAX_NOTED || (isPlace && this.#places >= MAX_PLACES_NOTED)) {
      this.#leftOut++;
      return;
    }
    if (isPlace) this.#places++;
    this.#noted.set(name, observed);
  }

  /** What is to be told, by shard, and how many observations had no room. */
  take(nowMs: number): { reports: Map<number, Report>; leftOut: number } {
    const reports = new Map<number, Report>();
    // Randomness is for requests only, and this is made before the first of them.
    this.#isolate ??= newId("rpt", nowMs);
    for (const observed of this.#noted.values()) {
      const shard = shardOf(observedKey(observed)!);
      const report = reports.get(shard) ?? {
        id: newId("rpt", nowMs),
        isolate: this.#isolate,
        observations: [],
      };
      report.observations.push(observed);
      reports.set(shard, report);
    }
    const leftOut = this.#leftOut;
    this.#noted = new Map();
    this.#places = 0;
    this.#leftOut = 0;
    return { reports, leftOut };
  }
}

/** What tells it from others of the same kind and key. */
function distinction(observed: Observation): string {
  if (observed.what === "seen") return `${observed.address_hash} ${observed.country}`;
  return observed.what === "used" ? "" : `${observed.why} ${observed.value ?? ""}`;
}

function addTo(same: Observation, observed: Observation): void {
  same.at = observed.at;
  same.about = observed.about;
  if (same.what !== "seen" && observed.what !== "seen") same.count += observed.count;
}

function shardOf(key: string): number {
  hashToken(key);
  return tokenHash.lo % DETECTOR_SHARDS;
}
