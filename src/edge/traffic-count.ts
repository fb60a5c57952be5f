import {
  AGE_BUCKETS_MS,
  countInto,
  type Histogram,
  newHistogram,
  TIME_BUCKETS_MS,
} from "../remediation/histogram.ts";
import { CONTROL, NO_ROUTE, type Outcome, type RefusedToken, type Tally } from "../remediation/traffic.ts";
import type { Tier } from "../revocation/receipt.ts";
import type { Allowance, Decision } from "./decision.ts";
import type { Surface } from "./observation.ts";

type Count = { n: number };
type OriginCount = { time: Histogram; faults: Map<string, Count> };

/** Tokens of one report that are told apart; what a second brings beyond that is one storm, whoever is in it. */
const MAX_TOKENS = 500;

/** What one isolate counts between two reports: bounded by the policy's names and by the reasons there are. */
export class TrafficCount {
  readonly #decisions = new Map<string, Map<string, Count>>();
  readonly #decided: Partial<Record<Outcome, Histogram>> = {};
  readonly #origins = new Map<string, OriginCount>();
  readonly #ages: Partial<Record<Tier, Histogram>> = {};
  readonly #tokens = new Map<string, RefusedToken>();

  decided(decision: Decision, surface: Surface): void {
    const { outcome, reason, route, tookMs } = decision;
    const name = route ? route.id : surface === "control" ? CONTROL : NO_ROUTE;
    let reasons = this.#decisions.get(name);
    if (!reasons) {
      reasons = new Map();
      this.#decisions.set(name, reasons);
    }
    countOne(reasons, reason);
    if (tookMs !== undefined) {
      this.#decided[outcome] ??= newHistogram(TIME_BUCKETS_MS);
      countInto(this.#decided[outcome], TIME_BUCKETS_MS, tookMs);
    }
    if (decision.outcome === "refuse") this.#refused(decision.token?.facts);
    else if (decision.replicaAgeMs !== undefined) {
      const { tier } = decision.route.consistency;
      this.#ages[tier] ??= newHistogram(AGE_BUCKETS_MS);
      countInto(this.#ages[tier], AGE_BUCKETS_MS, decision.replicaAgeMs);
    }
  }

  answered({ route }: Allowance, fault: string | undefined, originMs: number): void {
    let origin = this.#origins.get(route.origin);
    if (!origin) {
      origin = { time: newHistogram(TIME_BUCKETS_MS), faults: new Map() };
      this.#origins.set(route.origin, origin);
    }
    countInto(origin.time, TIME_BUCKETS_MS, originMs);
    if (fault !== undefined) countOne(origin.faults, fault);
  }

  /** In the form of a report; what the caches and records count is not known here. */
  taken(): { tally: Omit<Tally, "cache" | "unrecorded">; tokens: RefusedToken[] } {
    return {
      tally: {
        decisions: Object.fromEntries(Array.from(this.#decisions, ([name, counts]) => [name, plain(counts)])),
        decided: this.#decided,
        origins: Object.fromEntries(
          Array.from(this.#origins, ([name, { time, faults }]) => [name, { time, faults: plain(faults) }]),
        ),
        ages: this.#ages,
      },
      tokens: [...this.#tokens.values()],
    };
  }

  #refused(facts: { iss: string; jti?: string } | undefined): void {
    if (facts?.jti === undefined) return;
    const { iss, jti } = facts;
    const key = `${iss} ${jti}`;
    const known = this.#tokens.get(key);
    if (known) known.refused++;
    else if (this.#tokens.size < MAX_TOKENS) this.#tokens.set(key, { iss, jti, refused: 1 });
  }
}

function countOne(counts: Map<string, Count>, what: string): void {
  const count = counts.get(what);
  if (count) count.n++;
  else counts.set(what, { n: 1 });
}

function plain(counts: Map<string, Count>): { [name: string]: number } {
  return Object.fromEntries(Array.from(counts, ([name, { n }]) => [name, n]));
}
