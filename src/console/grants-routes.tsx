import { Hono } from "hono";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import { GrantPage, RevokeGrant } from "./grant-page.tsx";
import { GRANTS, GrantsPage, grantPath } from "./grants-page.tsx";
import type { DryRunView } from "./operator-wire.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { tiersLeft } from "./receipt.tsx";
import { seeOther, show, showProblem } from "./respond.tsx";
import { textOf } from "./review.ts";
import { hasAny } from "./visitor.ts";
import type { GrantView, Listed } from "./wire.ts";

const PER_PAGE = 25;

/** Everybody's grants, and taking one back. */
export function grantRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/grants", showGrants)
    .get("/grants/:id", (c) => showGrant(c, c.req.param("id")))
    .get("/grants/:id/revoke", (c) => confirmRevoke(c, c.req.param("id")))
    .post("/grants/:id/revoke", (c) => revoke(c, c.req.param("id")));
}

async function showGrants(c: ConsoleContext) {
  const asked = (name: string) => c.req.query(name)?.trim() || undefined;
  const query = {
    ...{ state: asked("state"), subject: asked("subject"), resource: asked("resource") },
    cursor: asked("cursor"),
  };
  const listed = await c.var.api.get<Listed<GrantView>>("/v1/grants", { ...query, limit: PER_PAGE });
  if (!listed.ok) return showProblem(c, listed.error, GRANTS);
  const { items, next_cursor: next } = listed.value;
  const version = await sha256Hex(JSON.stringify(items));
  const props = { grants: items, now: c.var.now, version, query, next };
  return show(c, { title: "Grants", place: GRANTS }, <GrantsPage {...props} />);
}

async function showGrant(c: ConsoleContext, id: string) {
  const { visitor, now } = c.var;
  const found = await read(c, id);
  if (!found.ok) return showProblem(c, found.error, GRANTS);
  const grant = found.value;
  const left = grant.revoke_receipt && tiersLeft(grant.revoke_receipt, now);
  const version = await sha256Hex(JSON.stringify([grant, left]));
  const mayRevoke = hasAny(visitor, ["grants:revoke"]);
  return show(
    c,
    { title: `${grant.subject} on ${grant.resource}`, place: GRANTS },
    <GrantPage grant={grant} now={now} version={version} mayRevoke={mayRevoke} />,
  );
}

/** Says what will be cut; nothing is changed by it. */
async function confirmRevoke(c: ConsoleContext, id: string) {
  const { visitor, now } = c.var;
  const found = await read(c, id);
  if (!found.ok) return showProblem(c, found.error, GRANTS);
  const dryRun = await dryRunOf(c, id);
  if (!dryRun.ok) return showProblem(c, dryRun.error, grantPath(id));
  return show(
    c,
    { title: "Revoke a grant", place: GRANTS },
    <RevokeGrant grant={found.value} dryRun={dryRun.value} visitor={visitor} now={now} />,
  );
}

async function revoke(c: ConsoleContext, id: string) {
  const reason = textOf(c.var.form, "reason");
  if (reason === undefined) return showProblem(c, NO_REASON, `${grantPath(id)}/revoke`);
  const revoked = await c.var.api.post(`/v1/grants/${encodeURIComponent(id)}/revoke`, { reason });
  if (!revoked.ok) return showProblem(c, revoked.error, grantPath(id));
  return seeOther(c, grantPath(id), "grant-revoked");
}

const NO_REASON = problem(
  "invalid_body",
  "Say why: its owner and the audit log are told. Nothing was changed.",
);

function read(c: ConsoleContext, id: string): Promise<Result<GrantView>> {
  return c.var.api.get<GrantView>(`/v1/grants/${encodeURIComponent(id)}`);
}

/** What it cuts can be counted by who may revoke tokens. */
async function dryRunOf(
  { var: { api, visitor } }: ConsoleContext,
  id: string,
): Promise<Result<DryRunView | undefined>> {
  if (!hasAny(visitor, ["revocations:write"])) return ok(undefined);
  const body = { match: { grant: id }, reason: "how much it would cut" };
  return api.post<DryRunView>("/v1/revocations", body, { dry_run: "true" });
}
