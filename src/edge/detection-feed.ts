import type { Logger } from "../platform/log.ts";
import { addressBlock } from "../protocol/address-block.ts";
import type { DetectionSubject } from "../protocol/detection.ts";
import type { Result } from "../protocol/result.ts";
import type { Observation, Report, SuspectRefusal } from "../remediation/observation.ts";
import { hashToken, tokenHash } from "../revocation/token-hash.ts";
import { usableUntil, type VerifiedToken } from "../tokens/claims.ts";
import type { Decision, Refusal, RefuseReason } from "./decision.ts";
import type { WaitUntil } from "./freshness.ts";
import { Later } from "./later.ts";
import { Notebook } from "./notebook.ts";
import { clientAddress, type ObservedAsk, type Observer, type Surface } from "./observation.ts";
import type { CloudflareFacts } from "./request-facts.ts";
import { placeOf, TokenSketch } from "./token-sketch.ts";

/** One shard of what watches; it takes a report once, by its id. */
export type DetectorPort = {
  observe(report: Report): Promise<Result<null>>;
};

export type DetectionFeedDeps = {
  shard: (shard: number) => DetectorPort;
  log: Logger;
  sleep: (ms: number) => Promise<void>;
};

/** What was noted is told so long after the first of it. */
export const TELL_AFTER_MS = 1_000;
const MAX_VALUE_CHARS = 200;

/** Refusals that can be a sign of something; others are everybody's. */
const SUSPECT: { readonly [reason in RefuseReason]?: SuspectRefusal } = {
  token_signature: "tampered",
  token_expired: "expired",
  token_revoked: "revoked",
  token_unknown_key: "unknown_key",
  scope_missing: "forbidden",
  role_missing: "forbidden",
  resource_not_granted: "forbidden",
};

/**
 * Tells detectors what this isolate sees of tokens: refusals that can be a sign of something, places that are new
 * for a token, and tokens that are used often. Told once a second, after a request and never before its answer. A
 * warm request costs a look into a map; what is kept is bounded, and what is over the bound is left out.
 */
export class DetectionFeed implements Observer {
  readonly #d: DetectionFeedDeps;
  readonly #sketch = new TokenSketch();
  readonly #notebook = new Notebook();
  /** Reports that may not have arrived, by shard: they are told once more. */
  readonly #untold = new Map<number, Report>();
  readonly #later: Later;

  constructor(deps: DetectionFeedDeps) {
    this.#d = deps;
    const { sleep } = deps;
    this.#later = new Later({ sleep, afterMs: TELL_AFTER_MS, work: (nowMs) => this.#tell(nowMs) });
  }

  decided(
    decision: Decision,
    ask: ObservedAsk,
    _decisionId: string,
    _surface: Surface,
    atMs: number,
    waitUntil: WaitUntil,
  ): void {
    if (decision.outcome === "refuse") {
      const why = SUSPECT[decision.reason];
      if (why) this.#refused(why, decision, ask, atMs, waitUntil);
    } else if (decision.token && decision.reason === "token") {
      const { token } = decision;
      const news = this.#sketch.use(token, clientAddress(ask), ask, atMs);
      if (news === undefined) return;
      if (news === "place") this.#seen(token, ask, atMs);
      this.#later.ask(atMs, waitUntil);
    }
  }

  #refused(
    why: SuspectRefusal,
    refused: Refusal,
    ask: ObservedAsk,
    atMs: number,
    waitUntil: WaitUntil,
  ): void {
    const { token, unverified, route } = refused;
    const address = clientAddress(ask);
    const at = Math.floor(atMs / 1000);
    const about: DetectionSubject = token ? subjectOf(token) : {};
    if (!token && unverified) {
      about.iss = unverified.iss;
      if (unverified.kid !== undefined) about.kid = unverified.kid;
    }
    if (route) about.route = route.id;
    if (address !== undefined) about.address = addressBlock(address);
    const observed: Observation & { what: "refused" } = { what: "refused", why, about, at, count: 1 };
    if (why === "unknown_key") observed.value = unverified?.kid ?? "";
    if (why === "forbidden") observed.value = what(refused).slice(0, MAX_VALUE_CHARS);
    if (why === "expired" && token) observed.late_seconds = Math.floor(atMs / 1000 - usableUntil(token));
    this.#notebook.note(observed);
    this.#later.ask(atMs, waitUntil);
  }

  #seen(token: VerifiedToken, ask: ObservedAsk, atMs: number): void {
    const address = clientAddress(ask);
    const place = placeOf(ask.cf as CloudflareFacts | undefined);
    if (address !== undefined) place.address_hash = numberFor(addressBlock(address));
    this.#notebook.note({ what: "seen", about: subjectOf(token), at: Math.floor(atMs / 1000), ...place });
  }

  async #tell(nowMs: number): Promise<void> {
    const at = Math.floor(nowMs / 1000);
    for (const { token, uses } of this.#sketch.takeUsed()) {
      this.#notebook.note({ what: "used", about: subjectOf(token), at, count: uses });
    }
    const { reports, leftOut } = this.#notebook.take(nowMs);
    if (leftOut > 0) this.#d.log("warn", "detections.left_out", { observations: leftOut });
    const again = [...this.#untold];
    this.#untold.clear();
    await Promise.all([
      ...again.map(([shard, report]) => this.#d.shard(shard).observe(report)),
      ...[...reports].map(([shard, report]) => this.#report(shard, report)),
    ]);
  }

  async #report(shard: number, report: Report): Promise<void> {
    const told = await this.#d.shard(shard).observe(report);
    if (!told.ok) this.#untold.set(shard, report);
  }
}

function numberFor(text: string): number {
  hashToken(text);
  return tokenHash.hi;
}

function subjectOf({ facts }: VerifiedToken): DetectionSubject {
  const { iss, sub, kid, jti, client_id, grant, session } = facts;
  const about: DetectionSubject = { iss, sub, kid };
  if (jti !== undefined) about.jti = jti;
  if (client_id !== undefined) about.client_id = client_id;
  if (grant !== undefined) about.grant = grant;
  if (session !== undefined) about.session = session;
  return about;
}

/** What was refused: of several resources behind one route, which. */
function what({ reason, route, resource }: Refusal): string {
  return reason === "resource_not_granted" ? `${route?.id} ${resource}` : `${route?.id}`;
}
