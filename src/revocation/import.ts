import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import { sha256Bytes, utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type DenialInput, namesOneToken, tokenOfRule } from "./denied-token.ts";
import type { DenylistPort } from "./denylist-port.ts";
import { ImportGuard } from "./import-guard.ts";
import { type ImportLine, parseImportLine } from "./import-line.ts";
import type { Line } from "./line-splitter.ts";
import type { Receipt } from "./receipt.ts";
import { type RevokeDeps, revoke } from "./revoke.ts";

export type ImportDeps = {
  denylist: Pick<DenylistPort, "addBatch" | "removeBatch" | "publish">;
  revoke: RevokeDeps;
  /** Tells everybody that an import asks for no second person, once for each event id. */
  announce(eventId: string, actor: string): Promise<Result<null>>;
  clock: Clock;
};

export type ImportOptions = {
  actor: string;
  nowSeconds: number;
  /** Wait until everything is effective; otherwise it is loaded for a later import that publishes. */
  publish: boolean;
  /** Take the tokens off the list instead. */
  lift: boolean;
  /** Take them in whatever they cut, without a count; everybody is told. */
  emergency: boolean;
  /** Change nothing: only say what would be cut. */
  dryRun: boolean;
};

/** What became of an import's lines. The receipt is there where something is in force that they name. */
export type ImportOutcome = {
  accepted: number;
  unchanged: number;
  refused: number;
  /** The first hundred lines that were refused, and why. */
  errors: { line: number; error: string }[];
  /** Rules that wait for a second person; they count as refused until then. */
  awaiting_confirmation?: string[];
  receipt?: Receipt;
};

/** What an import would do. Rules are not counted: ask about each by a dry run of its own. */
export type ImportDryRun = {
  dry_run: true;
  /** Good lines that name one token, and those that are rules. */
  tokens: number;
  rules: number;
  refused: number;
  errors: ImportOutcome["errors"];
  /** Live tokens of ours that are named. */
  would_cut: { tokens: number };
  exact: boolean;
};

/** Stored in the order of random hashes: the larger a batch, the fewer pages each of its tokens costs. */
const BATCH_TOKENS = 50_000;
/** What a batch may hold of the isolate's memory, and of the 32 MiB of a call. */
const BATCH_CHARS = 8 * 1024 * 1024;
/** Rules are entries of the log, each of them in every replica. */
const MAX_RULES = 10_000;
const RULES_AT_ONCE = 16;
const MAX_ERRORS = 100;
/** How long the answer waits for the publication; what is stored is published by itself later. */
const PUBLISH_TIMEOUT_MS = 120_000;

type NumberedRule = Extract<ImportLine, { kind: "rule" }> & { line: number };

/** One import. Holds a batch at a time, whatever the number of lines. The same lines again change nothing. */
export class Import {
  readonly #deps: ImportDeps;
  readonly #o: ImportOptions;
  readonly #guard: ImportGuard;
  readonly #outcome: ImportOutcome = { accepted: 0, unchanged: 0, refused: 0, errors: [] };
  #tokens: DenialInput[] = [];
  #chars = 0;
  #rules: NumberedRule[] = [];
  #rulesSeen = 0;
  #tokensSeen = 0;
  #announced = false;

  constructor(deps: ImportDeps, options: ImportOptions) {
    this.#deps = deps;
    this.#o = options;
    this.#guard = new ImportGuard(deps.revoke);
  }

