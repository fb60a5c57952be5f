import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import { newSecret } from "../platform/ids.ts";
import type { Outbox } from "../platform/outbox.ts";
import type { Confirmed } from "../platform/passkey-answer.ts";
import { equalText } from "../protocol/equal-text.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  type AuthenticationResponse,
  challengeOf,
  type RegistrationResponse,
  readRegistration,
  verifyAuthentication,
} from "../protocol/webauthn.ts";
import {
  CHALLENGE_SECONDS,
  challengeFor,
  MAX_CHALLENGES,
  MAX_PASSKEYS,
  notConfirmed,
  type Passkey,
} from "./passkey.ts";
import { PasskeyStore } from "./passkey-store.ts";

export type Site = { origin: string; rpId: string };
/** What a person confirms with an answer of theirs. */
export type PasskeyUse = { subject: string; confirms: Confirmed; answer: AuthenticationResponse; site: Site };
export type PasskeyAddition = {
  subject: string;
  name: string;
  answer: RegistrationResponse;
  /** From a passkey that the person has, where they have one. */
  proof?: AuthenticationResponse;
  site: Site;
};

export type PasskeyRemoval = { subject: string; id: string; proof: AuthenticationResponse; site: Site };

type PasskeyRegisterOptions = {
  sql: SqlStorage;
  durable: Pick<Durable, "commit"> & { outbox: Pick<Outbox, "put"> };
  clock: Clock;
};

/**
 * The passkeys of people, and what each of them has confirmed. The first one is whoever's is signed in; every further
 * one, and the removal of one, is confirmed by one that is there, so that a stolen session cannot bring its own.
 */
export class PasskeyRegister {
  readonly #o: PasskeyRegisterOptions;
  readonly #store: PasskeyStore;

  constructor(options: PasskeyRegisterOptions) {
    this.#o = options;
    this.#store = new PasskeyStore(options.sql);
  }

  of(subject: string): Passkey[] {
    return this.#store.of(subject);
  }

  /** A challenge for exactly this; who answers it is checked then. */
  async begin(
    subject: string,
    confirms: Confirmed,
  ): Promise<Result<{ challenge: string; passkeys: Passkey[] }>> {
    const passkeys = this.of(subject);
    if (passkeys.length === 0 && confirms.kind !== "passkey.register") {
      return err(
        notConfirmed("You have no passkey yet. Add one first: POST /v1/passkeys, or in the console."),
      );
    }
    const nonce = newSecret();
    const challenge = await challengeFor(subject, confirms, nonce);
    const now = this.#now();
    const row = { challenge, subject, nonce, expires_at: now + CHALLENGE_SECONDS };
    this.#o.durable.commit(() => this.#store.addChallenge(row, now, MAX_CHALLENGES));
    return ok({ challenge, passkeys });
  }

  /** Whether the person's passkey has confirmed this: the passkey's id. Each challenge is answered once. */
  async use({ subject, confirms, answer, site }: PasskeyUse): Promise<Result<{ passkey_id: string }>> {
    const challenge = await this.#take(subject, confirms, answer.response.clientDataJSON);
    if (!challenge.ok) return challenge;
    const passkey = this.#store.find(answer.id);
    if (passkey?.subject !== subject) return err(notConfirmed("This is no passkey of yours."));
    const verified = await verifyAuthentication(answer, { ...site, challenge: challenge.value }, passkey);
    if (!verified.ok) return err(notConfirmed(`The passkey's answer does not verify: ${verified.error}.`));
    const used = { ...passkey, count: verified.value.count, last_used_at: this.#now() };
    // It may have been removed meanwhile.
    if (!this.#store.find(passkey.id)) return err(notConfirmed("This passkey was removed."));
    this.#o.durable.commit(() => this.#store.put(used));
    return ok({ passkey_id: passkey.id });
  }

  async add({ subject, name, answer, proof, site }: PasskeyAddition): Promise<Result<Passkey>> {
    if (this.of(subject).length > 0) {
      const confirms = { kind: "passkey.add" } as const;
      if (!proof) return err(notConfirmed("Confirm with a passkey that you have: proof is missing."));
      const confirmed = await this.use({ subject, confirms, answer: proof, site });
      if (!confirmed.ok) return confirmed;
    }
    const challenge = await this.#take(subject, { kind: "passkey.register" }, answer.response.clientDataJSON);
    if (!challenge.ok) return challenge;
    const read = await readRegistration(answer, { ...site, challenge: challenge.value });
    if (!read.ok) return err(problem("invalid_request", `The new passkey does not fit: ${read.error}.`));
    const passkeys = this.of(subject);
    // Nothing is awaited from here on: of two that are added at once as the first, one is.
    if (passkeys.length > 0 && !proof)
      return err(problem("conflict", "Another passkey was added meanwhile."));
    if (passkeys.length >= MAX_PASSKEYS) return err(problem("conflict", `At most ${MAX_PASSKEYS} passkeys.`));
    if (this.#store.find(answer.id)) return err(problem("conflict", "This passkey is registered already."));
    const transports = answer.response.transports ?? [];
    const passkey = { id: answer.id, subject, name, transports, created_at: this.#now(), ...read.value };
    this.#o.durable.commit((note) => {
      this.#store.put(passkey);
      this.#putHolder(subject);
      note({ type: "passkey.added", about: subject, data: { passkeys: passkeys.length + 1 } });
    });
    return ok(passkey);
  }

  async remove({ subject, id, proof, site }: PasskeyRemoval): Promise<Result<null>> {
    if (this.#store.find(id)?.subject !== subject)
      return err(problem("not_found", "You have no such passkey."));
    const confirms = { kind: "passkey.remove", passkey_id: id } as const;
    const confirmed = await this.use({ subject, confirms, answer: proof, site });
    if (!confirmed.ok) return confirmed;
    this.#o.durable.commit((note) => {
      this.#store.delete(id);
      this.#putHolder(subject);
      note({ type: "passkey.removed", about: subject, data: { passkeys: this.of(subject).length } });
    });
    return ok(null);
  }

  /** Somebody has lost theirs: they begin anew. */
  reset(subject: string): { removed: number } {
    const removed = this.of(subject).length;
    this.#o.durable.commit((note) => {
      this.#store.deleteAll(subject);
      this.#putHolder(subject);
      note({ type: "passkey.reset", about: subject, data: { removed } });
    });
    return { removed };
  }

  /** The directory knows who has passkeys, and nobody else. */
  #putHolder(subject: string): void {
    const row = { id: "holder", lane: "directory", kind: "directory.holder" };
    this.#o.durable.outbox.put({ ...row, payload: subject });
  }

  /** The challenge of an answer, which is gone with it; it must be for this person and exactly this. */
  async #take(subject: string, confirms: Confirmed, clientDataJSON: string): Promise<Result<string>> {
    const answered = challengeOf(clientDataJSON);
    const row = answered && this.#o.durable.commit(() => this.#store.takeChallenge(answered));
    if (!row || row.expires_at <= this.#now()) {
      return err(notConfirmed("This challenge is not known, was answered, or took too long. Try again."));
    }
    const expected = await challengeFor(subject, confirms, row.nonce);
    if (!equalText(row.challenge, expected))
      return err(notConfirmed("The passkey confirmed something else."));
    return ok(expected);
  }

  #now(): number {
    return epochSeconds(this.#o.clock());
  }
}
