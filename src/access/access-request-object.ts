import { DurableObject } from "cloudflare:workers";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId, siblingId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import type { AccessRule } from "../policy/document.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { publishEvent, publishPorts } from "../webhooks/publish.ts";
import {
  type AccessRequest,
  type Ask,
  type IssuedToken,
  nextChange,
  openRequest,
  type PolledToken,
  passTime,
  presentRequest,
  type Requester,
  type Review,
  requestState,
  type Transition,
} from "./access-request.ts";
import { ACCESS_REQUEST_MIGRATIONS, AccessRequestStore } from "./access-request-store.ts";
import { applyReview, cancel, checkIssue, type Reviewer, revokeGrant } from "./decide.ts";
import { takePoll } from "./polling.ts";
import { POLLING_SCHEMA, PollingStore } from "./polling-store.ts";
import type { DirectoryPort, Happened, KeyringPort, LogPort } from "./ports.ts";
import { Waiters } from "./waiters.ts";

type AccessEvent = WebhookEvent & { type: EventType };

/** Tokens end with their grant; the rule outlives them by the clocks' tolerance. */
const RULE_MARGIN_SECONDS = 120;
const RESOURCE_DETAIL = "portcullis_resource" as const;

/** One access request, its reviews and its grant (name: `req_…`). Every transition is one commit. */
export class AccessRequestObject extends DurableObject<Env> {
  readonly #clock = systemClock;
  readonly #waiters = new Waiters();
  readonly #store: AccessRequestStore;
  readonly #polling: PollingStore;
  readonly #durable: Durable;
  readonly #log: LogPort;
  readonly #directory: DirectoryPort;
  readonly #keyring: KeyringPort;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new AccessRequestStore(ctx.storage.sql);
    this.#polling = new PollingStore(ctx.storage.sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log: consoleLogger });
    this.#directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log: consoleLogger });
    this.#keyring = objectPort<KeyringPort>(env.KEYRING, "main", { log: consoleLogger });
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: [...ACCESS_REQUEST_MIGRATIONS, POLLING_SCHEMA],
      deliver: {
        "log.append": (row) => this.#appendRevocation(row),
        "directory.put": () => this.#index(),
        "webhook.publish": (row) => publishEvent(row.payload as AccessEvent, publishPorts(env)),
      },
      nextDueMs: () => this.#nextDueMs(),
      onDue: () => this.#passTime(),
    });
  }

  /** Idempotent by id: a repeat answers the request as it is. */
  async open(
    id: string,
    requester: Requester,
    ask: Ask,
    rule: AccessRule,
    audience: string,
  ): Promise<Result<AccessRequest>> {
    const known = this.#store.read();
    if (known) return ok(known.request);
    const opened = this.#commit(openRequest(id, requester, ask, rule, audience, this.#now()));
    await this.#durable.flush("directory");
    return ok(opened);
  }

  read(): Result<AccessRequest> {
    const known = this.#store.read();
    return known ? ok(known.request) : err(problem("not_found", "There is no such access request."));
  }

  /** The request once it is no longer pending, or as it is after `timeoutMs`. */
  async decided(timeoutMs: number): Promise<Result<AccessRequest>> {
    const endsAtMs = this.#clock() + timeoutMs;
    for (let left = timeoutMs; left > 0; left = endsAtMs - this.#clock()) {
      const known = this.#store.read()?.request;
      if (!known || requestState(known, this.#now()) !== "pending") break;
      if (!(await this.#waiters.next(left))) break;
    }
    return this.read();
  }

  /** What happened after an event, waiting for the next where nothing did yet; none after `timeoutMs`. */
  async happened(after: string | null, timeoutMs: number): Promise<Result<Happened>> {
    if (this.#store.read() && this.#store.eventsAfter(after).length === 0)
      await this.#waiters.next(timeoutMs);
    const known = this.read();
    return known.ok ? ok({ request: known.value, events: this.#store.eventsAfter(after) }) : known;
  }

  async review(
    review: Omit<Review, "reviewed_at">,
    reviewer: Reviewer,
    rule: AccessRule | null,
  ): Promise<Result<AccessRequest>> {
    return this.#change((request, now) =>
      applyReview(request, { ...review, reviewed_at: now }, reviewer, rule ?? undefined, now),
    );
  }

  async cancel(subject: string): Promise<Result<AccessRequest>> {
    return this.#change((request, now) => {
      if (request.requester.subject === subject) return cancel(request, now);
      return err(problem("not_found", "There is no such access request."));
    });
  }

  /** Issues an access token within the grant's window, bound to its sender's key; each is recorded before it leaves. */
  async issueToken(subject: string, confirmation: Confirmation | null): Promise<Result<IssuedToken>> {
    const known = this.#store.read();
    if (!known) return err(problem("not_found", "There is no such access request."));
    const { request } = known;
    const grant = checkIssue(request, subject, this.#now());
    if (!grant.ok) return grant;
    const jti = newId("tok", this.#clock());
    this.#durable.commit(() => this.#store.addToken(jti, this.#now()));
    const { id, access_start: accessStart, access_expiry: accessExpiry, resource, scope } = grant.value;
    const minted = await this.#keyring.mint({
      jti,
      subject,
      audience: request.audience,
      clientId: request.requester.client_id,
      scopes: scope,
      ttlSeconds: request.access_token_ttl_seconds,
      grant: { id, accessStart, accessExpiry, resource },
      ...(confirmation ? { confirmation } : {}),
    });
    if (!minted.ok) return minted;
    // The grant may have been revoked while the token was being signed.
    const still = checkIssue(this.#store.read()!.request, subject, this.#now());
    if (!still.ok) return still;
    const { accessToken, expiresInSeconds } = minted.value;
    return ok({
      access_token: accessToken,
      token_type: confirmation?.jkt === undefined ? "Bearer" : "DPoP",
      expires_in: expiresInSeconds,
      scope: scope.join(" "),
    });
  }

  /** Lets one client poll for the grant's tokens. Idempotent: called before the request is opened. */
  startPolling(clientId: string, intervalSeconds: number): Result<null> {
    if (this.#polling.read()) return ok(null);
    const polling = { client_id: clientId, interval_ms: intervalSeconds * 1000 };
    this.#durable.commit(() => this.#polling.write(polling));
    return ok(null);
  }

  /** The grant's next access token for the client that asked; `too_many_requests` where it did not wait. */
  async poll(clientId: string, confirmation: Confirmation | null): Promise<Result<PolledToken>> {
    const polling = this.#polling.read();
    const request = this.#store.read()?.request;
    if (!request || polling?.client_id !== clientId) {
      return err(problem("not_found", "There is no such access request."));
    }
    const taken = takePoll(polling, this.#clock());
    this.#durable.commit(() => this.#polling.write(taken.polling));
    if (taken.early) {
      const seconds = taken.polling.interval_ms / 1000;
      return err(problem("too_many_requests", `Wait ${seconds} seconds between two polls from now on.`));
    }
    const issued = await this.issueToken(request.requester.subject, confirmation);
    if (!issued.ok) return issued;
    const detail = { type: RESOURCE_DETAIL, identifier: request.ask.resource };
    return ok({ ...issued.value, authorization_details: [detail] });
  }

  /** Ends the grant and answers once the log has the revocation, with its receipt. */
  async revokeGrant(by: string, reason: string): Promise<Result<Receipt>> {
    const changed = await this.#change((request, now) => revokeGrant(request, by, reason, now));
    if (!changed.ok) return changed;
    await this.#durable.flush("log");
    const receipt = this.#store.read()?.request.grant?.revoked?.receipt;
    if (receipt) return ok(receipt);
    const detail =
      "The grant is revoked and no new token is issued, but the log that tells the edges did not answer. " +
      "It is retried until it does; repeat this call for the receipt.";
    return err(problem("unavailable", detail));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<null>> {
    await this.#durable.sweep();
    return ok(null);
  }

  async #change(
    change: (request: AccessRequest, now: number) => Result<Transition>,
  ): Promise<Result<AccessRequest>> {
    const known = this.#store.read();
    if (!known) return err(problem("not_found", "There is no such access request."));
    const changed = change(known.request, this.#now());
    if (!changed.ok) return changed;
    if (changed.value.request === known.request) return ok(known.request);
    const request = this.#commit(changed.value);
    await this.#durable.flush("directory");
    return ok(request);
  }

  /** State, event rows and effects, in one transaction. */
  #commit({ request, events }: Transition): AccessRequest {
    const nowMs = this.#clock();
    const committed = this.#durable.commit(() => {
      const before = this.#store.read()?.request;
      this.#store.write(request);
      const { outbox } = this.#durable;
      outbox.put({ id: "directory", lane: "directory", kind: "directory.put", payload: null });
      if (request.grant?.revoked && !before?.grant?.revoked) this.#putRevocation(request);
      for (const type of events) {
        const id = newId("evt", nowMs);
        this.#store.addEvent(id, type, epochSeconds(nowMs));
        const data = { access_request: presentRequest(request, epochSeconds(nowMs)) };
        const payload: AccessEvent = { id, type, timestamp: new Date(nowMs).toISOString(), data };
        outbox.put({ id, lane: "events", kind: "webhook.publish", payload });
      }
      return request;
    });
    this.#waiters.wake();
    return committed;
  }

  #putRevocation({ grant }: AccessRequest): void {
    if (!grant?.revoked) return;
    const rule: Revocation = {
      id: siblingId("rev", grant.id),
      match: { grant: grant.id },
      reason: grant.revoked.reason,
      actor: grant.revoked.by,
      created_at: grant.revoked.at,
      expires_at: grant.access_expiry + RULE_MARGIN_SECONDS,
    };
    const payload = { id: rule.id, kind: "revocation.added", rule };
    this.#durable.outbox.put({ id: rule.id, lane: "log", kind: "log.append", payload });
  }

  async #appendRevocation(row: OutboxRow): Promise<void> {
    const entry = row.payload as Parameters<LogPort["append"]>[0];
    const receipt = await this.#log.append(entry);
    if (!receipt.ok) throw new Error(receipt.error.detail);
    const { request } = this.#store.read()!;
    const { grant } = request;
    if (!grant?.revoked) return;
    const revoked = { ...grant.revoked, receipt: receipt.value };
    this.#durable.commit(() => this.#store.write({ ...request, grant: { ...grant, revoked } }));
  }

  /** Tells the directory the state as it is now, so that a late row is never wrong. */
  async #index(): Promise<void> {
    const known = this.#store.read();
    if (!known) return;
    const done = await this.#directory.put(known.request, known.version);
    if (!done.ok) throw new Error(done.error.detail);
  }

  #nextDueMs(): number | undefined {
    const request = this.#store.read()?.request;
    const next = request && nextChange(request);
    return next === undefined ? undefined : next * 1000;
  }

  #passTime(): void {
    const request = this.#store.read()?.request;
    if (!request) return;
    const passed = passTime(request, this.#now());
    if (passed.events.length) this.#commit(passed);
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}
