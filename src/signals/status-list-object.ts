import { readConfig } from "../config.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import { objectPort } from "../platform/rpc.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type StatusReference, setInvalid } from "../protocol/status-list.ts";
import type { RevocationRecord } from "../revocation/record.ts";
import type { Revocation, TokenFacts } from "../revocation/rule.ts";
import type { WebhookEvent } from "../webhooks/event.ts";
import { LIST_SIZE, listUri, numbersOf, placeOf } from "./status-list.ts";
import { type Allotment, STATUS_LIST_MIGRATIONS, StatusListStore } from "./status-list-store.ts";

type LogPort = { hit(tokens: TokenFacts[], since: number): Promise<Result<Revocation | null>> };

/** Members of a rule by which grants can be told apart; a rule with others says nothing of a whole grant. */
const MEMBERS = ["iss", "grant", "sub", "client_id"];

/**
 * The Token Status Lists of the deployment (`main`): which grant's tokens have which index, and which of these are
 * revoked. It learns of a revocation as webhook endpoints do, from the log's outbox.
 */
export class StatusListObject extends CausedObject {
  readonly #durable: Durable;
  readonly #store: StatusListStore;
  readonly #log: LogPort;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const log = consoleLogger;
    this.#store = new StatusListStore(ctx.storage.sql);
    this.#log = objectPort<LogPort>(env.LOG, "main", { log });
    this.#durable = new Durable(ctx, {
      clock: systemClock,
      log,
      migrations: STATUS_LIST_MIGRATIONS,
      deliver: {},
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#store.deleteEndedBefore(epochSeconds(nowMs)),
    });
  }

  /** The index that a grant's tokens carry; `forbidden` where a rule in force refuses whatever they would be. */
  async allot(allotment: Allotment): Promise<Result<StatusReference>> {
    const issuer = this.#issuer();
    if (issuer === undefined) return err(problem("misconfigured", "The deployment is not configured."));
    // Written first: a revocation that comes from here on finds it.
    const n = this.#durable.commit(() => this.#store.allot(allotment));
    const { grant, sub, client_id } = allotment;
    const now = epochSeconds(systemClock());
    const facts = { iss: issuer, sub, subject: sub, iat: now, kid: "", grant, client_id };
    const hit = await this.#log.hit([facts], now);
    if (!hit.ok) return hit;
    if (hit.value) return err(problem("forbidden", "What this token would be good for is revoked."));
    const { list, idx } = placeOf(n);
    return ok({ idx, uri: listUri(issuer, list) });
  }

  /** A revocation came into force, or was lifted. Idempotent. */
  offer({ type, data }: WebhookEvent): Result<null> {
    const { id, match, effect, issued_before, expires_at } = data.revocation as unknown as RevocationRecord;
    if (type === "revocation.lifted") this.#durable.commit(() => this.#store.lift(id));
    const others = Object.keys(match).some((member) => !MEMBERS.includes(member));
    const foreign = match.iss !== undefined && match.iss !== this.#issuer();
    if (type !== "revocation.created" || effect || others || foreign) return ok(null);
    // A rule with a moment spares later tokens of the same grant: they get another index.
    const rule = { id, ...(expires_at === undefined ? {} : { expires_at }) };
    this.#durable.commit(() => this.#store.hit(match, rule, issued_before !== undefined));
    return ok(null);
  }

  /** The bits of one list, not compressed; `not_found` for one of which nothing was given yet. */
  bits(list: number): Result<Uint8Array> {
    const { first, end } = numbersOf(list);
    if (first > Math.max(1, this.#store.given())) {
      return err(problem("not_found", "There is no such status list."));
    }
    const bytes = new Uint8Array(LIST_SIZE / 8);
    const now = epochSeconds(systemClock());
    for (const n of this.#store.invalid(first, end, now)) setInvalid(bytes, placeOf(n).idx);
    return ok(bytes);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  #nextPruneMs(): number | undefined {
    const earliest = this.#store.earliestEnd();
    return earliest === undefined ? undefined : (earliest + 1) * 1000;
  }

  #issuer(): string | undefined {
    const config = readConfig(this.env);
    return config.ok ? config.value.issuer : undefined;
  }
}
