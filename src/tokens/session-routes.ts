import { type Context, Hono } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, jsonBody, queryParams, refuse } from "../platform/http.ts";
import { isId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SessionRecord } from "../revocation/session-record.ts";
import { NO_SESSION } from "./session-flow.ts";
import type { SessionListPort, SessionPort } from "./session-ports.ts";

export type SessionRouteDeps = { session(id: string): SessionPort; directory: SessionListPort };

const listSchema = z.strictObject({
  subject: z.string().min(1).max(320).exactOptional(),
  client_id: z.string().min(1).max(255).exactOptional(),
  state: z.enum(["active", "expired", "revoked"]).exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).exactOptional(),
});

const revokeSchema = z.strictObject({ reason: z.string().min(1).max(500) });

/** `/v1/sessions`: list, read, revoke. One's own, or all with `sessions:read` and `sessions:revoke`. */
export function sessionRoutes(deps: SessionRouteDeps) {
  return new Hono<HttpEnv>()
    .get("/v1/sessions", queryParams(listSchema), async (c) => {
      const query = c.req.valid("query");
      const { actor } = c.var;
      const all = actor.scopes.includes("sessions:read");
      if (query.subject !== undefined && query.subject !== actor.subject && !all) {
        return refuse(c, problem("insufficient_scope", "Sessions of others need the scope sessions:read."));
      }
      const page = await deps.directory.listSessions(all ? query : { ...query, subject: actor.subject });
      if (!page.ok) return refuse(c, page.error);
      const last = page.value.length === query.limit ? page.value.at(-1) : undefined;
      return answer(c, ok({ items: page.value, ...(last ? { next_cursor: last.id } : {}) }));
    })
    .get("/v1/sessions/:id", async (c) => answer(c, await readVisible(c, deps, "sessions:read")))
    .post("/v1/sessions/:id/revoke", jsonBody(revokeSchema), async (c) => {
      const found = await readVisible(c, deps, "sessions:revoke");
      if (!found.ok) return refuse(c, found.error);
      const { reason } = c.req.valid("json");
      return answer(c, await deps.session(found.value.id).revoke(c.var.actor.subject, reason));
    });
}

/** The session where it is the actor's own, or the actor has the scope for those of others. */
async function readVisible(
  c: Context<HttpEnv>,
  deps: SessionRouteDeps,
  scopeForOthers: string,
): Promise<Result<SessionRecord>> {
  const id = c.req.param("id") ?? "";
  if (!isId("ses", id)) return err(NO_SESSION);
  const session = await deps.session(id).read();
  if (!session.ok) return session;
  const { actor } = c.var;
  const visible = session.value.subject === actor.subject || actor.scopes.includes(scopeForOthers);
  return visible ? session : err(NO_SESSION);
}
