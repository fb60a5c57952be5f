import type { Plugin } from "vitest/config";

/** A bug that is put into the product's source while it is loaded: one text in one file becomes another. */
export type Mutant = {
  file: string;
  find: string;
  replace: string;
  /** One with which the simulation came upon it soon; any other takes longer. */
  seed: number;
  /** What the simulation says of it. */
  caughtAs: RegExp;
};

const BOUND = /VIOLATED bound of /;
const HOLDS = /VIOLATED (?:bound of|a view refuses|nothing un-happens)/;

/** Each breaks a promise in a way that bugs of this kind do. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  "stale cache key": {
    file: "src/replication/delta-cache.ts",
    find: "return tail.from_seq <= seq && seq <= tail.head_seq;",
    replace: "return seq <= tail.head_seq;",
    seed: 2,
    caughtAs: HOLDS,
  },
  "lost outbox row": {
    file: "src/platform/outbox.ts",
    find: "DELETE FROM outbox WHERE seq = ? AND version = ?",
    replace: "DELETE FROM outbox WHERE seq = ? AND ? > 0",
    seed: 2,
    caughtAs: /VIOLATED KV says what the log says/,
  },
  "off-by-one in seq": {
    file: "src/replication/isolate-replica.ts",
    find: "if (seq <= view.seq) continue;",
    replace: "if (seq <= view.seq + 1) continue;",
    seed: 1,
    caughtAs: HOLDS,
  },
  "forgotten tier": {
    file: "src/edge/freshness.ts",
    find: "if (always) return { tier, always, boundMs: 0,",
    replace: "if (always) return { tier, always: false, boundMs: 2_000,",
    seed: 1,
    caughtAs: /VIOLATED bound of strict/,
  },
  "filter false negative": {
    file: "src/revocation/fuse.ts",
    find: "return found === b >>> FINGERPRINT_SHIFT;",
    replace: "return found === b >>> FINGERPRINT_SHIFT && found > 100;",
    seed: 1,
    caughtAs: HOLDS,
  },
  "snapshot older than delta": {
    file: "src/replication/isolate-replica.ts",
    find: "this.#adopt(snapshot, snapshot.at_ms)",
    replace: "this.#adopt(snapshot, this.#o.clock())",
    seed: 5,
    caughtAs: BOUND,
  },
  "snapshot over a newer view": {
    file: "src/replication/isolate-replica.ts",
    find: "if (this.#view && this.#view.seq > snapshot.seq) return ok(this.#view);",
    replace: "",
    seed: 11,
    caughtAs: HOLDS,
  },
  "age counted from the answer": {
    file: "src/replication/isolate-replica.ts",
    find: "Math.min(askedAtMs, sharedAtMs)",
    replace: "this.#o.clock()",
    seed: 1,
    caughtAs: BOUND,
  },
  "a lift that lifts its neighbours": {
    file: "src/revocation/rule-index.ts",
    find: ".filter((other) => other.id !== rule.id)",
    replace: ".filter(() => false)",
    seed: 2,
    caughtAs: HOLDS,
  },
  "no KV in an outage": {
    file: "src/replication/isolate-replica.ts",
    find: "await this.#catchUpFromKv();",
    replace: "",
    seed: 5,
    caughtAs: /VIOLATED bound of eventual/,
  },
  "a second after the end": {
    file: "src/tokens/claims.ts",
    find: "OWN_EXPIRY_TOLERANCE_SECONDS = 0",
    replace: "OWN_EXPIRY_TOLERANCE_SECONDS = 1",
    seed: 2,
    caughtAs: /VIOLATED time ends access/,
  },
  "KV without a time-out": {
    file: "src/replication/isolate-replica.ts",
    find: "const snapshot = await withTimeout(read, KV_TIMEOUT_MS);",
    replace: "const snapshot = await read;",
    seed: 5,
    // What waits for the request that hangs looks again every few milliseconds: the one or the other comes first.
    caughtAs: /VIOLATED every call is decided|something spins/,
  },
  "only the first asks anew": {
    file: "src/edge/freshness.ts",
    find: "const theirs = await this.#othersRecheck(view);",
    replace: "const theirs = undefined;\n      this.#rechecking = false;",
    seed: 5,
    caughtAs: /VIOLATED no refusal without a rule/,
  },
  "an import that nobody waits for": {
    file: "src/revocation/denylist-object.ts",
    find: "this.#state.wanted?.due_ms,",
    replace: "",
    seed: 1,
    caughtAs: /VIOLATED what is stored is published|VIOLATED bound of/,
  },
  "living entries swept away": {
    file: "src/revocation/denylist-store.ts",
    find: "hi < ? AND expires_at <= ? RETURNING hi",
    replace: "hi < ? AND expires_at >= ? RETURNING hi",
    seed: 1,
    caughtAs: /VIOLATED nothing acknowledged is lost/,
  },
  "rules dropped before the filter is there": {
    file: "src/replication/compaction.ts",
    find: "    await this.#published();\n    const { clock, rules, apply }",
    replace: "    void this.#published();\n    const { clock, rules, apply }",
    seed: 1,
    caughtAs: HOLDS,
  },
  "a lift that leaves the token on the list": {
    file: "src/replication/compaction.ts",
    find: "rule: logged.rule.id };\n    unwrapped",
    replace: "rule: logged.id };\n    unwrapped",
    seed: 1,
    caughtAs: /VIOLATED nothing acknowledged is lost: .* is listed until/,
  },
  "an alarm that is always due": {
    file: "src/platform/outbox.ts",
    find: "next_at_ms = MAX(?, not_before_ms)",
    replace: "next_at_ms = ?",
    seed: 6,
    caughtAs: /something spins/,
  },
};

/** Plants the bug that the name stands for, if any. Throws where the source has changed and it has no place any more. */
export function plant(name: string | undefined): Plugin {
  const mutant = name === undefined ? undefined : MUTANTS[name];
  if (name !== undefined && !mutant) throw new Error(`there is no bug "${name}"`);
  return {
    name: "planted-bug",
    enforce: "pre",
    // Vitest keeps what it has transformed, also for other runs.
    configureVitest({ defineCacheKeyGenerator }) {
      if (name !== undefined) defineCacheKeyGenerator(() => `planted: ${name}`);
    },
    transform(code, id) {
      if (!mutant || !id.endsWith(`/${mutant.file}`)) return undefined;
      return applied(mutant, code);
    },
  };
}

export function applied({ file, find, replace }: Mutant, code: string): string {
  const parts = code.split(find);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${find}`);
  return parts.join(replace);
}
