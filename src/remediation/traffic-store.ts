import { type AgesByTier, sumOfAges } from "./histogram.ts";
import {
  type DecisionCounts,
  noTraffic,
  type RefusedToken,
  sumOfDecisions,
  sumOfTallies,
  type Tally,
} from "./traffic.ts";

export const TRAFFIC_MIGRATIONS = [
  `CREATE TABLE reporters (isolate TEXT PRIMARY KEY, n INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE running (id INTEGER PRIMARY KEY CHECK (id = 0), minute INTEGER NOT NULL, tally TEXT NOT NULL);
   CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 0), tally TEXT NOT NULL);
   CREATE TABLE minutes (minute INTEGER PRIMARY KEY, decisions TEXT NOT NULL);
   CREATE TABLE hours (hour INTEGER PRIMARY KEY, decisions TEXT NOT NULL, ages TEXT NOT NULL);
   CREATE TABLE refused_tokens (
     hour INTEGER NOT NULL,
     iss TEXT NOT NULL,
     jti TEXT NOT NULL,
     refused INTEGER NOT NULL,
     PRIMARY KEY (hour, iss, jti)
   ) WITHOUT ROWID;
   CREATE INDEX refused_tokens_by_count ON refused_tokens (hour, refused);`,
];

/** Tokens that are told apart in one hour. */
export const MAX_TOKENS_AN_HOUR = 1_000;

const LAST = Number.MAX_SAFE_INTEGER;

type Running = { minute: number; tally: Tally };
type Counted = { at: number; decisions: DecisionCounts };

