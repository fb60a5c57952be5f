import { isId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { DenialInput } from "./denied-token.ts";
import type { LiveTokens } from "./live-token.ts";

export type ImportGuardDeps = {
  live: Pick<LiveTokens, "flush" | "among">;
  issuer: string;
  /** What one person may cut without another. */
  confirmAbove(): Promise<Result<number>>;
};

/** Live tokens that are told apart; beyond it one that is named twice counts twice. */
const MAX_REMEMBERED = 100_000;
/** Ids of one question, about 700 KB. */
const IDS_AT_ONCE = 20_000;

/** Counts how many live tokens of ours an import names, as it goes along. */
export class ImportGuard {
  readonly #deps: ImportGuardDeps;
  readonly #seen = new Set<string>();
  #limit: number | undefined;
  #count = 0;

  constructor(deps: ImportGuardDeps) {
    this.#deps = deps;
  }

  /** So far; `exact` is false where a token that is named twice may have counted twice. */
  get named(): { tokens: number; exact: boolean } {
    return { tokens: this.#count, exact: this.#count <= MAX_REMEMBERED };
  }

  /** Takes a batch into account. */
  async count(tokens: readonly DenialInput[]): Promise<Result<null>> {
    const { issuer, live } = this.#deps;
    // Every token of ours has an id of this form; a list of others costs nothing.
    const ours = tokens.filter(({ jti, iss = issuer }) => iss === issuer && isId("tok", jti));
    for (let i = 0; i < ours.length; i += IDS_AT_ONCE) {
      const flushed = i === 0 ? await live.flush() : ok(null);
      if (!flushed.ok) return flushed;
      const found = await live.among(ours.slice(i, i + IDS_AT_ONCE).map(({ jti }) => jti));
      if (!found.ok) return found;
      for (const jti of found.value) this.#note(jti);
    }
    return ok(null);
  }

  /** `forbidden` where the batch, with all before it, would cut more than one person may. */
  async check(tokens: readonly DenialInput[]): Promise<Result<null>> {
    const counted = await this.count(tokens);
    const limit = counted.ok ? await this.#limitOnce() : counted;
    if (!counted.ok || !limit.ok) return err(problem("unavailable", UNCOUNTED));
    if (this.#count <= limit.value) return ok(null);
    const detail =
      `It names more than ${limit.value} live tokens, which is more than one person may cut. What was stored before ` +
      "stands. Revoke their subject, client or grant by a rule, which a second person confirms, or send the import " +
      "with emergency=true, of which everybody is told.";
    return err(problem("forbidden", detail, { live_tokens: this.#count, confirm_above: limit.value }));
  }

  #note(jti: string): void {
    if (this.#seen.has(jti)) return;
    this.#count++;
    if (this.#seen.size < MAX_REMEMBERED) this.#seen.add(jti);
  }

  async #limitOnce(): Promise<Result<number>> {
    if (this.#limit !== undefined) return ok(this.#limit);
    const limit = await this.#deps.confirmAbove();
    if (limit.ok) this.#limit = limit.value;
    return limit;
  }
}

const UNCOUNTED =
  "It could not be counted how many live tokens the import names. What was stored before stands. Try again, or send " +
  "it with emergency=true, which asks for no count.";
