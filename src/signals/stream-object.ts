import { Waiters } from "../access/waiters.ts";
import { type Config, readConfig } from "../config.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { RevocationRecord } from "../revocation/record.ts";
import { Courier } from "../webhooks/courier.ts";
import { KEEP_MS, MAX_WAITING } from "../webhooks/delivery.ts";
import { DELIVERY_SCHEMA, DeliveryStore } from "../webhooks/delivery-store.ts";
import type { WebhookEvent } from "../webhooks/event.ts";
import {
  configured,
  delivers,
  MIN_VERIFICATION_INTERVAL,
  POLL,
  PUSH,
  type Stream,
  type StreamOpening,
  type StreamStatus,
} from "./stream.ts";
import { eventOf, type StreamEvent, verificationEvent } from "./stream-event.ts";
import { type StatementPort, StreamSender } from "./stream-sender.ts";
import { STREAM_SCHEMA, StreamStore } from "./stream-store.ts";

/** What a receiver asks for when it polls (RFC 8936 §2.2). */
export type Poll = { max: number; waitMs: number; ack: string[]; errors: string[] };
export type Polled = { sets: Record<string, string>; more: boolean };

/** What waits for a poll, or for a paused stream, is kept for this long. */
const HELD_MS = 7 * 86_400_000;
const NO_STREAM = problem("not_found", "There is no such stream of this client.");

/**
 * One stream (name: `str_…`): what its receiver wants to know, and the security event tokens that it has not got yet.
 * Pushed as webhooks are, or held until they are polled.
 */
