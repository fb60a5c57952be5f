import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { AccessRequest, Transition } from "./access-request.ts";
import { type AccessEvent, ALERT } from "./access-request-effects.ts";
import type { AccessRequestStore } from "./access-request-store.ts";
import { nextChange, onTime, passTime } from "./agenda.ts";
import { accessNotes } from "./audit-notes.ts";
import { grantRevocation } from "./grant.ts";
import { presentRequest } from "./present.ts";
import type { ReviewInput } from "./round.ts";

type LedgerOptions = {
  store: AccessRequestStore;
  durable: Durable;
  clock: Clock;
  /** Called after each commit. */
  onChange: () => void;
};

/** The one place where an access request changes: state, event rows and effects, in one transaction. */
export class AccessRequestLedger {
  readonly #o: LedgerOptions;

  constructor(options: LedgerOptions) {
    this.#o = options;
  }

  /** A change on top of what time has changed; undefined where there is no request. */
  change(
    change: (request: AccessRequest, now: number) => Result<Transition>,
  ): Result<AccessRequest> | undefined {
    const known = this.#o.store.read();
    if (!known) return undefined;
    const now = this.#now();
    const changed = onTime(known.request, (request) => change(request, now), now);
    if (!changed.ok) return changed;
    return ok(changed.value.request === known.request ? known.request : this.commit(changed.value));
  }

  commit({ request, events }: Transition): AccessRequest {
    const { store, durable, clock, onChange } = this.#o;
    const nowMs = clock();
    durable.commit((note) => {
      const before = store.read()?.request;
      store.write(request);
      durable.outbox.put({ id: "directory", lane: "directory", kind: "directory.put", payload: null });
      if (!before?.grant?.revoked) this.#putRevocation(request);
      for (const type of events) this.#putEvent(type, request, nowMs);
      for (const each of accessNotes(before, request, events)) note(each);
    });
    onChange();
    return request;
  }

  /** A review that came signed or by a link; one that came with an access token is recorded as a refused call. */
  noteRefusedReview({ approver, via, id }: ReviewInput): void {
    const request = this.#o.store.read()?.request;
    if (!request || via === undefined) return;
    const about = request.requester.subject;
    const data = { access_request: request.id, review: id };
    this.#o.durable.commit((note) =>
      note({ type: "access_request.review_refused", by: approver, about, data }),
    );
  }

  /** Tells what time alone has changed. */
  passTime(): void {
    const request = this.#o.store.read()?.request;
    if (!request) return;
    const passed = passTime(request, this.#now());
    if (passed.events.length) this.commit(passed);
  }

  nextDueMs(): number | undefined {
    const request = this.#o.store.read()?.request;
    const next = request && nextChange(request);
    return next === undefined ? undefined : next * 1000;
  }

  #putEvent(type: AccessEvent["type"], request: AccessRequest, nowMs: number): void {
    const id = newId("evt", nowMs);
    this.#o.store.addEvent(id, type, epochSeconds(nowMs));
    const data = { access_request: presentRequest(request, epochSeconds(nowMs)) };
    const payload: AccessEvent = { id, type, timestamp: new Date(nowMs).toISOString(), data };
    const { outbox } = this.#o.durable;
    const [lane, kind] = type === ALERT ? ["alert", "webhook.alert"] : ["events", "webhook.publish"];
    outbox.put({ id, lane, kind, payload });
    if (type !== ALERT) return;
    // A token waits for the alert, and not for this.
    outbox.put({ id: `${id}:detect`, lane: "detection", kind: "event.detect", payload });
  }

  #putRevocation({ grant }: AccessRequest): void {
    if (!grant?.revoked) return;
    const rule = grantRevocation(grant, grant.revoked);
    const payload = { id: rule.id, kind: "revocation.added", rule };
    this.#o.durable.outbox.put({ id: rule.id, lane: "log", kind: "log.append", payload });
  }

  #now(): number {
    return epochSeconds(this.#o.clock());
  }
}
