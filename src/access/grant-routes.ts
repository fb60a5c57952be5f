import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, jsonBody, queryParams, refuse, requireScope } from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { isId, siblingId } from "../platform/ids.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRequest, Grant, IssuedToken } from "./access-request.ts";
import { coveringGrants } from "./covering.ts";
import { MAX_DURATION_SECONDS, personOfActor } from "./open.ts";
import type { AccessRequestPort, DirectoryReadPort } from "./ports.ts";
import { presentGrant, presentRequest } from "./present.ts";
import { type AccessDeps, plainText, scopeText } from "./routes.ts";

export type GrantDeps = Pick<AccessDeps, "binding"> & {
  accessRequest(id: string): AccessRequestPort;
  directory: DirectoryReadPort;
  policy(): Promise<Result<PolicyDocument>>;
  ids: CreationIds;
  clock: Clock;
};

const listSchema = z.strictObject({
  state: z.enum(["scheduled", "active", "expired", "revoked", "used_up"]).exactOptional(),
  resource: z.string().min(1).max(256).exactOptional(),
  subject: z.string().min(1).max(320).exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).exactOptional(),
});

/** Of one person for one resource. */
const MAX_LIVE_GRANTS = 200;

const revokeSchema = z.strictObject({ reason: z.string().min(1).max(500) });

const extendSchema = z.strictObject({
  duration_seconds: z.int().min(1).max(MAX_DURATION_SECONDS),
  justification: plainText.min(1).max(2_000),
});

const tokenSchema = z.strictObject({ resource: z.string().min(1).max(256), scope: scopeText });

const NONE_COVERS = problem(
  "not_found",
  "No live grant of yours gives this. Ask for access first (POST /v1/access-requests).",
);
const NOT_FOUND = problem("not_found", "There is no such grant.");

/** `/v1/grants`: list, read, return or revoke, extend, a token of whichever covers. One's own, or all with `grants:read` and `grants:revoke`. */
export function grantRoutes(deps: GrantDeps) {
  const now = () => epochSeconds(deps.clock());
  return new Hono<HttpEnv>()
    .get("/v1/grants", requireScope("grants:read", "requests:read"), queryParams(listSchema), async (c) => {
      const { subject, ...query } = c.req.valid("query");
      const all = c.var.actor.scopes.includes("grants:read");
      if (subject && subject !== c.var.actor.subject && !all) {
        return refuse(c, problem("insufficient_scope", "Grants of others need the scope grants:read."));
      }
      const requester = subject ?? (all ? undefined : c.var.actor.subject);
      const page = await deps.directory.list({
        limit: query.limit,
        grant: query.state ?? "any",
        ...(query.cursor ? { cursor: siblingId("req", query.cursor) } : {}),
        ...(query.resource ? { resource: query.resource } : {}),
        ...(requester ? { requester } : {}),
      });
      if (!page.ok) return refuse(c, page.error);
      const items = page.value.flatMap((request) =>
        request.grant ? [presentGrant(request, request.grant, now())] : [],
      );
      const last = page.value.length === query.limit ? page.value.at(-1)?.grant : undefined;
      return c.json({ items, ...(last ? { next_cursor: last.id } : {}) });
    })
    .get("/v1/grants/:id", requireScope("grants:read", "requests:read"), async (c) => {
      const found = await readVisible(c, deps, c.req.param("id"), "grants:read");
      return answer(c, found.ok ? ok(presentGrant(found.value.request, found.value.grant, now())) : found);
    })
    .post(
      "/v1/grants/:id/revoke",
      requireScope("grants:revoke", "requests:create"),
      jsonBody(revokeSchema),
      async (c) => {
        const found = await readVisible(c, deps, c.req.param("id"), "grants:revoke");
        if (!found.ok) return refuse(c, found.error);
        const { reason } = c.req.valid("json");
        return answer(
          c,
          await deps.accessRequest(found.value.request.id).revokeGrant(c.var.actor.subject, reason),
        );
      },
    )
    .post("/v1/grants/token", requireScope("requests:create"), jsonBody(tokenSchema), async (c) =>
      answer(c, await tokenFor(c, deps, c.req.valid("json"), now())),
    )
    .post("/v1/grants/:id/extend", requireScope("requests:create"), jsonBody(extendSchema), async (c) => {
      const extended = await extend(c, deps, c.req.param("id"), c.req.valid("json"));
      return answer(c, extended.ok ? ok(presentRequest(extended.value, now())) : extended, 201);
    });
}

/**
 * A token of whichever live grant of the caller's gives what is named: together they open what each of them opens,
 * and none ends another.
 */
async function tokenFor(
  c: Context<HttpEnv>,
  deps: GrantDeps,
  { resource, scope }: z.output<typeof tokenSchema>,
  now: number,
): Promise<Result<IssuedToken>> {
  const { actor } = c.var;
  const bound = await deps.binding(c.req.raw, actor);
  if (!bound.ok) return bound;
  const query = { requester: actor.subject, resource, grant: "active" as const, limit: MAX_LIVE_GRANTS };
  const live = await deps.directory.list(query);
  if (!live.ok) return live;
  for (const { id } of coveringGrants(live.value, { resource, scopes: scope.split(" ") }, now)) {
    const issued = await deps.accessRequest(id).issueToken(actor.subject, bound.value, actor.actors);
    // The index may be a moment behind the grant's own object.
    if (issued.ok || issued.error.code !== "gone") return issued;
  }
  return err(NONE_COVERS);
}

/** Only its owner asks for more time of a grant, under the rule as the policy has it now. */
async function extend(
  c: Context<HttpEnv>,
  deps: GrantDeps,
  id: string,
  body: z.output<typeof extendSchema>,
): Promise<Result<AccessRequest>> {
  const { actor } = c.var;
  const found = await readVisible(c, deps, id, "grants:read");
  if (!found.ok) return found;
  const { request } = found.value;
  if (request.requester.subject !== actor.subject) {
    return err(problem("forbidden", "Only whose grant it is can ask for more time."));
  }
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const rule = policy.value.access_rules.find((candidate) => candidate.id === request.rule_id);
  const extensionId = await deps.ids(c, "ext", body);
  if (!extensionId.ok) return extensionId;
  const ask = { ...body, id: extensionId.value.id };
  return deps.accessRequest(request.id).extend(ask, personOfActor(actor), rule ?? null);
}

/** The grant where it is the actor's own, or the actor has the scope for those of others. */
async function readVisible(
  c: Context<HttpEnv>,
  deps: GrantDeps,
  id: string,
  scopeForOthers: string,
): Promise<Result<{ request: AccessRequest; grant: Grant }>> {
  if (!isId("grt", id)) return err(NOT_FOUND);
  const request = await deps.accessRequest(siblingId("req", id)).read();
  if (!request.ok) return request.error.code === "not_found" ? err(NOT_FOUND) : request;
  const { actor } = c.var;
  const { grant, requester } = request.value;
  const visible = requester.subject === actor.subject || actor.scopes.includes(scopeForOthers);
  return grant && visible ? ok({ request: request.value, grant }) : err(NOT_FOUND);
}
