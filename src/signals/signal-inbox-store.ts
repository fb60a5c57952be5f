import type { SignalRecord } from "./signal.ts";

export const SIGNAL_INBOX_MIGRATIONS = [
  `CREATE TABLE signals (
     id TEXT PRIMARY KEY,
     via TEXT NOT NULL,
     jti TEXT NOT NULL,
     body TEXT NOT NULL,
     received_at INTEGER NOT NULL,
     banned TEXT,
     UNIQUE (via, jti)
   );
   CREATE INDEX signals_received_at ON signals (received_at);
   CREATE INDEX signals_banned ON signals (banned) WHERE banned IS NOT NULL;
   CREATE TABLE owed (entry_id TEXT PRIMARY KEY, signal_id TEXT NOT NULL);
   CREATE INDEX owed_signal ON owed (signal_id);`,
];

/** A ban of this signal's that nobody lifted through the same transmitter. */
type Ban = { id: string; revocation_id: string };

/** All SQL of what one transmitter has told. The caller opens the transaction. */
export class SignalInboxStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  find(via: string, jti: string): SignalRecord | undefined {
    return this.#records("SELECT body FROM signals WHERE via = ? AND jti = ?", via, jti)[0];
  }

  /** `banned`: the subject that it bans until it is restored. */
  insert(record: SignalRecord, banned: string | undefined): void {
    const { id, via, jti, received_at } = record;
    const body = JSON.stringify(record);
    this.#sql.exec(
      "INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?)",
      ...[id, via, jti, body, received_at, banned ?? null],
    );
  }

  /** Newest first; `cursor` is the last id of the page before. */
  list(limit: number, cursor: string | undefined): SignalRecord[] {
    return this.#records(
      "SELECT body FROM signals WHERE id < ? ORDER BY id DESC LIMIT ?",
      cursor ?? "sig_~",
      limit,
    );
  }

  bansOf(subject: string): Ban[] {
    return this.#sql
      .exec<Ban>(
        "SELECT id, json_extract(body, '$.revocation_id') AS revocation_id FROM signals WHERE banned = ?",
        subject,
      )
      .toArray();
  }

  forgetBans(subject: string): void {
    this.#sql.exec("UPDATE signals SET banned = NULL WHERE banned = ?", subject);
  }

  /** The log does not have this entry of the signal's yet. */
  owe(entryId: string, signalId: string): void {
    this.#sql.exec("INSERT INTO owed VALUES (?, ?)", entryId, signalId);
  }

  settle(entryId: string): void {
    this.#sql.exec("DELETE FROM owed WHERE entry_id = ?", entryId);
  }

  owes(signalId: string): boolean {
    return this.#sql.exec("SELECT 1 FROM owed WHERE signal_id = ? LIMIT 1", signalId).toArray().length > 0;
  }

  /** When the oldest came that may be forgotten: a ban is kept until it is over. */
  oldestAt(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>("SELECT MIN(received_at) AS at FROM signals WHERE banned IS NULL")
      .one();
    return at ?? undefined;
  }

  deleteReceivedBefore(moment: number): void {
    this.#sql.exec("DELETE FROM signals WHERE received_at < ? AND banned IS NULL", moment);
  }

  #records(query: string, ...bindings: (string | number)[]): SignalRecord[] {
    return this.#sql
      .exec<{ body: string }>(query, ...bindings)
      .toArray()
      .map(({ body }) => JSON.parse(body));
  }
}
