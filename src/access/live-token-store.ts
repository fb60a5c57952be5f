import {
  type CutToken,
  type LiveCount,
  type LiveToken,
  type OwnMatch,
  SAMPLE_SIZE,
  type WouldCut,
} from "../revocation/live-token.ts";
import { PROBE_ACTOR } from "../revocation/rule.ts";

/**
 * `held` counts the rows, so that nobody has to; until `dropped_until` some token may be alive that was
 * dropped because the index was full.
 */
export const LIVE_TOKEN_SCHEMA = `
  CREATE TABLE live_tokens (
    jti TEXT NOT NULL UNIQUE,
    sub TEXT NOT NULL,
    client_id TEXT NOT NULL,
    grant_id TEXT,
    session TEXT,
    jkt TEXT,
    kid TEXT NOT NULL,
    aud TEXT NOT NULL,
    iat INTEGER NOT NULL,
    exp INTEGER NOT NULL
  );
  CREATE INDEX live_tokens_sub ON live_tokens (sub);
  CREATE INDEX live_tokens_client ON live_tokens (client_id);
  CREATE INDEX live_tokens_grant ON live_tokens (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX live_tokens_session ON live_tokens (session) WHERE session IS NOT NULL;
  CREATE INDEX live_tokens_jkt ON live_tokens (jkt) WHERE jkt IS NOT NULL;
  CREATE INDEX live_tokens_kid ON live_tokens (kid);
  CREATE INDEX live_tokens_exp ON live_tokens (exp);
  CREATE TABLE live_token_state (held INTEGER NOT NULL, dropped_until INTEGER NOT NULL);
  INSERT INTO live_token_state VALUES (0, 0);
`;

/** What `held` is where the rows were written otherwise. */
export const RECOUNT = "UPDATE live_token_state SET held = (SELECT COUNT(*) FROM live_tokens)";

/** About 1.3 GB with its indexes. Beyond it those go that end first. */
const MAX_LIVE_TOKENS = 5_000_000;

const COLUMNS: Record<keyof OwnMatch, string> = {
  jti: "jti",
  grant: "grant_id",
  session: "session",
  sub: "sub",
  client_id: "client_id",
  jkt: "jkt",
  kid: "kid",
};

/** Rows written, counted by SQLite itself: indexes are not among them. */
const CHANGES = "SELECT changes() AS n";

/** All SQL of the index of live tokens. */
export class LiveTokenStore {
  readonly #sql: SqlStorage;
  readonly #max: number;

  constructor(sql: SqlStorage, max = MAX_LIVE_TOKENS) {
    this.#sql = sql;
    this.#max = max;
  }

  /** Adds tokens, each once; what is over already is left out, and the canary's: they open nothing. */
  put(tokens: readonly LiveToken[], now: number): void {
    // One JSON parameter: SQLite limits how many there may be, and one statement is quicker than thousands.
    this.#sql.exec(
      `INSERT OR IGNORE INTO live_tokens
       SELECT value ->> 'jti', value ->> 'sub', value ->> 'client_id', value ->> 'grant', value ->> 'session',
         value ->> 'jkt', value ->> 'kid', value ->> 'aud', value ->> 'iat', value ->> 'exp'
       FROM json_each(?) WHERE value ->> 'exp' > ? AND value ->> 'client_id' <> ?`,
      JSON.stringify(tokens),
      now,
      PROBE_ACTOR,
    );
    this.#addHeld(this.#changes());
    this.#dropBeyondMax();
  }

  count(match: OwnMatch, issuedBefore: number | undefined, now: number): LiveCount {
    const { where, bindings } = conditions(match, issuedBefore, now);
    const would_cut = this.#sql.exec<WouldCut>(countQuery(where), ...bindings).one();
    const sample = this.#sql
      .exec<Required<CutToken>>(
        `SELECT jti, sub, client_id, grant_id AS "grant", exp FROM live_tokens WHERE ${where} ORDER BY rowid LIMIT ?`,
        ...bindings,
        SAMPLE_SIZE,
      )
      .toArray()
      .map(({ grant, ...token }): CutToken => (grant === null ? token : { ...token, grant }));
    return { would_cut, exact: this.#state().dropped_until <= now, sample };
  }

  /** Those of the ids that name a token that is not over. */
  among(jtis: readonly string[], now: number): string[] {
    return this.#sql
      .exec<{ jti: string }>(
        "SELECT jti FROM live_tokens WHERE jti IN (SELECT value FROM json_each(?)) AND +exp > ?",
        JSON.stringify(jtis),
        now,
      )
      .toArray()
      .map(({ jti }) => jti);
  }

  /** When the first token ends, epoch seconds. */
  earliestEnd(): number | undefined {
    return (
      this.#sql.exec<{ exp: number | null }>("SELECT MIN(exp) AS exp FROM live_tokens").one().exp ?? undefined
    );
  }

  /** Forgets at most `limit` tokens that are over; answers how many. */
  prune(now: number, limit: number): number {
    this.#sql.exec(
      "DELETE FROM live_tokens WHERE rowid IN (SELECT rowid FROM live_tokens WHERE exp <= ? ORDER BY exp LIMIT ?)",
      now,
      limit,
    );
    const removed = this.#changes();
    this.#addHeld(-removed);
    return removed;
  }

  #dropBeyondMax(): void {
    const excess = this.#state().held - this.#max;
    if (excess <= 0) return;
    const first = "FROM live_tokens ORDER BY exp LIMIT ?";
    const { until } = this.#sql
      .exec<{ until: number }>(`SELECT MAX(exp) AS until FROM (SELECT exp ${first})`, excess)
      .one();
    this.#sql.exec(`DELETE FROM live_tokens WHERE rowid IN (SELECT rowid ${first})`, excess);
    this.#addHeld(-excess);
    this.#sql.exec("UPDATE live_token_state SET dropped_until = max(dropped_until, ?)", until);
  }

  #changes(): number {
    return this.#sql.exec<{ n: number }>(CHANGES).one().n;
  }

  #addHeld(change: number): void {
    this.#sql.exec("UPDATE live_token_state SET held = held + ?", change);
  }

  #state(): { held: number; dropped_until: number } {
    return this.#sql.exec<{ held: number; dropped_until: number }>("SELECT * FROM live_token_state").one();
  }
}

function countQuery(where: string): string {
  return `SELECT COUNT(*) AS tokens, COUNT(DISTINCT grant_id) AS grants, COUNT(DISTINCT sub) AS subjects,
    COUNT(DISTINCT client_id) AS clients FROM live_tokens WHERE ${where}`;
}

function conditions(match: OwnMatch, issuedBefore: number | undefined, now: number) {
  // The plus keeps the index on the end of a token out of it: nearly every row is alive.
  const parts = ["+exp > ?"];
  const bindings: (string | number)[] = [now];
  for (const [member, column] of Object.entries(COLUMNS)) {
    const value = match[member as keyof OwnMatch];
    if (value === undefined) continue;
    parts.push(`${column} = ?`);
    bindings.push(value);
  }
  if (issuedBefore !== undefined) {
    parts.push("iat < ?");
    bindings.push(issuedBefore);
  }
  return { where: parts.join(" AND "), bindings };
}
