import type { TakeNote } from "../platform/audit-outbox.ts";
import type { Durable } from "../platform/durable.ts";
import type { Logger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import type { RemediationRule } from "../policy/remediation-schema.ts";
import type { Detection } from "../protocol/detection.ts";
import type { Json } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import type { MonitorNote } from "./monitor-object.ts";
import { type Cuts, remediate, type Verdict } from "./remediate.ts";
import {
  type Act,
  type Effect,
  enact,
  firing,
  isUndoable,
  type NewId,
  notifies,
  present,
  type Remediation,
  undo,
} from "./remediation.ts";
import { remediationNote } from "./remediation-note.ts";
import type { Outcome, RemediationStore } from "./remediation-store.ts";
import type { Issuers } from "./target.ts";

/** What a detection is judged by. */
export type Situation = {
  rules: readonly RemediationRule[];
  issuers: Issuers;
  cuts: Cuts;
  /** A firing that would cut more live tokens than this, and was held, needs two persons. */
  confirmAbove: number;
};

/** An effect as its outbox row has it. */
export type OwedEffect = Effect & { remediation_id: string; by?: string; reason?: string };

export type RemediationBookOptions = {
  store: RemediationStore;
  durable: Pick<Durable, "commit" | "outbox">;
  log: Logger;
  nowMs: () => number;
  newId: (prefix: "evt" | Parameters<NewId>[0]) => string;
};

type Ending = { by: string; reason: string };

/** Detections and what is done about them, as people handle it: each step is one commit. */
export class RemediationBook {
  readonly #o: RemediationBookOptions;

  constructor(options: RemediationBookOptions) {
    this.#o = options;
  }

  /** Keeps a detection, once for each id, with what the rules make of it. */
  take(detection: Detection, situation: Situation): void {
    const { store, durable } = this.#o;
    if (store.detection(detection.id)) return;
    const now = this.#now();
    const { rules, cuts, issuers } = situation;
    durable.commit((note) => {
      const verdicts = remediate(detection, rules, store, cuts, issuers, now);
      const outcomes = verdicts.map((verdict) => this.#apply(verdict, detection, situation, note));
      store.insertDetection(detection, outcomes, now);
      if (outcomes.length > 0) durable.outbox.put(countsRow(detection.id, outcomes));
    });
  }

  /** Takes a firing back as far as it can be taken back, or gives one up that was held. A repeat answers the same. */
  undo(id: string, ending: Ending): Result<Remediation> {
    const { store } = this.#o;
    const known = store.remediation(id);
    if (!known) return notFound(id);
    const ended = { at: this.#now(), ...ending };
    if (known.state === "undone" || known.state === "dismissed") return ok(known);
    if (known.state === "shadow") return err(problem("conflict", "A firing in the shadow has done nothing."));
    if (known.state === "held") return ok(this.#commit({ ...known, state: "dismissed", ended }, [], ending));
    if (!isUndoable(known)) {
      const detail =
        "Nothing of this can be taken back: what was counted or sent stays so, and a rotation goes on.";
      return err(problem("conflict", detail));
    }
    const { remediation, effects } = undo(known, ended, this.#o.newId);
    return ok(this.#commit(remediation, effects, ending, "remediation.undone"));
  }

  /** Lets a firing go ahead that the cap has held. Where two persons are needed, it waits for the second. */
  confirm(id: string, actor: string, comment?: string): Result<Remediation> {
    const known = this.#o.store.remediation(id);
    if (!known) return notFound(id);
    const { held } = known;
    if (!held) return err(problem("conflict", `This firing is ${known.state}: it waits for nobody.`));
    const has = held.confirmations.some((each) => each.actor === actor);
    if (known.state === "acted" && has) return ok(known);
    if (known.state !== "held") return err(problem("conflict", `This firing is ${known.state} already.`));
    if (held.until <= this.#now()) {
      return err(
        problem("gone", "Nobody confirmed this in time. Revoke by hand what is still to be revoked."),
      );
    }
    if (has) return err(problem("forbidden", "You have confirmed this: another person has to as well."));
    const confirmation = { actor, at: this.#now(), ...(comment === undefined ? {} : { comment }) };
    const confirmations = [...held.confirmations, confirmation];
    const next: Remediation = { ...known, held: { ...held, confirmations } };
    if (confirmations.length < held.needed) return ok(this.#commit(next, []));
    const { remediation, effects } = enact(next, this.#now(), this.#o.newId);
    return ok(
      this.#commit(remediation, effects, {}, notifies(remediation) ? "remediation.acted" : undefined),
    );
  }

  /** Keeps what came of an effect. */
  note(remediationId: string, index: number, change: Partial<Act>): void {
    const { store } = this.#o;
    const known = store.remediation(remediationId);
    // Forgotten meanwhile: what it did stands.
    if (!known) return;
    const acts = known.acts.map((act, i) => (i === index ? { ...act, ...change } : act));
    store.putRemediation({ ...known, acts });
  }

  /** Called within the transaction that keeps the detection. */
  #apply(verdict: Verdict, detection: Detection, { confirmAbove }: Situation, note: TakeNote): Outcome {
    const { store, log, newId } = this.#o;
    const { rule, group, outcome } = verdict;
    store.insertMatch(rule.id, group, this.#now());
    if (outcome === "over_hourly_limit") {
      log("error", "remediation.over_hourly_limit", { rule: rule.id, detection: detection.id });
    }
    if (outcome !== "acted" && outcome !== "held" && outcome !== "shadow")
      return { rule_id: rule.id, outcome };
    const fired = firing(verdict, detection, confirmAbove, this.#now(), newId);
    if (outcome === "acted") {
      const { remediation, effects } = enact(fired, this.#now(), newId);
      this.#put(remediation, effects, {}, notifies(remediation) ? "remediation.acted" : undefined);
      note(remediationNote(remediation));
    } else {
      this.#put(fired, [], {}, outcome === "held" ? "remediation.held" : undefined);
    }
    if (outcome === "held") {
      note(remediationNote(fired));
      log("error", "remediation.held", { id: fired.id, rule: rule.id, would_cut: fired.would_cut });
    }
    return { rule_id: rule.id, outcome, remediation_id: fired.id };
  }

  #commit(
    remediation: Remediation,
    effects: readonly Effect[],
    why: Partial<Ending> = {},
    event?: EventType,
  ): Remediation {
    this.#o.durable.commit((note) => {
      this.#put(remediation, effects, why, event);
      note(remediationNote(remediation));
    });
    return remediation;
  }

  #put(remediation: Remediation, effects: readonly Effect[], why: Partial<Ending>, event?: EventType): void {
    const { store, durable } = this.#o;
    store.putRemediation(remediation);
    for (const effect of effects) durable.outbox.put(effectRow(remediation.id, effect, why));
    if (event) durable.outbox.put(this.#eventRow(event, remediation));
  }

  #eventRow(type: EventType, remediation: Remediation): OutboxRow {
    const id = this.#o.newId("evt");
    const timestamp = new Date(this.#o.nowMs()).toISOString();
    const shown = present(remediation, this.#now());
    const payload: WebhookEvent & { type: EventType } = {
      ...{ id, type, timestamp },
      data: { remediation: shown as unknown as Json },
    };
    return { id, lane: "events", kind: "webhook.publish", payload };
  }

  #now(): number {
    return Math.floor(this.#o.nowMs() / 1000);
  }
}

function effectRow(remediationId: string, effect: Effect, why: Partial<Ending>): OutboxRow {
  const payload: OwedEffect = { ...effect, remediation_id: remediationId, ...why };
  const id = effect.kind === "revoke" ? effect.rule.id : effect.id;
  return { id, lane: effect.lane, kind: `remedy.${effect.kind}`, payload };
}

/** For metrics: what the rules made of one detection. */
function countsRow(detectionId: string, outcomes: readonly Outcome[]): OutboxRow {
  const counters = Object.fromEntries(
    outcomes.map(({ rule_id, outcome }) => [
      `portcullis_remediations_total{rule="${rule_id}",outcome="${outcome}"}`,
      1,
    ]),
  );
  const payload: MonitorNote = { counters };
  return { id: `counts:${detectionId}`, lane: "monitor", kind: "monitor.note", payload };
}

function notFound(id: string): Result<never> {
  return err(problem("not_found", `There is no remediation ${id}.`));
}