  /** Reads a line; true where {@link flush} must come before the next one. */
  add(line: Line): boolean {
    const parsed = "fault" in line ? err(line.fault) : parseImportLine(line.text, this.#o.nowSeconds);
    if (!parsed.ok) this.#refuse(line.line, parsed.error);
    else if (parsed.value.kind === "token") this.#addToken(parsed.value.token);
    else this.#addRule({ ...parsed.value, line: line.line });
    return (
      this.#tokens.length >= BATCH_TOKENS || this.#chars >= BATCH_CHARS || this.#rules.length >= RULES_AT_ONCE
    );
  }

  /** Stores what was read; after this it is not lost. */
  async flush(): Promise<Result<null>> {
    const rules = this.#rules;
    this.#rules = [];
    if (this.#o.dryRun) return this.#countTokens(rules.length);
    const done = await Promise.all(rules.map((rule) => this.#revoke(rule)));
    const failed = done.find((result) => !result.ok);
    if (failed) return failed;
    return this.#flushTokens();
  }

  /** What became of all lines, once what they name is in force. */
  async finish(): Promise<Result<ImportOutcome | ImportDryRun>> {
    const flushed = await this.flush();
    if (!flushed.ok) return flushed;
    if (this.#o.dryRun) return ok(this.#dryRun());
    if (!this.#o.publish) return ok(this.#outcome);
    const published = await this.#publish();
    if (!published.ok) return published;
    this.#noteReceipt(published.value);
    return ok(this.#outcome);
  }

  /** How far it came, for an answer that has to say that it stopped. */
  get progress(): { accepted: number; unchanged: number; refused: number } {
    const { accepted, unchanged, refused } = this.#outcome;
    return { accepted, unchanged, refused };
  }

  #refuse(line: number, error: string): void {
    this.#outcome.refused++;
    if (this.#outcome.errors.length < MAX_ERRORS) this.#outcome.errors.push({ line, error });
  }

  #addToken(token: DenialInput): void {
    this.#tokens.push(token);
    this.#chars += token.jti.length + (token.iss?.length ?? 0) + (token.reason?.length ?? 0) + 64;
  }

  #addRule(rule: NumberedRule): void {
    if (this.#o.lift) this.#refuse(rule.line, "is a rule; lift it with DELETE /v1/revocations/{id}");
    else this.#rules.push(rule);
  }

  async #flushTokens(): Promise<Result<null>> {
    const { actor, publish, lift } = this.#o;
    const tokens = this.#tokens;
    this.#tokens = [];
    this.#chars = 0;
    if (tokens.length === 0) return ok(null);
    const allowed = lift ? ok(null) : await this.#allow(tokens);
    if (!allowed.ok) return allowed;
    const { denylist } = this.#deps;
    const batch = { tokens, actor, publish };
    const stored = await (lift ? denylist.removeBatch(batch) : denylist.addBatch(batch));
    if (!stored.ok) return stored;
    this.#outcome.accepted += stored.value.accepted;
    this.#outcome.unchanged += stored.value.unchanged;
    return ok(null);
  }

  /** Whether one person may cut this: few live tokens, or an emergency that everybody has been told of. */
  async #allow(tokens: readonly DenialInput[]): Promise<Result<null>> {
    if (!this.#o.emergency) return this.#guard.check(tokens);
    if (this.#announced) return ok(null);
    const eventId = newId("evt", this.#deps.clock());
    const told = await this.#deps.announce(eventId, this.#o.actor);
    this.#announced = told.ok;
    return told;
  }

  async #countTokens(rules: number): Promise<Result<null>> {
    const tokens = this.#tokens;
    this.#tokens = [];
    this.#chars = 0;
    this.#rulesSeen += rules;
    this.#tokensSeen += tokens.length;
    return this.#guard.count(tokens);
  }

  #dryRun(): ImportDryRun {
    const { refused, errors } = this.#outcome;
    const { tokens, exact } = this.#guard.named;
    const lines = { tokens: this.#tokensSeen, rules: this.#rulesSeen, refused, errors };
    return { dry_run: true, ...lines, would_cut: { tokens }, exact };
  }

  async #revoke({ line, rule, id: given }: NumberedRule): Promise<Result<null>> {
    const id = given ?? (await contentId(rule));
    const { log } = this.#deps.revoke;
    const known = await log.revocation(id);
    if (known.ok) return this.#alreadyKnown(line, id, known.value.state);
    if (known.error.code !== "not_found") return known;
    if (namesOneToken(rule)) {
      this.#addToken(tokenOfRule(rule));
      return ok(null);
    }
    if (++this.#rulesSeen > MAX_RULES) {
      this.#refuse(line, `is a rule beyond the ${MAX_RULES} that one import may add`);
      return ok(null);
    }
    const { actor, nowSeconds } = this.#o;
    const revoked = await revoke(rule, { id, fresh: true }, actor, nowSeconds, this.#deps.revoke);
    if (!revoked.ok) {
      if (revoked.error.code === "unavailable") return revoked;
      this.#refuse(line, revoked.error.detail);
      return ok(null);
    }
    if (revoked.value.kind === "held_back") return this.#alreadyKnown(line, id, "awaiting_confirmation");
    this.#outcome.accepted++;
    this.#noteReceipt(revoked.value.receipt);
    return ok(null);
  }

  async #alreadyKnown(line: number, id: string, state: string): Promise<Result<null>> {
    if (state === "in_force" || state === "expired") {
      this.#outcome.unchanged++;
      const receipt = await this.#deps.revoke.log.revocationReceipt(id);
      if (receipt.ok) this.#noteReceipt(receipt.value);
    } else if (state === "awaiting_confirmation") {
      this.#outcome.awaiting_confirmation = [...(this.#outcome.awaiting_confirmation ?? []), id];
      this.#refuse(line, `waits for a second person: POST /v1/revocations/${id}/confirm`);
    } else {
      this.#refuse(
        line,
        `is a rule that was made before and is ${state}; make a new one with POST /v1/revocations`,
      );
    }
    return ok(null);
  }

  /** The one that is later in the log holds for the other as well. */
  #noteReceipt(receipt: Receipt | undefined): void {
    if (receipt && receipt.seq > (this.#outcome.receipt?.seq ?? 0)) this.#outcome.receipt = receipt;
  }

  async #publish(): Promise<Result<Receipt | undefined>> {
    const { clock, denylist } = this.#deps;
    const startedMs = clock();
    let upTo: number | undefined;
    let failure = problem("unavailable", "");
    while (clock() - startedMs < PUBLISH_TIMEOUT_MS) {
      const state = await denylist.publish(upTo);
      if (!state.ok) {
        failure = state.error;
        await pause();
        continue;
      }
      if (state.value.done) return ok(state.value.receipt);
      upTo = state.value.up_to;
    }
    const detail =
      "Everything was stored but is not published yet; that goes on by itself. Send it again for the receipt.";
    return err({ ...failure, detail });
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 500));
}

const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";

/** The id of a rule that came without one: the same content is the same rule, however often it is sent. */
async function contentId({
  match,
  effect,
  issued_before,
  reason,
  expires_at,
}: NumberedRule["rule"]): Promise<string> {
  const members = Object.entries(match).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([members, issued_before ?? null, reason, expires_at ?? null, effect]);
  const digest = await sha256Bytes(utf8(text));
  return `rev_${Array.from(digest.subarray(0, 26), (byte) => CROCKFORD[byte & 31]).join("")}`;
}
