import type { Decision, RefuseReason } from "../../src/edge/decision.ts";
import { DetectionFeed } from "../../src/edge/detection-feed.ts";
import { DEFAULT_REMEDIATION_RULES } from "../../src/policy/default-remediation.ts";
import { DEFAULT_DETECTIONS, type DetectionPolicy } from "../../src/policy/detection-policy.ts";
import type { RemediationRule } from "../../src/policy/remediation-schema.ts";
import type { Detection } from "../../src/protocol/detection.ts";
import { problem } from "../../src/protocol/problem.ts";
import { err, ok } from "../../src/protocol/result.ts";
import { Detector } from "../../src/remediation/detector.ts";
import type { Report } from "../../src/remediation/observation.ts";
import { replayed } from "../../src/remediation/replay.ts";
import type { TokenFacts } from "../../src/revocation/rule.ts";
import type { UnverifiedIds, VerifiedToken } from "../../src/tokens/verify.ts";

export const ISS = "https://auth.example.com";
export const START_MS = 1_800_000_000_000;

/** What follows from one waking is done after so many turns of the queue of promises; a timer would take longer. */
const TURNS = 20;

/** Where a request comes from, as Cloudflare tells it. */
export type From = { address?: string; cf?: object };

/** One request as observers are told of it. */
export type SeenRequest = From & {
  atMs: number;
  token?: VerifiedToken;
  /** Absent: it was allowed. */
  refused?: RefuseReason;
  unverified?: UnverifiedIds;
  route?: string;
  resource?: string;
};

export function verifiedToken(facts: Partial<TokenFacts>, expiresAtMs: number): VerifiedToken {
  const sub = facts.sub ?? "login|ann";
  return {
    facts: { iss: ISS, sub, subject: sub, iat: START_MS / 1000, kid: "own-1", ...facts },
    ...{ own: true, audience: [], scopes: [], roles: [], resources: [] },
    expiresAt: expiresAtMs / 1000,
    key: {} as CryptoKey,
  };
}

/** Isolates that observe, and the shards that they tell, in virtual time. */
export class DetectionWorld {
  nowMs = START_MS;
  readonly detections: Detection[] = [];
  readonly lines: { event: string; fields: object | undefined }[] = [];
  /** Reports that shards took, and whether they answer at all. */
  reports: { shard: number; id: string; observations: number }[] = [];
  shardsDown = false;
  readonly #detectors = new Map<number, Detector>();
  readonly #feeds: DetectionFeed[];
  #sleeping: { untilMs: number; wake: () => void }[] = [];

  constructor(isolates = 1, policy: DetectionPolicy = DEFAULT_DETECTIONS) {
    const sleep = (ms: number) =>
      new Promise<void>((wake) => void this.#sleeping.push({ untilMs: this.nowMs + ms, wake }));
    const detectorOf = (shard: number) => {
      const detector = this.#detectors.get(shard) ?? new Detector(policy);
      this.#detectors.set(shard, detector);
      return detector;
    };
    const taken = new Set<string>();
    const shard = (n: number) => ({
      observe: async ({ id, isolate, observations }: Report) => {
        this.reports.push({ shard: n, id, observations: observations.length });
        if (this.shardsDown) return err(problem("unavailable", "The shard is down."));
        if (!taken.has(id))
          this.detections.push(...detectorOf(n).observe(structuredClone(observations), isolate));
        taken.add(id);
        return ok(null);
      },
    });
    const log = (_level: string, event: string, fields?: object) => void this.lines.push({ event, fields });
    this.#feeds = Array.from({ length: isolates }, () => new DetectionFeed({ shard, log, sleep }));
  }

  /** What was detected, in short. */
  get kinds(): string[] {
    return this.detections.map(({ kind }) => kind);
  }

  /** What rules do about it, each in its order, the first hundred; what leaves a mere record is no action. */
  actions(rules: readonly RemediationRule[] = DEFAULT_REMEDIATION_RULES) {
    const acting = rules.filter((rule) => rule.actions.some(({ kind }) => kind !== "count"));
    const issuers = { own: ISS, ids: new Map<string, string>() };
    return replayed(this.detections, acting, new Map(), issuers).firings.map(
      ({ rule_id, outcome, detection_id }) => {
        const { about } = this.detections.find(({ id }) => id === detection_id)!;
        return { rule_id, outcome, about };
      },
    );
  }

  request(seen: Omit<SeenRequest, "atMs">, isolate = 0): void {
    const { address, cf, token, refused, unverified, resource } = seen;
    const headers = { get: (name: string) => (name === "cf-connecting-ip" ? (address ?? null) : null) };
    const route = { id: seen.route ?? "orders" };
    const decision = refused
      ? { outcome: "refuse", reason: refused, route, token, unverified, resource }
      : { outcome: "allow", reason: "token", route, token };
    const feed = this.#feeds[isolate % this.#feeds.length]!;
    const background = (work: Promise<unknown>) => void work;
    feed.decided(
      decision as Decision,
      { method: "GET", headers, cf },
      "dec_1",
      "proxy",
      this.nowMs,
      background,
    );
  }

  /** Lets time pass; what isolates have to tell is told in it. */
  async passTo(atMs: number): Promise<void> {
    for (;;) {
      const due = this.#sleeping.filter(({ untilMs }) => untilMs <= atMs);
      if (due.length === 0) break;
      this.#sleeping = this.#sleeping.filter((each) => !due.includes(each));
      for (const { untilMs, wake } of due.sort((a, b) => a.untilMs - b.untilMs)) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        wake();
      }
      for (let turn = 0; turn < TURNS; turn++) await undefined;
    }
    this.nowMs = Math.max(this.nowMs, atMs);
  }

  pass(ms: number): Promise<void> {
    return this.passTo(this.nowMs + ms);
  }

  /** Lives through requests in their order, each at an isolate of its choice, and the seconds after the last. */
  async live(requests: readonly SeenRequest[], isolateOf: (n: number) => number = (n) => n): Promise<void> {
    for (const [n, request] of requests.entries()) {
      if (this.#sleeping.some(({ untilMs }) => untilMs <= request.atMs)) await this.passTo(request.atMs);
      this.nowMs = Math.max(this.nowMs, request.atMs);
      this.request(request, isolateOf(n));
    }
    await this.pass(5_000);
  }
}
