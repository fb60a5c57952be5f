import type { TakeNote } from "../platform/audit-outbox.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import type { KeyPurpose, PublicKeyRecord } from "../protocol/jwk.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import { defaultExpiry, type Revocation } from "../revocation/rule.ts";
import { compromisedEvent } from "./key-event.ts";
import {
  afterCompromise,
  afterStep,
  earliestStep,
  inState,
  keyState,
  PURPOSES,
  type Step,
} from "./key-ring.ts";
import type { KeySettings } from "./key-settings.ts";
import {
  type KeyInfo,
  type KeyReplacement,
  keyInfo,
  keyNote,
  type OverdueRotation,
  overdueRotations,
  type PlannedRotation,
  plannedRotation,
} from "./key-view.ts";
import type { KeyringStore, SigningKeyRow } from "./keyring-store.ts";
import type { WrappedKeys } from "./wrapped-keys.ts";

/** All keys that verify, and where one was compromised, the rule that denies what it signed. */
export type KeysEntry = { id: string; kind: "keys.changed"; keys: PublicKeyRecord[]; rule?: Revocation };

export type KeyLifecycleOptions = {
  clock: Clock;
  log: Logger;
  store: KeyringStore;
  durable: Pick<Durable, "commit" | "flush" | "outbox">;
  keys: WrappedKeys;
  settings: KeySettings;
  append(entry: KeysEntry): Promise<Result<Receipt>>;
};

/** Who replaces a compromised key, and why; `id` is that of the revocation. */
export type Replacement = { id: string; kid: string; actor: string; reason: string };

const LANE = "log";
/** Keys that are over stay listed this long. */
const HISTORY_SECONDS = 90 * 86_400;
/** Make, promote and retire for each purpose, and some: a fault of the plan must not become a loop. */
const MAX_STEPS_AT_ONCE = 20;

/** Makes, publishes, changes and ends the signing keys, by the plan of `key-ring.ts` and on an operator's word. */
export class KeyLifecycle {
  readonly #o: KeyLifecycleOptions;

  constructor(options: KeyLifecycleOptions) {
    this.#o = options;
  }

