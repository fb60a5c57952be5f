import { DurableObject } from "cloudflare:workers";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type Cause, causedBy } from "./cause.ts";
import type { LoadedPart, TableCursor, TablePage } from "./stored-tables.ts";

/** Only a backup needs it. */
const tables = () => import("./stored-tables.ts");

/** What every Durable Object of ours is: one that can be told who caused a call of its methods, and that can be kept. */
export class CausedObject extends DurableObject<Env> {
  /** Statements that make of what a backup held what the object goes on from, where that is not the same. */
  readonly #restoring: readonly string[];

  constructor(ctx: DurableObjectState, env: Env, restoring: readonly string[] = []) {
    super(ctx, env);
    this.#restoring = restoring;
  }

  /** A call of one of the object's own methods, on behalf of whoever caused it. */
  callCausedBy(cause: Cause, method: string, args: unknown[]): unknown {
    const own = this as unknown as Record<string, (...args: unknown[]) => unknown>;
    // What every object has is none of its own. `wrangler dev` puts a class between ours and the object.
    if (method in CausedObject.prototype || typeof own[method] !== "function") {
      throw new TypeError(`there is no method "${method}"`);
    }
    return causedBy(cause, () => own[method]!(...args));
  }

  /** A page of everything that is stored, of about so many characters. */
  async readStorage(maxChars: number, cursor?: TableCursor): Promise<Result<TablePage>> {
    const { readTables } = await tables();
    return ok(await readTables(this.ctx.storage.sql, cursor, maxChars));
  }

  /** Takes a part of a backup in. Until the object is woken, nothing comes of it. Idempotent by the part. */
  async loadStorage({ schema, rows, sequences }: LoadedPart): Promise<Result<null>> {
    const { clearTables, schemaOf, writeRows, writeSequences } = await tables();
    const { storage } = this.ctx;
    const own = await schemaOf(storage.sql);
    if (schema !== undefined && schema !== own) {
      const detail =
        "The backup is of tables that are made otherwise. Restore it with the release that made it.";
      return err(problem("unprocessable", detail));
    }
    return storage.transactionSync(() => {
      // Tables come in their own order, and a row that comes twice is away for a moment.
      storage.sql.exec("PRAGMA defer_foreign_keys = ON");
      if (schema !== undefined) {
        clearTables(storage.sql);
        void storage.deleteAlarm();
      }
      const written = writeRows(storage.sql, rows);
      if (!written.ok || !sequences) return written;
      writeSequences(storage.sql, sequences);
      for (const statement of this.#restoring) storage.sql.exec(statement);
      return written;
    });
  }

  /** Names the schema of the object's tables. */
  async storageSchema(): Promise<Result<string>> {
    const { schemaOf } = await tables();
    return ok(await schemaOf(this.ctx.storage.sql));
  }

  /** Forgets what it has in memory, which may be of what was stored before. Whoever calls gets no answer. */
  async restart(): Promise<never> {
    await this.ctx.storage.sync();
    this.ctx.abort("It was restored from a backup and begins anew.");
    throw new Error("unreachable");
  }

  /** Lets the object see to what is due, now. */
  async wake(): Promise<Result<null>> {
    await this.ctx.storage.setAlarm(Date.now());
    return ok(null);
  }
}
