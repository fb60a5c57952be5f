import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { Durable } from "../platform/durable.ts";
import type { Result } from "../protocol/result.ts";
import type { LiveToken } from "../revocation/live-token.ts";
import type { MintedStore } from "./minted-store.ts";

export type MintedTokensOptions = {
  clock: Clock;
  store: MintedStore;
  durable: Pick<Durable, "commit" | "outbox">;
  directory: { putTokens(tokens: LiveToken[]): Promise<Result<null>> };
  /** Called within the write that records the tokens. */
  onRecorded(tokens: readonly LiveToken[]): void;
};

/** Minted tokens wait this long for others, so that the directory takes at most one call a second. */
const HAND_OVER_INTERVAL_MS = 1_000;
const MAX_HANDED_OVER = 2_000;
/** What is signed within this time is recorded by one commit. */
const RECORD_WINDOW_MS = 1;

/** The record of every token that is minted: written before the token leaves, told to the directory within about a second. */
export class MintedTokens {
  readonly #o: MintedTokensOptions;
  /** Signed and not yet recorded: their mints wait for {@link #recording}. */
  readonly #unrecorded: LiveToken[] = [];
  #recording: Promise<void> | undefined;
  /** A row in the outbox is known to cover what is minted from now on. */
  #announced = false;

  constructor(options: MintedTokensOptions) {
    this.#o = options;
  }

  /** Resolves once the token is recorded, together with those that are signed at the same time: one commit for all. */
  record(token: LiveToken): Promise<void> {
    this.#unrecorded.push(token);
    this.#recording ??= sleep(RECORD_WINDOW_MS).then(() => this.#write());
    return this.#recording;
  }

  /** Tells the directory of every token that was recorded before this call. Throws where it does not answer. */
  async handOver(): Promise<void> {
    const { store, directory, clock } = this.#o;
    // From here on a token announces itself: the row that is being delivered does not cover it.
    this.#announced = false;
    store.deleteEnded(epochSeconds(clock()));
    const upTo = store.lastSeq();
    const next = () => store.oldest(upTo, MAX_HANDED_OVER);
    for (let batch = next(); batch; batch = next()) {
      const taken = await directory.putTokens(batch.tokens);
      if (!taken.ok) throw new Error(taken.error.detail);
      store.deleteUpTo(batch.lastSeq);
    }
  }

  #write(): void {
    const { durable, clock } = this.#o;
    this.#recording = undefined;
    const tokens = this.#unrecorded.splice(0);
    if (this.#announced) {
      this.#add(tokens);
      return;
    }
    durable.commit(() => {
      this.#add(tokens);
      const row = { id: "directory.tokens", lane: "directory", kind: "directory.tokens", payload: null };
      durable.outbox.put(row, clock() + HAND_OVER_INTERVAL_MS);
    });
    this.#announced = true;
  }

  #add(tokens: readonly LiveToken[]): void {
    this.#o.store.add(tokens);
    this.#o.onRecorded(tokens);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
