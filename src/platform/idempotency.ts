import type { Context } from "hono";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Clock } from "./clock.ts";
import type { HttpEnv } from "./http.ts";
import { type IdPrefix, newId } from "./ids.ts";

/** Remembers for a day which id a key was used for. */
export type ReservationPort = {
  /** The id that stands for the key: the candidate where the key is new. `idempotency_mismatch` for another body. */
  reserve(key: string, bodyHash: string, candidateId: string): Promise<Result<string>>;
};

/** The id for what a POST creates; `fresh` is false where an `Idempotency-Key` was seen before. */
export type CreationIds = (
  c: Context<HttpEnv>,
  prefix: IdPrefix,
  body: unknown,
) => Promise<Result<{ id: string; fresh: boolean }>>;

const KEY = /^[\x21-\x7e]{1,255}$/;

/** Creation is idempotent by id, so it is enough to give the same key the same id. */
export function creationIds(port: ReservationPort, clock: Clock): CreationIds {
  return async (c, prefix, body) => {
    const candidate = newId(prefix, clock());
    const key = c.req.header("idempotency-key");
    if (key === undefined) return ok({ id: candidate, fresh: true });
    if (!KEY.test(key)) {
      return err(
        problem("invalid_request", "Idempotency-Key must be 1–255 printable characters without spaces."),
      );
    }
    const scoped = await sha256Hex(JSON.stringify([c.var.actor.subject, c.req.path, key]));
    const reserved = await port.reserve(scoped, await sha256Hex(JSON.stringify(body)), candidate);
    return reserved.ok ? ok({ id: reserved.value, fresh: reserved.value === candidate }) : reserved;
  };
}
