import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { type Clock, epochSeconds, systemClock } from "../platform/clock.ts";
import { Durable, type Swept } from "../platform/durable.ts";
import { secureRandom } from "../platform/ids.ts";
import { consoleLogger } from "../platform/log.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  DEVICE_LOGIN_SECONDS,
  type DeviceDecision,
  type DeviceLogin,
  type DevicePoll,
  decideLogin,
  POLL_INTERVAL_SECONDS,
  pollLogin,
  type ShownLogin,
  userCodeOf,
} from "./device-login.ts";
import { DEVICE_LOGIN_MIGRATIONS, DeviceLoginStore } from "./device-login-store.ts";
import { deviceLoginNote } from "./session-note.ts";

/** Nobody has to authenticate to begin one: what would fill the store is refused. */
const MAX_LOGINS = 10_000;
const MAX_OF_ADDRESS = 100;
/** A little later, so that the device still hears that its login is over. */
const PRUNE_DELAY_MS = 60_000;

const UNKNOWN = problem(
  "not_found",
  "There is no such code. Compare it with what the device shows; it is good for ten minutes.",
);
const TOO_MANY = problem(
  "too_many_requests",
  "Too many devices wait for a person here. Try again in some minutes.",
);

/** Sign-ins of devices that have no browser (RFC 8628), one object for the deployment (`main`). */
export class DeviceLoginObject extends CausedObject {
  readonly #clock: Clock;
  readonly #store: DeviceLoginStore;
  readonly #durable: Durable;

  constructor(ctx: DurableObjectState, env: Env, clock: Clock = systemClock) {
    super(ctx, env);
    this.#clock = clock;
    this.#store = new DeviceLoginStore(ctx.storage.sql);
    this.#durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: DEVICE_LOGIN_MIGRATIONS,
      deliver: {},
      audit: auditSink(env, () => "device_logins"),
      nextDueMs: () => this.#nextPruneMs(),
      onDue: (nowMs) => this.#store.prune(epochSeconds(nowMs - PRUNE_DELAY_MS)),
    });
  }

  /** Idempotent by the device's code. */
  begin(
    ask: Pick<DeviceLogin, "device_hash" | "client_id" | "scopes" | "address">,
  ): Result<{ user_code: string }> {
    const known = this.#store.byDevice(ask.device_hash);
    if (known) return ok({ user_code: known.user_code });
    const { all, ofAddress } = this.#store.counts(ask.address);
    if (all >= MAX_LOGINS || ofAddress >= MAX_OF_ADDRESS) return err(TOO_MANY);
    const nowMs = this.#clock();
    const begun_at = epochSeconds(nowMs);
    const user_code = this.#freeCode();
    const login: DeviceLogin = {
      ...ask,
      user_code,
      begun_at,
      expires_at: begun_at + DEVICE_LOGIN_SECONDS,
      interval_seconds: POLL_INTERVAL_SECONDS,
      next_poll_ms: nowMs,
      decided: "pending",
    };
    this.#durable.commit(() => this.#store.write(login));
    return ok({ user_code });
  }

  /** What the person is asked; `not_found` for what nobody waits for. */
  look(userCode: string): Result<ShownLogin> {
    const login = this.#store.byUserCode(userCode);
    const waits = login?.decided === "pending" && epochSeconds(this.#clock()) < login.expires_at;
    if (!login || !waits) return err(UNKNOWN);
    const { user_code, client_id, scopes, address, begun_at } = login;
    return ok({ user_code, client_id, ...(scopes ? { scopes } : {}), address, begun_at });
  }

  decide(userCode: string, decision: DeviceDecision): Result<null> {
    const login = this.#store.byUserCode(userCode);
    if (!login) return err(UNKNOWN);
    const decided = decideLogin(login, decision, epochSeconds(this.#clock()));
    if (!decided.ok) return decided;
    this.#durable.commit((note) => {
      this.#store.write(decided.value);
      if (decided.value !== login) note(deviceLoginNote(decided.value));
    });
    return ok(null);
  }

  poll(deviceHash: string, clientId: string): Result<DevicePoll> {
    const login = this.#store.byDevice(deviceHash);
    if (!login || login.client_id !== clientId) return ok({ state: "unknown" });
    const polled = pollLogin(login, this.#clock());
    if (polled.login !== login) this.#durable.commit(() => this.#store.write(polled.login));
    return ok(polled.told);
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  async sweep(): Promise<Result<Swept>> {
    return ok(await this.#durable.sweep());
  }

  #freeCode(): string {
    for (;;) {
      const code = userCodeOf(secureRandom(32));
      if (code !== undefined && !this.#store.byUserCode(code)) return code;
    }
  }

  #nextPruneMs(): number | undefined {
    const end = this.#store.earliestEnd();
    return end === undefined ? undefined : end * 1000 + PRUNE_DELAY_MS;
  }
}
