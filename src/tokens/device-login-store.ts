import type { DeviceLogin } from "./device-login.ts";

export const DEVICE_LOGIN_MIGRATIONS = [
  `CREATE TABLE device_logins (
    user_code TEXT PRIMARY KEY,
    device_hash TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    login TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX device_logins_expiry ON device_logins (expires_at);
  CREATE INDEX device_logins_address ON device_logins (address);`,
];

/** All SQL of the device logins. */
export class DeviceLoginStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byUserCode(userCode: string): DeviceLogin | undefined {
    return this.#one("SELECT login FROM device_logins WHERE user_code = ?", userCode);
  }

  byDevice(deviceHash: string): DeviceLogin | undefined {
    return this.#one("SELECT login FROM device_logins WHERE device_hash = ?", deviceHash);
  }

  write(login: DeviceLogin): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO device_logins VALUES (?, ?, ?, ?, ?)",
      login.user_code,
      login.device_hash,
      login.address,
      login.expires_at,
      JSON.stringify(login),
    );
  }

  /** How many there are, in all and of one address. */
  counts(address: string): { all: number; ofAddress: number } {
    return this.#sql
      .exec<{ all: number; ofAddress: number }>(
        'SELECT COUNT(*) AS "all", COALESCE(SUM(address = ?), 0) AS ofAddress FROM device_logins',
        address,
      )
      .one();
  }

  /** When the first is over, epoch seconds. */
  earliestEnd(): number | undefined {
    const { at } = this.#sql
      .exec<{ at: number | null }>("SELECT MIN(expires_at) AS at FROM device_logins")
      .one();
    return at ?? undefined;
  }

  prune(nowSeconds: number): void {
    this.#sql.exec("DELETE FROM device_logins WHERE expires_at <= ?", nowSeconds);
  }

  #one(query: string, key: string): DeviceLogin | undefined {
    const row = this.#sql.exec<{ login: string }>(query, key).toArray()[0];
    return row && (JSON.parse(row.login) as DeviceLogin);
  }
}
