import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { ANYONE, type VirtualTime } from "./virtual-time.ts";

type Value = ArrayBuffer | string | number | null;
type Row = Record<string, Value>;

/** How long the disk takes until a write is durable; all writes until then are durable at once. */
const FLUSH_MS = 2;
const READS = /^\s*(?:SELECT|WITH|PRAGMA)\b/i;

/**
 * The storage of one object as the runtime gives it: writes are in force at once and durable a little later;
 * nothing leaves the object before they are (output gate). A crash takes back what was not durable yet.
 */
export class SqliteStorage {
  readonly #db = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  readonly #time: VirtualTime;
  #open = false;
  #waiting: (() => void)[] = [];
  #depth = 0;
  #alarmAtMs: number | undefined;
  #durableAlarmAtMs: number | undefined;
  /** Told of every new time of the alarm. */
  onAlarm: (atMs: number | undefined) => void = () => {};

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get alarmAtMs(): number | undefined {
    return this.#alarmAtMs;
  }

  setAlarm(atMs: number | undefined): void {
    if (atMs === this.#alarmAtMs) return;
    this.#write();
    this.#alarmAtMs = atMs;
    this.onAlarm(atMs);
  }

  exec(query: string, bindings: readonly unknown[]): Row[] {
    if (!READS.test(query)) this.#write();
    if (bindings.length === 0 && query.includes(";")) {
      this.#db.exec(query);
      return [];
    }
    let statement = this.#statements.get(query);
    if (!statement) {
      statement = this.#db.prepare(query);
      this.#statements.set(query, statement);
    }
    return statement.all(...bindings.map(toInput)).map(toRow);
  }

  transaction<T>(work: () => T): T {
    this.#write();
    const name = `nested_${this.#depth++}`;
    this.#db.exec(`SAVEPOINT ${name}`);
    try {
      const value = work();
      this.#db.exec(`RELEASE ${name}`);
      return value;
    } catch (fault) {
      this.#db.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
      throw fault;
    } finally {
      this.#depth--;
    }
  }

  /** Resolves when everything that was written so far is durable. Never, where a crash comes first. */
  async durable(): Promise<void> {
    if (this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  crash(): void {
    if (this.#open) this.#db.exec("ROLLBACK");
    this.#open = false;
    this.#waiting = [];
    this.#alarmAtMs = this.#durableAlarmAtMs;
    this.onAlarm(this.#alarmAtMs);
  }

  close(): void {
    this.#db.close();
  }

  #write(): void {
    if (this.#open) return;
    this.#open = true;
    this.#db.exec("BEGIN");
    const waiting = this.#waiting;
    this.#time.after(FLUSH_MS, () => waiting === this.#waiting && this.#flush(), ANYONE);
  }

  #flush(): void {
    this.#db.exec("COMMIT");
    this.#open = false;
    this.#durableAlarmAtMs = this.#alarmAtMs;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function toInput(value: unknown): SQLInputValue {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value as SQLInputValue;
}

/** The runtime answers blobs as `ArrayBuffer`. */
function toRow(row: Record<string, unknown>): Row {
  const copy: Row = {};
  for (const [name, value] of Object.entries(row)) {
    copy[name] = value instanceof Uint8Array ? (value.slice().buffer as ArrayBuffer) : (value as Value);
  }
  return copy;
}

/** `ctx` for one life of an object: throws once that life is over. */
export function objectState(
  storage: SqliteStorage,
  alive: () => boolean,
  waitUntil: (work: Promise<unknown>) => void,
): DurableObjectState {
  const living = () => {
    if (!alive()) throw new Error("this instance of the object is dead");
    return storage;
  };
  const sql = { exec: (query: string, ...bindings: unknown[]) => cursor(living().exec(query, bindings)) };
  return {
    waitUntil,
    storage: {
      sql,
      transactionSync: <T>(work: () => T) => living().transaction(work),
      setAlarm: async (at: number | Date) => living().setAlarm(Number(at)),
      deleteAlarm: async () => living().setAlarm(undefined),
      getAlarm: async () => living().alarmAtMs ?? null,
    },
  } as unknown as DurableObjectState;
}

function cursor(rows: Row[]) {
  return {
    toArray: () => rows,
    one: () => {
      if (rows.length !== 1) throw new Error(`expected one row, found ${rows.length}`);
      return rows[0]!;
    },
    raw: () => rows.map((row) => Object.values(row))[Symbol.iterator](),
    next: () => (rows.length ? { done: false, value: rows.shift() } : { done: true }),
    [Symbol.iterator]: () => rows[Symbol.iterator](),
    rowsRead: rows.length,
    rowsWritten: 0,
  };
}
