import type { Durable } from "../platform/durable.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { RecordStore } from "./record-store.ts";

/** Which client has which stream; what the stream is, its own object knows. Times are epoch seconds. */
export type StreamEntry = { id: string; client_id: string; created_at: number };

type StreamRegisterOptions = {
  sql: SqlStorage;
  durable: Pick<Durable, "commit">;
  /** Whether a client is registered and may act. */
  isLive(clientId: string): boolean;
};

/** How many streams a deployment has: each is told of every revocation. */
const MAX_STREAMS = 100;

/** The streams of a deployment: one for a client. */
export class StreamRegister {
  readonly #o: StreamRegisterOptions;
  readonly #records: RecordStore<StreamEntry>;

  constructor(options: StreamRegisterOptions) {
    this.#o = options;
    this.#records = new RecordStore(options.sql, "streams");
  }

  /** The client's entry: the one that it has, or this one. */
  open(entry: StreamEntry): Result<StreamEntry> {
    const known = this.all().find(({ client_id }) => client_id === entry.client_id);
    if (known) return ok(known);
    if (!this.#o.isLive(entry.client_id)) {
      return err(problem("forbidden", "A stream is for a registered client; this one is none."));
    }
    if (this.all().length >= MAX_STREAMS) {
      return err(problem("conflict", `There are ${MAX_STREAMS} streams already: delete one first.`));
    }
    this.#o.durable.commit((note) => {
      this.#records.insert(entry);
      note({ type: "stream.created", about: entry.client_id, data: { stream: entry.id } });
    });
    return ok(entry);
  }

  /** Repeated, it answers the same. */
  close(id: string, now: number): void {
    const entry = this.#records.find(id);
    if (!entry) return;
    this.#o.durable.commit((note) => {
      this.#records.delete(entry, { at: now });
      note({ type: "stream.deleted", about: entry.client_id, data: { stream: id } });
    });
  }

  ofClient(clientId: string): StreamEntry | undefined {
    return this.all().find(({ client_id }) => client_id === clientId);
  }

  /** Those whose client may act: one that is disabled or deleted is told nothing. */
  live(): StreamEntry[] {
    return this.all().filter(({ client_id }) => this.#o.isLive(client_id));
  }

  all(): StreamEntry[] {
    return this.#records.list(MAX_STREAMS, undefined).items;
  }
}
