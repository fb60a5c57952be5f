import type { Passkey } from "./passkey.ts";

export const PASSKEY_SCHEMA = `
  CREATE TABLE passkeys (id TEXT PRIMARY KEY, subject TEXT NOT NULL, record TEXT NOT NULL);
  CREATE INDEX passkeys_subject ON passkeys (subject);
  CREATE TABLE passkey_challenges (
    challenge TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  );
  CREATE INDEX passkey_challenges_subject ON passkey_challenges (subject, expires_at);
`;

type Challenge = { challenge: string; subject: string; nonce: string; expires_at: number };

/** All SQL of passkeys and of the challenges that wait for one. */
export class PasskeyStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  find(id: string): Passkey | undefined {
    const row = this.#sql
      .exec<{ record: string }>("SELECT record FROM passkeys WHERE id = ?", id)
      .toArray()[0];
    return row && JSON.parse(row.record);
  }

  of(subject: string): Passkey[] {
    return this.#sql
      .exec<{ record: string }>("SELECT record FROM passkeys WHERE subject = ? ORDER BY rowid", subject)
      .toArray()
      .map(({ record }) => JSON.parse(record));
  }

  put(passkey: Passkey): void {
    this.#sql.exec(
      "INSERT INTO passkeys VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET record = ?3",
      passkey.id,
      passkey.subject,
      JSON.stringify(passkey),
    );
  }

  delete(id: string): void {
    this.#sql.exec("DELETE FROM passkeys WHERE id = ?", id);
  }

  deleteAll(subject: string): void {
    this.#sql.exec("DELETE FROM passkeys WHERE subject = ?", subject);
    this.#sql.exec("DELETE FROM passkey_challenges WHERE subject = ?", subject);
  }

  /** Adds one; those that are over go, and of this person's the oldest beyond `most`. */
  addChallenge({ challenge, subject, nonce, expires_at }: Challenge, now: number, most: number): void {
    this.#sql.exec("DELETE FROM passkey_challenges WHERE expires_at <= ?", now);
    this.#sql.exec(
      "INSERT INTO passkey_challenges VALUES (?, ?, ?, ?)",
      challenge,
      subject,
      nonce,
      expires_at,
    );
    this.#sql.exec(
      `DELETE FROM passkey_challenges WHERE subject = ?1 AND challenge NOT IN
         (SELECT challenge FROM passkey_challenges WHERE subject = ?1 ORDER BY rowid DESC LIMIT ?2)`,
      subject,
      most,
    );
  }

  /** Takes a challenge away: it is good for one answer, right or wrong. */
  takeChallenge(challenge: string): Challenge | undefined {
    return this.#sql
      .exec<Challenge>("DELETE FROM passkey_challenges WHERE challenge = ? RETURNING *", challenge)
      .toArray()[0];
  }
}
