import { auditSink } from "../platform/audit-outbox.ts";
import { CausedObject } from "../platform/caused-object.ts";
import { systemClock } from "../platform/clock.ts";
import { Durable } from "../platform/durable.ts";
import { consoleLogger } from "../platform/log.ts";
import type { Confirmed } from "../platform/passkey-answer.ts";
import { objectPort } from "../platform/rpc.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { Passkey } from "./passkey.ts";
import {
  type PasskeyAddition,
  PasskeyRegister,
  type PasskeyRemoval,
  type PasskeyUse,
} from "./passkey-register.ts";
import { PASSKEY_SCHEMA } from "./passkey-store.ts";

type DirectoryPort = {
  noteHolder(kind: "passkeys", name: string, holds: boolean): Promise<Result<null>>;
};

/** The passkeys of one person (name: the subject), and the challenges that wait for one. Nothing is due but its outbox. */
export class PasskeyObject extends CausedObject {
  readonly #durable: Durable;
  readonly #passkeys: PasskeyRegister;
  readonly #directory: DirectoryPort;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const clock = systemClock;
    const durable = new Durable(ctx, {
      clock,
      log: consoleLogger,
      migrations: [PASSKEY_SCHEMA],
      deliver: { "directory.holder": (row) => this.#tellDirectory(row.payload as string) },
      // Its name is the person's, who may have it erased.
      audit: auditSink(env, () => `passkeys/${ctx.id}`),
    });
    this.#durable = durable;
    this.#directory = objectPort<DirectoryPort>(env.DIRECTORY, "main", { log: consoleLogger });
    this.#passkeys = new PasskeyRegister({ sql: ctx.storage.sql, durable, clock });
  }

  list(subject: string): Result<Passkey[]> {
    return ok(this.#passkeys.of(subject));
  }

  begin(subject: string, confirms: Confirmed): Promise<Result<{ challenge: string; passkeys: Passkey[] }>> {
    return this.#passkeys.begin(subject, confirms);
  }

  add(addition: PasskeyAddition): Promise<Result<Passkey>> {
    return this.#passkeys.add(addition);
  }

  use(use: PasskeyUse): Promise<Result<{ passkey_id: string }>> {
    return this.#passkeys.use(use);
  }

  remove(removal: PasskeyRemoval): Promise<Result<null>> {
    return this.#passkeys.remove(removal);
  }

  reset(subject: string): Result<{ removed: number }> {
    return ok(this.#passkeys.reset(subject));
  }

  override alarm(): Promise<void> {
    return this.#durable.alarm();
  }

  /** As it is by then, so that a late word is never wrong. */
  async #tellDirectory(subject: string): Promise<void> {
    const told = await this.#directory.noteHolder("passkeys", subject, this.#passkeys.of(subject).length > 0);
    if (!told.ok) throw new Error(told.error.detail);
  }
}
