import { Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, jsonBody, queryParams, refuse, requireScope } from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { newId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import type { Receipt } from "./receipt.ts";
import { defaultExpiry, matchSchema, type Revocation } from "./rule.ts";

type Record = Revocation & { seq: number; lifted_at?: number; lifted_by?: string };

export type RevocationLogPort = {
  append(
    entry:
      | { id: string; kind: "revocation.added"; rule: Revocation }
      | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string },
  ): Promise<Result<Receipt>>;
  revocation(id: string): Promise<Result<Record>>;
  revocations(limit: number, before: number): Promise<Result<Record[]>>;
};

export type RevocationDeps = { log: RevocationLogPort; ids: CreationIds; clock: Clock };

const epoch = z.number().min(0).max(1e11);

const createSchema = z
  .strictObject({
    match: matchSchema,
    issued_before: epoch.exactOptional(),
    reason: z.string().min(1).max(500),
    expires_at: epoch.exactOptional(),
  })
  .refine((body) => Object.keys(body.match).length > 0 || body.issued_before !== undefined, {
    path: ["match"],
    message: "name at least one claim, or give issued_before to hit every token from before that moment",
  });

const listSchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.coerce.number().int().min(1).exactOptional(),
});

/** `/v1/revocations`: add, list, read, lift. A 201 is given only after the log has the rule durably. */
export function revocationRoutes(deps: RevocationDeps) {
  const { log, clock } = deps;
  return new Hono<HttpEnv>()
    .post("/v1/revocations", requireScope("revocations:write"), jsonBody(createSchema), async (c) => {
      const body = c.req.valid("json");
      const id = await deps.ids(c, "rev", body);
      if (!id.ok) return refuse(c, id.error);
      const now = epochSeconds(clock());
      const expiresAt = body.expires_at ?? defaultExpiry(body.match, body.issued_before, now);
      if (expiresAt !== undefined && expiresAt <= now) {
        return refuse(c, problem("invalid_body", "expires_at: must be in the future, in epoch seconds."));
      }
      const rule: Revocation = {
        id: id.value.id,
        match: body.match,
        ...(body.issued_before === undefined ? {} : { issued_before: body.issued_before }),
        reason: body.reason,
        actor: c.var.actor.subject,
        created_at: now,
        ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      };
      return answer(c, await add(log, rule), 201, { location: `/v1/revocations/${rule.id}` });
    })
    .get("/v1/revocations", requireScope("revocations:read"), queryParams(listSchema), async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const page = await log.revocations(limit, cursor ?? Number.MAX_SAFE_INTEGER);
      if (!page.ok) return refuse(c, page.error);
      const last = page.value.length === limit ? page.value.at(-1) : undefined;
      return c.json({ items: page.value, ...(last ? { next_cursor: String(last.seq) } : {}) });
    })
    .get("/v1/revocations/:id", requireScope("revocations:read"), async (c) =>
      answer(c, await log.revocation(c.req.param("id"))),
    )
    .delete("/v1/revocations/:id", requireScope("revocations:write"), async (c) => {
      const record = await log.revocation(c.req.param("id"));
      if (!record.ok) return refuse(c, record.error);
      if (record.value.lifted_at !== undefined)
        return refuse(c, problem("gone", "This revocation is lifted already."));
      const revocation_id = record.value.id;
      const entry = { id: newId("log", clock()), kind: "revocation.lifted", revocation_id } as const;
      return answer(c, await log.append({ ...entry, actor: c.var.actor.subject }));
    });
}

/** Adds a rule, or answers the receipt of the one that an equal call has added, dated differently. */
async function add(log: RevocationLogPort, rule: Revocation): Promise<Result<Receipt>> {
  const receipt = await log.append({ id: rule.id, kind: "revocation.added", rule });
  if (receipt.ok || receipt.error.code !== "conflict") return receipt;
  const known = await log.revocation(rule.id);
  if (!known.ok) return known;
  return log.append({ id: rule.id, kind: "revocation.added", rule: ruleOf(known.value) });
}

/** The rule as it was appended, without what the log added. */
function ruleOf({ seq: _seq, lifted_at: _at, lifted_by: _by, ...rule }: Record): Revocation {
  return rule;
}
