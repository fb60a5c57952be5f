import { DurableObject } from "cloudflare:workers";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import type { OutboxRow } from "../platform/outbox.ts";
import { objectPort } from "../platform/rpc.ts";
import type { Person } from "../policy/access-conditions.ts";
import type { AccessRule } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { EventType, WebhookEvent } from "../webhooks/event.ts";
import { type AlertPorts, alertEndpoints, publishEvent, publishPorts } from "../webhooks/publish.ts";
import type { AccessRequest, Ask, IssuedToken, Requester, Transition } from "./access-request.ts";
import { ACCESS_REQUEST_MIGRATIONS, AccessRequestStore } from "./access-request-store.ts";
import { nextChange, onTime, passTime } from "./agenda.ts";
import { applyReview, cancel, checkIssue, revokeGrant } from "./decide.ts";
import { askExtension, type ExtensionAsk } from "./extension.ts";
import { grantRevocation } from "./grant.ts";
import { breakGlass, openRequest } from "./open-request.ts";
import type { DirectoryPort, KeyringPort, LogPort } from "./ports.ts";
import { presentRequest } from "./present.ts";
import type { ReviewInput } from "./round.ts";

type AccessEvent = WebhookEvent & { type: EventType };

/** It is told before a token leaves, in a lane that nothing else holds up. */
const ALERT = "break_glass.opened";
const NOT_FOUND = problem("not_found", "There is no such access request.");

/** One access request, its reviews and its grant (name: `req_…`). Every transition is one commit. */
export class AccessRequestObject extends DurableObject<Env> {
  readonly #clock = systemClock;
  readonly #store: AccessRequestStore;
  readonly #durable: Durable;
  readonly #log: LogPort;
  readonly #directory: DirectoryPort;
  readonly #keyring: KeyringPort;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new AccessRequestStore(ctx.storage.sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log: consoleLogger });
    this.#directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log: consoleLogger });
    this.#keyring = objectPort<KeyringPort>(env.KEYRING, "main", { log: consoleLogger });
    const ports = publishPorts(env);
    this.#durable = new Durable(ctx, {
      clock: this.#clock,
      log: consoleLogger,
      migrations: ACCESS_REQUEST_MIGRATIONS,
      deliver: {
        "log.append": (row) => this.#appendRevocation(row),
        "directory.put": () => this.#index(),
        "webhook.publish": (row) => publishEvent(row.payload as AccessEvent, ports),
        "webhook.alert": (row) => this.#sendAlert(row.payload as AccessEvent, ports),
      },
      nextDueMs: () => this.#nextDueMs(),
      onDue: () => this.#passTime(),
    });
  }

  /**
   * Idempotent by id: a repeat answers the request as it is. `emergency` takes the access at once, where the
   * rule has `break_glass`.
   */
  async open(
    id: string,
    requester: Requester,
    ask: Ask,
    rule: AccessRule,
    audience: string,
    emergency = false,
  ): Promise<Result<AccessRequest>> {
    const known = this.#store.read();
    if (known) return ok(known.request);
    const begin = emergency ? breakGlass : openRequest;
    const opened = begin(id, requester, ask, rule, audience, this.#now());
    if (!opened.ok) return opened;
    const request = this.#commit(opened.value);
    await this.#durable.flush("directory");
    return ok(request);
  }

  read(): Result<AccessRequest> {
    const known = this.#store.read();
    return known ? ok(known.request) : err(NOT_FOUND);
  }

  /** `rule` is the rule as the policy has it now, null where it has none of this name any more. */
  async review(
    input: ReviewInput,
    reviewer: Person,
    rule: AccessRule | null,
  ): Promise<Result<AccessRequest>> {
    return this.#change((request, now) => applyReview(request, input, reviewer, rule ?? undefined, now));
  }

  /** Asks for more time for the grant; idempotent by the extension's id. */
  async extend(ask: ExtensionAsk, person: Person, rule: AccessRule | null): Promise<Result<AccessRequest>> {
    return this.#change((request, now) => {
      if (request.requester.subject !== person.subject) return err(NOT_FOUND);
      return askExtension(request, ask, person, rule ?? undefined, now);
    });
  }

  async cancel(subject: string): Promise<Result<AccessRequest>> {
    return this.#change((request, now) => {
      if (request.requester.subject === subject) return cancel(request, now);
      return err(NOT_FOUND);
    });
  }

  /** Issues an access token within the grant's window; each is recorded before it leaves. */
  async issueToken(subject: string): Promise<Result<IssuedToken>> {
    const known = this.#store.read();
    if (!known) return err(NOT_FOUND);
    const { request } = known;
    const grant = checkIssue(request, subject, this.#now());
    if (!grant.ok) return grant;
    const told = await this.#awaitAlert(request);
    if (!told.ok) return told;
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
    });
    if (!minted.ok) return minted;
    // The grant may have been revoked while the token was being signed.
    const still = checkIssue(this.#store.read()!.request, subject, this.#now());
    if (!still.ok) return still;
    const { accessToken, expiresInSeconds } = minted.value;
    return ok({
      access_token: accessToken,
      token_type: "Bearer",
      expires_in: expiresInSeconds,
      scope: scope.join(" "),
    });
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
    if (!known) return err(NOT_FOUND);
    const now = this.#now();
    const changed = onTime(known.request, (request) => change(request, now), now);
    if (!changed.ok) return changed;
    if (changed.value.request === known.request) return ok(known.request);
    const request = this.#commit(changed.value);
    await this.#durable.flush("directory");
    return ok(request);
  }

  /** State, event rows and effects, in one transaction. */
  #commit({ request, events }: Transition): AccessRequest {
    const nowMs = this.#clock();
    return this.#durable.commit(() => {
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
        const [lane, kind] = type === ALERT ? ["alert", "webhook.alert"] : ["events", "webhook.publish"];
        outbox.put({ id, lane, kind, payload });
      }
      return request;
    });
  }

  /** No token of an emergency leaves before everybody who listens was sent word of it. */
  async #awaitAlert({ break_glass: glass }: AccessRequest): Promise<Result<null>> {
    if (!glass || glass.alerted_at !== undefined) return ok(null);
    await this.#durable.flush("alert");
    if (this.#store.read()?.request.break_glass?.alerted_at !== undefined) return ok(null);
    const detail =
      "Nobody could be told of this emergency yet, so no token is given. Try again shortly; the log says why.";
    return err(problem("unavailable", detail));
  }

  async #sendAlert(event: AccessEvent, ports: AlertPorts): Promise<void> {
    await alertEndpoints(event, ports);
    const { request } = this.#store.read()!;
    const { break_glass: glass } = request;
    if (!glass) return;
    const told = { ...request, break_glass: { ...glass, alerted_at: this.#now() } };
    this.#durable.commit(() => this.#store.write(told));
    consoleLogger("warn", ALERT, { access_request: request.id, rule: request.rule_id });
  }

  #putRevocation({ grant }: AccessRequest): void {
    if (!grant?.revoked) return;
    const rule = grantRevocation(grant, grant.revoked);
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
