import { type Config, readConfig } from "../config.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type Claimed, Courier } from "./courier.ts";
import { type AttemptOutcome, deliveryId, KEEP_MS, MAX_REDELIVERED, MAX_WAITING } from "./delivery.ts";
import { DeliveryLog, type DeliveryPage, type DeliveryQuery, type DeliveryView } from "./delivery-log.ts";
import { DELIVERY_SCHEMA, DeliveryStore } from "./delivery-store.ts";
import type { EndpointConfig, RegistryPort } from "./endpoint.ts";
import { disabledEvent, failingEvent } from "./endpoint-event.ts";
import type { EventType, WebhookEvent } from "./event.ts";
import { Outgoing } from "./outgoing.ts";
import { publishEvent, publishPorts, type Redelivered } from "./publish.ts";
import { EndpointRewrapper } from "./rewrap-endpoint.ts";

const REMOVED = problem("gone", "The endpoint was deleted.");
const DISABLED = problem("conflict", "The endpoint is disabled. Enable it, then redeliver.");

/**
 * One webhook endpoint: its queue of deliveries, their attempts and its dead letters. Deliveries are tried
 * right after they are committed and again by the alarm; their order is not promised.
 */
export class EndpointObject extends CausedObject {
  readonly #durable: Durable;
  readonly #store: DeliveryStore;
  readonly #log: DeliveryLog;
  readonly #config: Result<Config, string[]>;
  readonly #outgoing: Outgoing;
  readonly #rewrapper: EndpointRewrapper;
  readonly #courier: Courier;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#config = readConfig(env);
    this.#outgoing = new Outgoing(env, systemClock);
    this.#rewrapper = new EndpointRewrapper(env);
    this.#durable = new Durable(ctx, {
      clock: systemClock,
      log: consoleLogger,
      migrations: [DELIVERY_SCHEMA],
      deliver: {
        "endpoint.gone": () => this.#tellRegistry(),
        "webhook.publish": (row) =>
          publishEvent(row.payload as WebhookEvent & { type: EventType }, publishPorts(env)),
      },
      nextDueMs: () => this.#store.nextDueMs(KEEP_MS),
      onDue: (nowMs) => this.#onDue(nowMs),
    });
    this.#store = new DeliveryStore(this.#durable.sql);
    this.#log = new DeliveryLog(this.#durable.sql);
    this.#courier = new Courier({
      store: this.#store,
      durable: this.#durable,
      clock: systemClock,
      log: consoleLogger,
      send: (claimed) => this.#send(claimed),
      onGone: (endpoint, nowMs) => this.#disable(endpoint, nowMs),
      onExhausted: ({ id }, nowMs) => this.#durable.outbox.put(failingEvent(id, nowMs)),
    });
  }

  /**
   * Accepts one event for delivery, idempotent by its id. It is a dead letter at once where the endpoint is
   * disabled or has `MAX_WAITING` deliveries that wait already.
   */
  enqueue(config: EndpointConfig, event: WebhookEvent): Result<{ delivery_id: string }> {
    const result = this.#durable.commit((): Result<{ delivery_id: string }> => {
      const now = systemClock();
      if (!this.#configure(config, now)) return err(REMOVED);
      const known = this.#store.idOfEvent(event.id);
      if (known !== undefined) return ok({ delivery_id: known });
      const id = deliveryId(newId("dlv", now), config.id);
      const full = this.#store.waiting() >= MAX_WAITING;
      this.#store.add({ id, event_id: event.id, event_type: event.type, body: JSON.stringify(event) }, now);
      if (!this.#store.config()?.enabled) this.#store.bury(id, "endpoint_disabled", now);
      else if (full) this.#store.bury(id, "queue_full", now);
      return ok({ delivery_id: id });
    });
    this.ctx.waitUntil(this.#sendDue());
    return result;
  }

  /** Takes a change of the endpoint; an older revision than the one at hand changes nothing. */
  configure(config: EndpointConfig): Result<{ id: string }> {
    return this.#durable.commit(() => {
      return this.#configure(config, systemClock()) ? ok({ id: config.id }) : err(REMOVED);
    });
  }

  /** The endpoint was deleted: forgets its deliveries and takes none any more. */
  remove(): Result<null> {
    return this.#durable.commit(() => {
      this.#store.remove(systemClock());
      return ok(null);
    });
  }

  deliveries(query: DeliveryQuery): Result<DeliveryPage> {
    return ok(this.#log.page(query));
  }

  delivery(id: string): Result<DeliveryView> {
    const view = this.#log.view(id);
    return view ? ok(view) : err(problem("not_found", "No such delivery is kept."));
  }

  /** Sends a delivery again, whatever became of it: the same bytes and `webhook-id`, the schedule from its start. */
  redeliver(id: string): Result<DeliveryView> {
    const result = this.#durable.commit((): Result<DeliveryView> => {
      if (!this.#log.view(id)) return err(problem("not_found", "No such delivery is kept."));
      if (!this.#store.config()?.enabled) return err(DISABLED);
      if (!this.#courier.isSending(id)) this.#store.restart(id, systemClock());
      return ok(this.#log.view(id)!);
    });
    this.ctx.waitUntil(this.#sendDue());
    return result;
  }

  /** `redeliver` for what became a dead letter at the moment or later: oldest first, a bounded number a call. */
  redeliverDead(sinceMs: number): Result<Redelivered> {
    const result = this.#durable.commit((): Result<Redelivered> => {
      const fault = this.#restartFault();
      if (fault) return err(fault);
      const redelivered = this.#store.restartDead(sinceMs, this.#roomToRestart(), systemClock());
      return ok({ redelivered, remaining: this.#store.deadSince(sinceMs) });
    });
    this.ctx.waitUntil(this.#sendDue());
    return result;
  }

  /** What `redeliverDead` would do; changes nothing. */
  countDead(sinceMs: number): Result<Redelivered> {
    const fault = this.#restartFault();
    if (fault) return err(fault);
    const dead = this.#store.deadSince(sinceMs);
    const redelivered = Math.min(dead, this.#roomToRestart());
    return ok({ redelivered, remaining: dead - redelivered });
  }

  /** `redeliver` for several at once, as far as there is room; one that waits, or is not kept, stays as it is. */
  redeliverEach(ids: string[]): Result<Redelivered> {
    const result = this.#durable.commit((): Result<Redelivered> => {
      const fault = this.#restartFault();
      if (fault) return err(fault);
      const isOver = (id: string) => (this.#log.view(id)?.state ?? "pending") !== "pending";
      const over = [...new Set(ids)].filter((id) => isOver(id) && !this.#courier.isSending(id));
      const chosen = over.slice(0, this.#roomToRestart());
      for (const id of chosen) this.#store.restart(id, systemClock());
      return ok({ redelivered: chosen.length, remaining: over.length - chosen.length });
    });
    this.ctx.waitUntil(this.#sendDue());
    return result;
  }

  /** The cron does not wait for what is sent: receivers may take their time. */
  async sweep(): Promise<Result<{ rewrapped: number; gauges: Record<string, number> }>> {
    this.ctx.waitUntil(this.#durable.sweep());
    const rewrapped = await this.#rewrap();
    const endpoint = this.#store.config();
    return ok({ rewrapped, gauges: endpoint ? this.#log.gauges(endpoint.id) : {} });
  }

  override async alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  #restartFault(): Problem | undefined {
    if (this.#store.config()?.enabled) return undefined;
    return this.#store.isRemoved() ? REMOVED : DISABLED;
  }

  #roomToRestart(): number {
    return Math.min(MAX_REDELIVERED, Math.max(0, MAX_WAITING - this.#store.waiting()));
  }

  /** Seals anew what the deployment's previous secret wraps. */
  async #rewrap(): Promise<number> {
    const endpoint = this.#store.config();
    const anew = endpoint && (await this.#rewrapper.rewrap(endpoint));
    if (!anew) return 0;
    this.#store.rewrap(endpoint.revision, anew);
    return 1;
  }

  /** False where the endpoint was removed. */
  #configure(config: EndpointConfig, nowMs: number): boolean {
    if (this.#store.isRemoved()) return false;
    if (this.#store.configure(config) && !config.enabled) this.#store.disable(nowMs);
    return true;
  }

  async #onDue(nowMs: number): Promise<void> {
    // Without a configuration nothing can be signed: the fault is logged and the alarm set again.
    if (!this.#config.ok) throw new Error(`misconfigured: ${this.#config.error.join("; ")}`);
    this.#store.prune(nowMs - KEEP_MS);
    await this.#sendDue();
  }

  async #send(claimed: Claimed): Promise<AttemptOutcome> {
    return this.#config.ok
      ? this.#outgoing.send(claimed, this.#config.value)
      : { error: "secret_unreadable" };
  }

  async #sendDue(): Promise<void> {
    if (this.#config.ok) await this.#courier.sendDue();
  }

  /** The receiver answered 410: nothing is sent any more until an operator enables the endpoint again. */
  #disable(endpoint: EndpointConfig, nowMs: number): void {
    this.#store.disable(nowMs);
    const id = `gone:${endpoint.revision}`;
    this.#durable.outbox.put({ id, lane: "registry", kind: "endpoint.gone", payload: null });
    // In the same lane: it is told to others once the registry has it, so never to this endpoint.
    this.#durable.outbox.put(disabledEvent(endpoint.id, newId("evt", nowMs), nowMs));
    consoleLogger("error", "webhook.endpoint_disabled", { endpoint: endpoint.id, status: 410 });
  }

  async #tellRegistry(): Promise<void> {
    const endpoint = this.#store.config();
    // Enabled again or removed meanwhile: the newer word stands.
    if (!endpoint || endpoint.enabled) return;
    const registry = objectPort<RegistryPort>(this.env.REGISTRY, "main", { log: consoleLogger });
    const told = await registry.updateEndpoint(endpoint.id, { enabled: false, disabled_reason: "gone" });
    if (!told.ok && told.error.code !== "not_found") throw new Error(told.error.detail);
  }
}