/** All SQL of a shard of the traffic. */
export class TrafficStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Whether the isolate has not made this report before. */
  isNew(isolate: string, n: number, nowMs: number): boolean {
    const written = this.#sql.exec(
      `INSERT INTO reporters VALUES (?, ?, ?)
       ON CONFLICT (isolate) DO UPDATE SET n = excluded.n, at_ms = excluded.at_ms WHERE n < excluded.n
       RETURNING n`,
      isolate,
      n,
      nowMs,
    );
    return written.toArray().length > 0;
  }

  /** Adds to the minute that runs. One that is over is added to its hour and to all, and keeps its decisions. */
  add(tally: Tally, minute: number): void {
    const running = this.#running();
    if (running && running.minute !== minute) this.#close(running);
    const before = running?.minute === minute ? running.tally : noTraffic();
    const sum = JSON.stringify(sumOfTallies(before, tally));
    this.#sql.exec("INSERT OR REPLACE INTO running VALUES (0, ?, ?)", minute, sum);
  }

  /**
   * Adds to the tokens of an hour. Where there are more than can be told apart, the one with the fewest gives its
   * place and its count to the new one (space-saving): a count may be too high, and what is often is never left out.
   */
  addTokens(tokens: readonly RefusedToken[], hour: number): void {
    let places = MAX_TOKENS_AN_HOUR - this.#tokensOf(hour);
    for (const { iss, jti, refused } of tokens) {
      if (this.#addToToken(hour, iss, jti, refused)) continue;
      const taken = places > 0 ? 0 : this.#giveUpFewest(hour);
      if (places > 0) places--;
      this.#sql.exec("INSERT INTO refused_tokens VALUES (?, ?, ?, ?)", hour, iss, jti, taken + refused);
    }
  }

  totals(): Tally {
    const row = this.#sql.exec<{ tally: string }>("SELECT tally FROM totals").toArray()[0];
    const before: Tally = row ? JSON.parse(row.tally) : noTraffic();
    const running = this.#running();
    return running ? sumOfTallies(before, running.tally) : before;
  }

  agesSince(hour: number): AgesByTier {
    const ages = this.#hours(hour, LAST).reduce<AgesByTier>((sum, row) => sumOfAges(sum, row.ages), {});
    const running = this.#running();
    return running ? sumOfAges(ages, running.tally.ages) : ages;
  }

  /** By the minute; times in epoch minutes, `until` is not among them. */
  minutes(since: number, until: number): Counted[] {
    const over = this.#minutes(since, until);
    const running = this.#running();
    return running && running.minute >= since && running.minute < until
      ? [...over, { at: running.minute, decisions: running.tally.decisions }]
      : over;
  }

  /** By the hour; times in epoch hours, `until` is not among them. */
  hours(since: number, until: number): Counted[] {
    const over = this.#hours(since, until);
    const running = this.#running();
    const hour = running && hourOf(running.minute);
    return running && hour! >= since && hour! < until
      ? [...over, { at: hour!, decisions: running.tally.decisions }]
      : over;
  }

  topTokens(sinceHour: number, untilHour: number, limit: number): RefusedToken[] {
    return this.#sql
      .exec<RefusedToken>(
        `SELECT iss, jti, SUM(refused) AS refused FROM refused_tokens WHERE hour >= ? AND hour < ?
         GROUP BY iss, jti ORDER BY refused DESC, jti LIMIT ?`,
        sinceHour,
        untilHour,
        limit,
      )
      .toArray();
  }

  /** What is to be forgotten first of each; null where there is none. */
  earliest(): { report_ms: number | null; minute: number | null; hour: number | null } {
    return this.#sql
      .exec<{ report_ms: number | null; minute: number | null; hour: number | null }>(
        `SELECT (SELECT MIN(at_ms) FROM reporters) AS report_ms, (SELECT MIN(minute) FROM minutes) AS minute,
         (SELECT MIN(hour) FROM hours) AS hour`,
      )
      .one();
  }

  prune(before: { reportMs: number; minute: number; hour: number; tokenHour: number }): void {
    this.#sql.exec("DELETE FROM reporters WHERE at_ms < ?", before.reportMs);
    this.#sql.exec("DELETE FROM minutes WHERE minute < ?", before.minute);
    this.#sql.exec("DELETE FROM hours WHERE hour < ?", before.hour);
    this.#sql.exec("DELETE FROM refused_tokens WHERE hour < ?", before.tokenHour);
  }

  #close({ minute, tally }: Running): void {
    const { decisions, ages } = tally;
    this.#sql.exec("INSERT OR REPLACE INTO totals VALUES (0, ?)", JSON.stringify(this.totals()));
    // The minute may have been closed before: a clock that was set back opens it again.
    const hour = hourOf(minute);
    const [inMinute] = this.#minutes(minute, minute + 1);
    const [inHour] = this.#hours(hour, hour + 1);
    this.#sql.exec(
      "INSERT OR REPLACE INTO minutes VALUES (?, ?)",
      minute,
      JSON.stringify(sumOfDecisions(inMinute?.decisions ?? {}, decisions)),
    );
    this.#sql.exec(
      "INSERT OR REPLACE INTO hours VALUES (?, ?, ?)",
      hour,
      JSON.stringify(sumOfDecisions(inHour?.decisions ?? {}, decisions)),
      JSON.stringify(sumOfAges(inHour?.ages ?? {}, ages)),
    );
    this.#sql.exec("DELETE FROM running");
  }

  #running(): Running | undefined {
    const row = this.#sql
      .exec<{ minute: number; tally: string }>("SELECT minute, tally FROM running")
      .toArray()[0];
    return row && { minute: row.minute, tally: JSON.parse(row.tally) };
  }

  #minutes(since: number, until: number): Counted[] {
    return this.#sql
      .exec<{ at: number; decisions: string }>(
        "SELECT minute AS at, decisions FROM minutes WHERE minute >= ? AND minute < ? ORDER BY minute",
        since,
        until,
      )
      .toArray()
      .map(({ at, decisions }) => ({ at, decisions: JSON.parse(decisions) }));
  }

  #hours(since: number, until: number): (Counted & { ages: AgesByTier })[] {
    return this.#sql
      .exec<{ at: number; decisions: string; ages: string }>(
        "SELECT hour AS at, decisions, ages FROM hours WHERE hour >= ? AND hour < ? ORDER BY hour",
        since,
        until,
      )
      .toArray()
      .map(({ at, decisions, ages }) => ({ at, decisions: JSON.parse(decisions), ages: JSON.parse(ages) }));
  }

  #tokensOf(hour: number): number {
    return this.#sql
      .exec<{ n: number }>("SELECT COUNT(*) AS n FROM refused_tokens WHERE hour = ?", hour)
      .one().n;
  }

  #addToToken(hour: number, iss: string, jti: string, refused: number): boolean {
    const written = this.#sql.exec(
      "UPDATE refused_tokens SET refused = refused + ? WHERE hour = ? AND iss = ? AND jti = ? RETURNING jti",
      refused,
      hour,
      iss,
      jti,
    );
    return written.toArray().length > 0;
  }

  /** The count of the token that is told apart no longer. */
  #giveUpFewest(hour: number): number {
    const fewest = this.#sql
      .exec<RefusedToken>(
        "SELECT iss, jti, refused FROM refused_tokens WHERE hour = ? ORDER BY refused LIMIT 1",
        hour,
      )
      .one();
    this.#sql.exec(
      "DELETE FROM refused_tokens WHERE hour = ? AND iss = ? AND jti = ?",
      hour,
      fewest.iss,
      fewest.jti,
    );
    return fewest.refused;
  }
}

function hourOf(minute: number): number {
  return Math.floor(minute / 60);
}