  /**
   * The key that signs for a purpose: made on first use, known to the log, changed in time. Where its change
   * is overdue for longer than the policy allows, nothing is signed.
   */
  async signingKey(purpose: KeyPurpose): Promise<Result<SigningKeyRow>> {
    if (!this.#current(purpose)) await this.#makeFirst(purpose);
    if (this.#dueStep()) await this.advance();
    if (this.#stopped(purpose)) {
      // A deployment that slept for long makes up for it here: the next key signs as soon as the log has it.
      await this.#o.durable.flush(LANE);
      await this.advance();
      const overdue = this.#stopped(purpose);
      if (overdue) return err(issuingStopped(overdue));
    }
    if (this.#current(purpose)?.publishedAt === undefined) await this.#o.durable.flush(LANE);
    const key = this.#current(purpose);
    if (key?.publishedAt === undefined) {
      const detail = "The new signing key is not yet published to the log. Try again shortly.";
      return err(problem("unavailable", detail));
    }
    return ok(key);
  }

  /** The rotation that is overdue for longer than the policy allows. */
  #stopped(purpose: KeyPurpose): OverdueRotation | undefined {
    const now = this.#now();
    return this.overdue().find((each) => each.purpose === purpose && each.issuing_stops_at <= now);
  }

  nextDueMs(): number | undefined {
    const at = earliestStep(this.#o.store.living(), this.#o.settings.periods)?.at;
    return at === undefined ? undefined : at * 1000;
  }

  /** Does what time demands. */
  async advance(): Promise<void> {
    for (let steps = 0; steps < MAX_STEPS_AT_ONCE; steps++) {
      const step = this.#dueStep();
      if (!step) return;
      if (step.kind === "make") await this.#makeNext(step.purpose, false);
      else this.#carryOut(step);
    }
    throw new Error("the key ring's plan does not come to an end");
  }

  list(): KeyInfo[] {
    const ring = this.#o.store.all();
    return ring.map((key) => keyInfo(key, ring, this.#o.settings.periods));
  }

  overdue(): OverdueRotation[] {
    return overdueRotations(this.#o.store.living(), this.#o.settings.periods, this.#now());
  }

  /**
   * A planned rotation now: a next key that was published long enough signs at once, another as soon as it was.
   * The same id again answers what the first call did.
   */
  async rotate(id: string): Promise<Result<PlannedRotation>> {
    const { store, settings, durable } = this.#o;
    const last = store.setting<{ id: string; done: PlannedRotation }>("last_rotation");
    if (last?.id === id) return ok(last.done);
    await settings.adopt();
    const before = new Map<KeyPurpose, string>();
    for (const purpose of PURPOSES) {
      const key = await this.signingKey(purpose);
      if (!key.ok) return key;
      before.set(purpose, key.value.kid);
      await this.#expedite(purpose);
    }
    await durable.flush(LANE);
    await this.advance();
    const done = plannedRotation(store.living(), before, settings.periods);
    durable.commit((note) => {
      store.setSetting("last_rotation", { id, done });
      note({ type: "key.rotation_requested", data: { rotation: id } });
    });
    return ok(done);
  }

  /** Replaces a compromised key and denies what it signed: one entry of the log. Repeated, it answers the same. */
  async replace({ id, kid, actor, reason }: Replacement): Promise<Result<KeyReplacement>> {
    const found = this.#o.store.find(kid);
    const fault = found ? unreplaceable(found) : problem("not_found", `There is no signing key ${kid}.`);
    if (fault) return err(fault);
    if (found && keyState(found) !== "compromised") {
      await this.#o.settings.adopt();
      const made = await this.#newKey(found.purpose);
      this.#o.durable.commit((note) => this.#compromise({ id, kid, actor, reason }, made, note));
    }
    const { revocationId, receipt: known, purpose } = this.#o.store.find(kid)!;
    if (!known) await this.#o.durable.flush(LANE);
    const receipt = this.#o.store.find(kid)?.receipt;
    if (!receipt) {
      const detail = `The key ${kid} is replaced, and nothing is signed with it any more. The log does not answer, so the edges do not know yet: it takes effect when the log does (${revocationId}), without another call.`;
      return err(problem("unavailable", detail));
    }
    const current = this.#current(purpose)?.kid;
    return ok({ compromised_kid: kid, ...(current === undefined ? {} : { kid: current }), receipt });
  }

  /** The delivery of a row of {@link KeysEntry}. */
  async publish(row: OutboxRow): Promise<void> {
    const entry = row.payload as KeysEntry;
    const receipt = await this.#o.append(entry);
    if (!receipt.ok) throw new Error(receipt.error.detail);
    this.#o.store.markPublished(
      entry.keys.map((key) => key.kid),
      this.#now(),
    );
    if (entry.rule) this.#o.store.saveReceipt(entry.rule.id, receipt.value);
  }

  #current(purpose: KeyPurpose): SigningKeyRow | undefined {
    return inState(this.#o.store.living(), purpose, "current");
  }

  #dueStep(): Step | undefined {
    const planned = earliestStep(this.#o.store.living(), this.#o.settings.periods);
    return planned && planned.at <= this.#now() ? planned.step : undefined;
  }

  async #makeFirst(purpose: KeyPurpose): Promise<void> {
    await this.#o.settings.adopt();
    const made = await this.#newKey(purpose);
    // Two first uses may both come this far: the one that commits first has made the key.
    if (this.#current(purpose)) return;
    this.#o.durable.commit((note) => {
      this.#o.store.save({ ...made, signsFrom: this.#now() });
      note(keyNote("key.created", made));
      this.#tellLog();
    });
  }

  async #makeNext(purpose: KeyPurpose, expedited: boolean): Promise<void> {
    const made = await this.#newKey(purpose);
    if (inState(this.#o.store.living(), purpose, "next")) return;
    this.#o.durable.commit((note) => {
      this.#o.store.save({ ...made, expedited });
      note(keyNote("key.created", made));
      this.#tellLog();
    });
  }

  /** Sees to it that a next key is there that signs as soon as it may, of the algorithm that is asked for now. */
  async #expedite(purpose: KeyPurpose): Promise<void> {
    const next = inState(this.#o.store.living(), purpose, "next");
    if (next && next.publicJwk.alg === this.#o.settings.current.algorithm) {
      this.#o.durable.commit(() => this.#o.store.save({ ...next, expedited: true }));
      return;
    }
    if (next) {
      this.#o.durable.commit((note) => {
        this.#o.store.delete(next.kid);
        note(keyNote("key.discarded", next));
      });
    }
    await this.#makeNext(purpose, true);
  }

