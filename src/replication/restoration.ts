import type { RestorationState, ToWake } from "../protocol/backup.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { RestorationStore } from "./restoration-store.ts";

/** A page that was loaded: its number, the digest with it, and who owes something in it. */
export type LoadedPage = { page: number; digest: string; wake: ToWake[] };

const CLOSED = problem(
  "unavailable",
  "This deployment is being restored from a backup, and refuses everything until that is done.",
);

/**
 * The restoration of the deployment. While one goes on the log says nothing, so that nobody is let in by half of what
 * was. Every step is idempotent: it is gone through again after a crash.
 */
export class Restoration {
  readonly #store: RestorationStore;
  #closed: boolean | undefined;

  constructor(sql: SqlStorage) {
    this.#store = new RestorationStore(sql);
  }

  /** Why the log says nothing now. */
  problem(): Problem | undefined {
    if (this.#closed === undefined) {
      const state = this.#store.read();
      this.#closed = state !== undefined && state.opened_at === undefined;
    }
    return this.#closed ? CLOSED : undefined;
  }

  read(): RestorationState | null {
    return this.#store.read() ?? null;
  }

  /** The state of this restoration, begun where none is. */
  begin(first: RestorationState): Result<RestorationState> {
    const known = this.#store.read();
    if (known?.backup === first.backup && known.whole === first.whole) return ok(known);
    if (known && known.finished_at === undefined) {
      return err(problem("conflict", `The backup ${known.backup} is being restored: go on with that one.`));
    }
    this.#write(first);
    return ok(first);
  }

  /** Notes a page, in its turn. */
  loaded({ page, digest, wake }: LoadedPage): Result<RestorationState> {
    const state = this.#store.read();
    if (state?.loaded !== page - 1) return err(problem("conflict", `Page ${page} is not the next one.`));
    this.#store.addToWake(wake);
    return ok(this.#write({ ...state, loaded: page, digest }));
  }

  /** The log answers from now on. */
  open(nowSeconds: number): RestorationState | null {
    const state = this.#store.read();
    if (!state || state.opened_at !== undefined) return state ?? null;
    return this.#write({ ...state, opened_at: nowSeconds });
  }

  toWake(limit: number): ToWake[] {
    return this.#store.toWake(limit);
  }

  woken(objects: readonly ToWake[]): void {
    this.#store.woken(objects);
  }

  finish(nowSeconds: number): RestorationState | null {
    const state = this.#store.read();
    if (!state || state.finished_at !== undefined) return state ?? null;
    return this.#write({ ...state, finished_at: nowSeconds });
  }

  #write(state: RestorationState): RestorationState {
    this.#store.write(state);
    this.#closed = state.opened_at === undefined;
    return state;
  }
}
