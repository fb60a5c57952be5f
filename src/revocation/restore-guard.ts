import type { Logger } from "../platform/log.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import type { DenylistStore } from "./denylist-store.ts";
import type { FilterStore } from "./filter-store.ts";

/**
 * Builds only rise: a build that others know and this object never made was lost, and denied tokens with it. The
 * object was taken back to an earlier moment alone. From then on it says nothing and changes nothing, so that edges
 * go by KV's lists or refuse, until the restore is undone.
 */
export class RestoreGuard {
  readonly #tokens: DenylistStore;
  readonly #parts: FilterStore;
  readonly #log: Logger;

  constructor(tokens: DenylistStore, parts: FilterStore, log: Logger) {
    this.#tokens = tokens;
    this.#parts = parts;
    this.#log = log;
  }

  /** Takes note of a build that somebody else knows. */
  see(build: number): void {
    if (build <= this.#parts.newestBuild() || this.problem()) return;
    this.#tokens.setState("lost_build", build);
    this.#log("error", "denylist.restored", { lost_build: build });
  }

  /** Why nothing can be said, once something was lost. */
  problem(): Problem | undefined {
    const lost = this.#tokens.state<number>("lost_build");
    if (lost === undefined) return undefined;
    const detail =
      `The list of denied tokens was restored to a moment before build ${lost} of its filter, which edges go by. ` +
      "Undo the restore, or restore the log to the same moment: see docs/revocation.md.";
    return problem("unavailable", detail);
  }
}