  #newKey(purpose: KeyPurpose): Promise<SigningKeyRow> {
    const { keys, settings } = this.#o;
    return keys.make(purpose, settings.current.algorithm, this.#now());
  }

  #carryOut(step: Step): void {
    const now = this.#now();
    this.#o.durable.commit((note) => {
      for (const key of afterStep(this.#o.store.living(), step, now)) {
        this.#saveEnding(key);
        if ("kid" in step && key.kid === step.kid) note(keyNote(`key.${step.kind}d`, key));
      }
      this.#o.store.deleteEndedBefore(now - HISTORY_SECONDS);
      // A promotion changes nothing for those who verify.
      if (step.kind === "retire") this.#tellLog();
    });
    this.#o.log("info", `key.${step.kind}`, "kid" in step ? { kid: step.kid } : {});
  }

  /** A key that signs no more needs no private half. */
  #saveEnding({ privateSealed, ...key }: SigningKeyRow): void {
    const signing = keyState(key) === "current" || keyState(key) === "next";
    this.#o.store.save(signing && privateSealed !== undefined ? { ...key, privateSealed } : key);
  }

  #compromise({ id, kid, actor, reason }: Replacement, made: SigningKeyRow, note: TakeNote): void {
    const { store } = this.#o;
    const now = this.#now();
    const { save, forget } = afterCompromise(store.living(), kid, made, now);
    // Another call may have come first while the new key was made.
    if (save.length === 0) return;
    for (const key of save) this.#saveEnding(key.kid === kid ? { ...key, revocationId: id } : key);
    for (const forgotten of forget) store.delete(forgotten);
    const compromised = save.find((key) => key.kid === kid)!;
    note({ ...keyNote("key.compromised", compromised, id), by: actor, reason });
    for (const key of save) if (key !== compromised) note(keyNote("key.created", key));
    const match = { kid };
    const ends = defaultExpiry(match, now, now);
    this.#tellLog({
      ...{ id, match, reason, actor, created_at: now, emergency: true },
      ...(ends === undefined ? {} : { expires_at: ends }),
    });
    const { purpose } = made;
    const told = { purpose, kid, revocation: id, actor, reason };
    const nowMs = this.#o.clock();
    this.#o.durable.outbox.put(compromisedEvent(told, newId("evt", nowMs), nowMs));
    this.#o.log("warn", "key.compromised", { kid, purpose, revocation: id });
  }

  /** Called within the transaction that changes the ring. */
  #tellLog(rule?: Revocation): void {
    const keys = this.#o.store
      .living()
      .map(({ kid, purpose, publicJwk }) => ({ kid, purpose, jwk: publicJwk }));
    const id = rule?.id ?? newId("log", this.#o.clock());
    const payload: KeysEntry = { id, kind: "keys.changed", keys, ...(rule ? { rule } : {}) };
    this.#o.durable.outbox.put({ id, lane: LANE, kind: "log.append", payload });
  }

  #now(): number {
    return epochSeconds(this.#o.clock());
  }
}

function unreplaceable(key: SigningKeyRow) {
  if (keyState(key) !== "retired") return undefined;
  return problem("gone", `The key ${key.kid} is retired: nothing that it signed is accepted any more.`);
}

function issuingStopped({ purpose, kid, due_at }: OverdueRotation) {
  const due = new Date(due_at * 1000).toISOString();
  const detail = `Nothing is signed for the purpose ${purpose}: the key ${kid} should have been replaced at ${due}, and the policy's keys.overdue_grace_seconds are over. The rotation goes on by itself once the log takes the next key; readyz says what it waits for.`;
  return problem("unavailable", detail);
}
