import { Hono } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, queryParams, refuse, requireScope } from "../platform/http.ts";
import { isId } from "../platform/ids.ts";
import type { DecisionQuery, DecisionRecord } from "../protocol/decision-trace.ts";
import { problem } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";

export type RecordDeps = {
  /** What the shards have of it: as a rule one record, or none. */
  record(id: string): Promise<Result<DecisionRecord[]>>;
  /** From every shard, newest first, one more than asked for where there are more. */
  records(query: DecisionQuery): Promise<Result<DecisionRecord[]>>;
};

const text = z.string().min(1).max(2_048);
const querySchema = z.strictObject({
  outcome: z.enum(["allow", "refuse"]).exactOptional(),
  reason: text.exactOptional(),
  route: text.exactOptional(),
  sub: text.exactOptional(),
  jti: text.exactOptional(),
  since: z.coerce.number().min(0).max(1e11).exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z
    .string()
    .refine((id) => isId("dec", id), "must be the next_cursor of a page")
    .exactOptional(),
});

const NOT_KEPT = problem(
  "not_found",
  "No record of this decision is kept. The policy's decision_log says for how long, and of how many acceptances.",
);

/** `GET /v1/decisions` and `GET /v1/decisions/{id}`: what was decided, and every check that led to it. */
export function recordRoutes({ record, records }: RecordDeps) {
  const scope = requireScope("decisions:read");
  return new Hono<HttpEnv>()
    .get("/v1/decisions", scope, queryParams(querySchema), async (c) => {
      const query = c.req.valid("query");
      const found = await records(query);
      if (!found.ok) return refuse(c, found.error);
      const newest = found.value.toSorted((a, b) => (a.decision_id < b.decision_id ? 1 : -1));
      const items = newest.slice(0, query.limit);
      const more = newest.length > items.length;
      return answer(c, ok({ items, ...(more ? { next_cursor: items.at(-1)!.decision_id } : {}) }));
    })
    .get("/v1/decisions/:id", scope, async (c) => {
      const id = c.req.param("id");
      const found = isId("dec", id) ? await record(id) : ok([]);
      if (!found.ok) return refuse(c, found.error);
      // An origin's fault comes after the acceptance.
      const latest = found.value.toSorted((a, b) => b.at - a.at)[0];
      return latest ? answer(c, ok(latest)) : refuse(c, NOT_KEPT);
    });
}
