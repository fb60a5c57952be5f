import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import type { Person } from "../policy/access-conditions.ts";
import { loadConditionsOf } from "../policy/condition.ts";
import type { AccessRule } from "../policy/document.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import type { Receipt } from "../revocation/receipt.ts";
import { publishPorts } from "../webhooks/publish.ts";
import {
  type AccessRequest,
  type Ask,
  type IssuedToken,
  isUndecided,
  type PolledToken,
  type Requester,
} from "./access-request.ts";
import { accessRequestEffects } from "./access-request-effects.ts";
import { AccessRequestLedger } from "./access-request-ledger.ts";
import { ACCESS_REQUEST_MIGRATIONS, AccessRequestStore } from "./access-request-store.ts";
import { applyReview, cancel, revokeGrant } from "./decide.ts";
import { askExtension, type ExtensionAsk } from "./extension.ts";
import { GrantTokens } from "./grant-tokens.ts";
import { GrantUses } from "./grant-uses.ts";
import { breakGlass, openRequest } from "./open-request.ts";
import { POLLING_SCHEMA, PollingStore } from "./polling-store.ts";
import type { DirectoryPort, Happened, KeyringPort, LogPort, StatusListPort } from "./ports.ts";
import type { ReviewInput } from "./round.ts";
import { USE_SCHEMA, UseStore } from "./use-store.ts";
import { Waiters } from "./waiters.ts";

const NOT_FOUND = problem("not_found", "There is no such access request.");

/** One access request, its reviews and its grant (name: `req_…`). Every transition is one commit. */
export class AccessRequestObject extends CausedObject {
  readonly #clock = systemClock;
  readonly #waiters = new Waiters();
  readonly #store: AccessRequestStore;
  readonly #durable: Durable;
  readonly #ledger: AccessRequestLedger;
  readonly #tokens: GrantTokens;
  readonly #uses: GrantUses;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const clock = this.#clock;
    const store = new AccessRequestStore(ctx.storage.sql);
    this.#store = store;
    this.#durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: [...ACCESS_REQUEST_MIGRATIONS, POLLING_SCHEMA, USE_SCHEMA],
      deliver: accessRequestEffects({
        ...{ store, clock, log: consoleLogger },
        durable: () => this.#durable,
        revocations: objectPort<LogPort>(env.LOG, "main", { log: consoleLogger }),
        directory: objectPort<DirectoryPort>(env.DIRECTORY, "main", { log: consoleLogger }),
        webhooks: publishPorts(env),
      }),
      audit: auditSink(env, () => `access_request/${store.read()!.request.id}`),
      nextDueMs: () => earliest(this.#ledger.nextDueMs(), this.#uses.nextDueMs()),
      onDue: () => {
        this.#uses.passTime();
        this.#ledger.passTime();
      },
    });
    const durable = this.#durable;
    this.#ledger = new AccessRequestLedger({ store, durable, clock, onChange: () => this.#waiters.wake() });
    const uses = new UseStore(ctx.storage.sql);
    this.#uses = new GrantUses({ ...{ store, durable, clock, uses }, ledger: this.#ledger });
    this.#tokens = new GrantTokens({
      ...{ store, durable, clock },
      polling: new PollingStore(ctx.storage.sql),
      keyring: objectPort<KeyringPort>(env.KEYRING, "main", { log: consoleLogger }),
      statusList: objectPort<StatusListPort>(env.STATUS_LIST, "main", { log: consoleLogger }),
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
    await loadConditionsOf({ access_rules: [rule] });
    const known = this.#store.read();
    if (known) return ok(known.request);
    const begin = emergency ? breakGlass : openRequest;
    const opened = begin(id, requester, ask, rule, audience, this.#now());
    if (!opened.ok) return opened;
    const request = this.#ledger.commit(opened.value);
    await this.#durable.flush("directory");
    return ok(request);
  }

  read(): Result<AccessRequest> {
    const request = this.#store.read()?.request;
    if (!request) return err(NOT_FOUND);
    const usesLeft = this.#uses.left();
    const { grant } = request;
    return ok(
      grant && usesLeft !== undefined ? { ...request, grant: { ...grant, uses_left: usesLeft } } : request,
    );
  }

  /** The request once nobody's decision is awaited, on it or on more time for it, or as it is after `timeoutMs`. */
  async decided(timeoutMs: number): Promise<Result<AccessRequest>> {
    const endsAtMs = this.#clock() + timeoutMs;
    for (let left = timeoutMs; left > 0; left = endsAtMs - this.#clock()) {
      const known = this.#store.read()?.request;
      if (!known || !isUndecided(known, this.#now())) break;
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

  /** `rule` is the rule as the policy has it now, null where it has none of this name any more. */
  async review(
    input: ReviewInput,
    reviewer: Person,
    rule: AccessRule | null,
  ): Promise<Result<AccessRequest>> {
    const reviewed = await this.#change((request, now) =>
      applyReview(request, input, reviewer, rule ?? undefined, now),
    );
    if (!reviewed.ok && reviewed.error.code === "forbidden") this.#ledger.noteRefusedReview(input);
    return reviewed;
  }

  /** Asks for more time for the grant; idempotent by the extension's id. */
  async extend(ask: ExtensionAsk, person: Person, rule: AccessRule | null): Promise<Result<AccessRequest>> {
    if (rule) await loadConditionsOf({ access_rules: [rule] });
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

  /** Issues an access token within the grant's window, bound to its sender's key; `actors` collect it for the subject. */
  async issueToken(
    subject: string,
    confirmation: Confirmation | null,
    actors: readonly string[] = [],
    signIn?: SignIn,
  ): Promise<Result<IssuedToken>> {
    return this.#tokens.issue(subject, confirmation, actors, signIn);
  }

  /** Lets one client poll for the grant's tokens. Idempotent: called before the request is opened. */
  startPolling(clientId: string, intervalSeconds: number): Result<null> {
    return this.#tokens.startPolling(clientId, intervalSeconds);
  }

  /** The grant's next access token for the client that asked; `too_many_requests` where it did not wait. */
  async poll(clientId: string, confirmation: Confirmation | null): Promise<Result<PolledToken>> {
    return this.#tokens.poll(clientId, confirmation);
  }

  /** Some uses of a counted grant for one isolate; `gone` with the grant's state, or `taken` where none is left. */
  takeUses(leaseId: string): Result<{ uses: number }> {
    return this.#uses.take(leaseId);
  }

  /** The isolate gives back what it did not use of its lease, and uses no more of it. */
  settleUses(leaseId: string, unused: number): Result<null> {
    return this.#uses.settle(leaseId, unused);
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

  async #change(change: Parameters<AccessRequestLedger["change"]>[0]): Promise<Result<AccessRequest>> {
    const changed = this.#ledger.change(change) ?? err(NOT_FOUND);
    if (!changed.ok) return changed;
    await this.#durable.flush("directory");
    return changed;
  }

  #now(): number {
    return epochSeconds(this.#clock());
  }
}

function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((at) => at !== undefined);
  return known.length ? Math.min(...known) : undefined;
}