export class StreamObject extends CausedObject {
  readonly #durable: Durable;
  readonly #store: StreamStore;
  readonly #deliveries: DeliveryStore;
  readonly #courier: Courier;
  readonly #sender: StreamSender;
  readonly #config: Result<Config, string[]>;
  readonly #pollers = new Waiters();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const log = consoleLogger;
    this.#config = readConfig(env);
    this.#durable = new Durable(ctx, {
      clock: systemClock,
      log,
      migrations: [DELIVERY_SCHEMA, STREAM_SCHEMA],
      deliver: {},
      nextDueMs: () => this.#deliveries.nextDueMs(KEEP_MS),
      onDue: (nowMs) => this.#onDue(nowMs),
    });
    this.#store = new StreamStore(ctx.storage.sql);
    this.#deliveries = new DeliveryStore(ctx.storage.sql);
    this.#sender = new StreamSender({
      keyring: objectPort<StatementPort>(env.KEYRING, "main", { log }),
      secrets: env,
      clock: systemClock,
    });
    this.#courier = new Courier({
      store: this.#deliveries,
      durable: this.#durable,
      clock: systemClock,
      log,
      send: (claimed) => this.#sender.send(claimed, this.#local()),
      onGone: (_endpoint, nowMs) => this.#setStatus("disabled", "The receiver answered 410.", nowMs),
    });
  }

  /** `conflict` where it is there already. */
  async create(id: string, clientId: string, opening: StreamOpening): Promise<Result<Stream>> {
    if (this.#store.read()) return err(problem("conflict", "This client has a stream already: change it."));
    const empty: Stream = { id, client_id: clientId, method: POLL, status: "enabled", revision: 0 };
    return ok(await this.#configure(empty, opening));
  }

  read(clientId: string): Result<Stream> {
    const stream = this.#store.read();
    return stream?.client_id === clientId ? ok(stream) : err(NO_STREAM);
  }

  /** Takes a whole configuration in place of the one before. What waits goes the new way. */
  async replace(clientId: string, opening: StreamOpening): Promise<Result<Stream>> {
    const stream = this.read(clientId);
    return stream.ok ? ok(await this.#configure(stream.value, opening)) : stream;
  }

  /** Forgets the stream and what waits in it. Repeated, it answers the same. */
  close(): Result<null> {
    this.#durable.commit(() => {
      this.#deliveries.remove(systemClock());
      this.#store.clear();
    });
    this.#pollers.wake();
    return ok(null);
  }

  setStatus(clientId: string, status: StreamStatus, reason?: string): Result<Stream> {
    const stream = this.read(clientId);
    if (!stream.ok) return stream;
    this.#durable.commit(() => this.#setStatus(status, reason, systemClock()));
    this.ctx.waitUntil(this.#sendDue());
    this.#pollers.wake();
    return ok(this.#store.read()!);
  }

  /** Takes a person out of the stream, or puts them back in: all are in it at first. */
  setSubject(clientId: string, subject: string, included: boolean): Result<null> {
    const stream = this.read(clientId);
    if (!stream.ok) return stream;
    return this.#durable.commit((): Result<null> => {
      if (included) this.#store.include(subject);
      else if (!this.#store.exclude(subject)) {
        return err(problem("conflict", "Too many subjects are taken out of this stream."));
      }
      return ok(null);
    });
  }

  /** Sends a verification event (SSF 1.0 §8.1.4). */
  verify(clientId: string, state?: string): Result<null> {
    const stream = this.read(clientId);
    if (!stream.ok) return stream;
    const now = epochSeconds(systemClock());
    const { verified_at = 0, id } = stream.value;
    if (now < verified_at + MIN_VERIFICATION_INTERVAL) {
      const detail = `A verification is sent every ${MIN_VERIFICATION_INTERVAL} seconds at most.`;
      return err(problem("too_many_requests", detail));
    }
    this.#durable.commit(() => {
      this.#store.write({ ...stream.value, verified_at: now });
      this.#put(verificationEvent(id, state), newId("evt", systemClock()));
    });
    this.#afterPut();
    return ok(null);
  }

  /** Something happened: it goes to the receiver where that asked for it, once for each event id. */
  offer(event: WebhookEvent): Result<null> {
    const stream = this.#store.read();
    if (!stream || stream.status === "disabled" || !this.#config.ok) return ok(null);
    const told = eventOf(event.data.revocation as unknown as RevocationRecord, this.#config.value.issuer);
    if (!told || !delivers(stream, told.uri)) return ok(null);
    if (told.subject !== undefined && this.#store.isExcluded(told.subject)) return ok(null);
    this.#durable.commit(() => this.#put(told, event.id));
    this.#afterPut();
    return ok(null);
  }

  /** What was not acknowledged yet, oldest first; waits for the first where there is none. */
  async poll(clientId: string, { max, waitMs, ack, errors }: Poll): Promise<Result<Polled>> {
    const stream = this.read(clientId);
    if (!stream.ok) return stream;
    if (stream.value.method !== POLL) return err(problem("conflict", "This stream is pushed, not polled."));
    this.#durable.commit(() => {
      const now = systemClock();
      for (const jti of ack) this.#deliveries.deliver(jti, now);
      for (const jti of errors) this.#deliveries.bury(jti, "receiver_refused", now);
    });
    if (max > 0 && waitMs > 0 && this.#pending(1).length === 0) await this.#pollers.next(waitMs);
    const found = this.#pending(max + 1);
    const given = found.slice(0, max);
    const signed = await Promise.all(
      given.map(async (each) => ({ id: each.id, set: await this.#sender.sign(each.body) })),
    );
    const fault = signed.find(({ set }) => !set.ok)?.set;
    if (fault && !fault.ok) return fault;
    const sets = Object.fromEntries(signed.flatMap(({ id, set }) => (set.ok ? [[id, set.value]] : [])));
    return ok({ sets, more: found.length > given.length });
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  /** The cron's visit, which does not wait for what is sent. */
  async sweep(): Promise<Result<{ rewrapped: number }>> {
    this.ctx.waitUntil(this.#durable.sweep());
    const endpoint = this.#deliveries.config();
    const anew = endpoint && (await this.#sender.rewrap(endpoint));
    if (!endpoint || !anew) return ok({ rewrapped: 0 });
    this.#deliveries.rewrap(endpoint.revision, { secrets_sealed: anew });
    return ok({ rewrapped: 1 });
  }

  async #configure(before: Stream, opening: StreamOpening): Promise<Stream> {
    const { delivery } = opening;
    const header = delivery?.method === PUSH ? delivery.authorization_header : undefined;
    const sealed = header === undefined ? [] : [await this.#sender.seal(header, before.id)];
    // Sealing takes a turn, in which the stream may have been changed.
    const stream = configured(this.#store.read() ?? before, opening);
    this.#durable.commit(() => {
      const kept = this.#deliveries.config()?.secrets_sealed ?? [];
      this.#store.write(stream);
      const { id, revision, endpoint_url: url = "" } = stream;
      const secrets_sealed = delivery === undefined ? kept : sealed;
      this.#deliveries.configure({ id, url, secrets_sealed, enabled: isSent(stream), revision });
      this.#schedule(stream, systemClock());
    });
    this.ctx.waitUntil(this.#sendDue());
    return stream;
  }

  #setStatus(status: StreamStatus, reason: string | undefined, nowMs: number): void {
    const before = this.#store.read();
    if (!before) return;
    const { reason: _old, ...rest } = before;
    const stream: Stream = {
      ...{ ...rest, status, revision: before.revision + 1 },
      ...(reason === undefined ? {} : { reason }),
    };
    this.#store.write(stream);
    const endpoint = this.#deliveries.config()!;
    this.#deliveries.configure({ ...endpoint, enabled: isSent(stream), revision: stream.revision });
    if (status === "disabled") this.#deliveries.disable(nowMs);
    else this.#schedule(stream, nowMs);
  }

  /** What waits is sent now, or held. */
  #schedule(stream: Stream, nowMs: number): void {
    this.#deliveries.postponeAll(isSent(stream) ? nowMs : nowMs + HELD_MS);
  }

  #put(event: StreamEvent, eventId: string): void {
    const stream = this.#store.read();
    if (!stream || this.#deliveries.idOfEvent(eventId) !== undefined) return;
    const nowMs = systemClock();
    const id = newId("sig", nowMs);
    const full = this.#deliveries.waiting() >= MAX_WAITING;
    const body = this.#sender.bodyOf(event, { jti: id, aud: stream.client_id, issuer: this.#issuer() });
    const dueMs = isSent(stream) ? nowMs : nowMs + HELD_MS;
    this.#deliveries.add({ id, event_id: eventId, event_type: event.uri, body }, nowMs, dueMs);
    if (full) this.#deliveries.bury(id, "queue_full", nowMs);
  }

  #afterPut(): void {
    this.ctx.waitUntil(this.#sendDue());
    this.#pollers.wake();
  }

  #pending(limit: number) {
    return this.#store.read()?.status === "enabled" ? this.#deliveries.pending(limit) : [];
  }

  async #onDue(nowMs: number): Promise<void> {
    this.#deliveries.prune(nowMs - KEEP_MS);
    const stream = this.#store.read();
    if (stream && !isSent(stream)) {
      this.#durable.commit(() => this.#deliveries.buryDue("schedule_exhausted", nowMs));
    }
    await this.#sendDue();
  }

  async #sendDue(): Promise<void> {
    if (this.#config.ok) await this.#courier.sendDue();
  }

  #issuer(): string {
    return this.#config.ok ? this.#config.value.issuer : "";
  }

  #local(): boolean {
    return this.#config.ok && this.#config.value.local;
  }
}

function isSent({ method, status }: Stream): boolean {
  return method === PUSH && status === "enabled";
}
