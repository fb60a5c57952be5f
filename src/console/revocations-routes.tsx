import { Hono } from "hono";
import type { RevocationsCreateBody } from "../client/contract.ts";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { ConfirmRevocation, RevocationForm } from "./new-revocation.tsx";
import type { DryRunView, PropagationView, ReceiptView, RevocationView } from "./operator-wire.ts";
import { readAnswer } from "./passkey-routes.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { PropagationPage } from "./propagation-page.tsx";
import { tiersLeft } from "./receipt.tsx";
import { seeOther, show, showProblem } from "./respond.tsx";
import { textOf } from "./review.ts";
import { ConfirmProposal, LiftRevocation, RevocationPage } from "./revocation-page.tsx";
import { REVOCATIONS, RevocationsPage, revocationPath } from "./revocations-page.tsx";
import { readRevocation } from "./revoking.ts";
import { hasAny } from "./visitor.ts";
import type { Listed } from "./wire.ts";

const PER_PAGE = 25;

/** Revocations: the list, adding one after a look at what it cuts, the second person, and lifting. */
export function revocationRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/revocations", showRevocations)
    .post("/revocations", revoke)
    .get("/revocations/new", (c) => showForm(c, new URL(c.req.url).searchParams))
    .post("/revocations/new", dryRun)
    .get("/revocations/propagation", showPropagation)
    .get("/revocations/:id", (c) => showRevocation(c, c.req.param("id")))
    .get("/revocations/:id/confirm", (c) => askSecond(c, c.req.param("id")))
    .post("/revocations/:id/confirm", (c) => confirm(c, c.req.param("id")))
    .get("/revocations/:id/lift", (c) => askLift(c, c.req.param("id")))
    .post("/revocations/:id/lift", (c) => lift(c, c.req.param("id")));
}

function apiPath(id: string, below = ""): string {
  return `/v1/revocations/${encodeURIComponent(id)}${below}`;
}

async function showRevocations(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const asked = (name: string) => c.req.query(name)?.trim() || undefined;
  const query = { state: asked("state"), q: asked("q"), cursor: asked("cursor") };
  type Found = Listed<RevocationView> & { searched?: number };
  const found = await api.get<Found>("/v1/revocations", { ...query, limit: PER_PAGE });
  if (!found.ok) return showProblem(c, found.error, REVOCATIONS);
  const { items, next_cursor: next, searched } = found.value;
  const props = { items, next, searched, now, query, mayRevoke: hasAny(visitor, ["revocations:write"]) };
  return show(c, { title: "Revocations", place: REVOCATIONS }, <RevocationsPage {...props} />);
}

function showForm(c: ConsoleContext, filled: URLSearchParams, refusal?: Problem) {
  const status = refusal ? problemStatus(refusal.code) : 200;
  return show(
    c,
    { title: "Revoke", place: REVOCATIONS, status },
    <RevocationForm visitor={c.var.visitor} filled={filled} problem={refusal} />,
  );
}

/** What the form would cut, with the button that does it; nothing is changed by it. */
async function dryRun(c: ConsoleContext) {
  const { api, visitor, form, now } = c.var;
  const read = readRevocation(form, now);
  if (!read.ok) return showForm(c, form, read.error);
  const body = read.value;
  const [counted, confirmAbove] = await Promise.all([
    api.post<DryRunView>("/v1/revocations", body, { dry_run: "true" }),
    confirmLimit(c),
  ]);
  if (!counted.ok) return showForm(c, form, counted.error);
  const props = { body, dryRun: counted.value, nonce: newSecret(), confirmAbove, visitor, now };
  return show(c, { title: "Revoke this?", place: REVOCATIONS }, <ConfirmRevocation {...props} />);
}

const DEFAULT_CONFIRM_ABOVE = 1_000;

/** Above how many live tokens a second person is needed, for who may read the policy. */
async function confirmLimit({ var: { api, visitor } }: ConsoleContext): Promise<number | undefined> {
  if (!hasAny(visitor, ["policy:read"])) return undefined;
  type Policy = { document: { revocations?: { confirm_above?: number } } };
  const policy = await api.get<Policy>("/v1/policy");
  if (!policy.ok) return undefined;
  return policy.value.document.revocations?.confirm_above ?? DEFAULT_CONFIRM_ABOVE;
}

type Made = Pick<ReceiptView, "id"> & { state?: "awaiting_confirmation" };

/** Does what the page before it showed: the rule is sent as it was counted. */
async function revoke(c: ConsoleContext) {
  const { api, form } = c.var;
  const body = parseUniqueObject(form.get("body") ?? "") as RevocationsCreateBody | undefined;
  const nonce = form.get("nonce");
  if (!body || !nonce) return showProblem(c, problem("invalid_body", "Fill the form in first."), REVOCATIONS);
  const key = await sha256Hex(JSON.stringify([nonce, body]));
  const made = await api.post<Made>("/v1/revocations", body, { key });
  if (!made.ok) return showProblem(c, made.error, `${REVOCATIONS}/new`);
  const done = made.value.state === undefined ? "revoked" : "revocation-proposed";
  return seeOther(c, revocationPath(made.value.id), done);
}

async function showRevocation(c: ConsoleContext, id: string) {
  const { api, visitor, now } = c.var;
  const found = await api.get<RevocationView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, REVOCATIONS);
  const revocation = found.value;
  const left = revocation.receipt && tiersLeft(revocation.receipt, now);
  const version = await sha256Hex(JSON.stringify([revocation, left]));
  const props = { revocation, visitor, now, version };
  return show(c, { title: "Revocation", place: REVOCATIONS }, <RevocationPage {...props} />);
}

async function askSecond(c: ConsoleContext, id: string, refusal?: Problem) {
  const { api, visitor, now } = c.var;
  const found = await api.get<RevocationView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, REVOCATIONS);
  const revocation = found.value;
  const { match, effect, issued_before, reason } = revocation;
  const rule = { match, effect, issued_before, reason };
  const counted = await api.post<DryRunView>("/v1/revocations", rule, { dry_run: "true" });
  if (!counted.ok) return showProblem(c, counted.error, revocationPath(id));
  const comment = refusal && textOf(c.var.form, "comment");
  const props = { revocation, dryRun: counted.value, visitor, now, problem: refusal, comment };
  const status = refusal ? problemStatus(refusal.code) : 200;
  return show(
    c,
    { title: "Confirm a revocation", place: REVOCATIONS, status },
    <ConfirmProposal {...props} />,
  );
}

async function confirm(c: ConsoleContext, id: string) {
  const { api, form } = c.var;
  const [comment, passkey] = [textOf(form, "comment"), readAnswer(form, "passkey")];
  const body = { ...(comment === undefined ? {} : { comment }), ...(passkey ? { passkey } : {}) };
  const confirmed = await api.post(apiPath(id, "/confirm"), body);
  if (confirmed.ok) return seeOther(c, revocationPath(id), "revoked");
  // That the policy wants a passkey is learnt here: the page is shown again, and asks for one.
  if (confirmed.error.code === "passkey_required") return askSecond(c, id, confirmed.error);
  return showProblem(c, confirmed.error, revocationPath(id));
}

async function askLift(c: ConsoleContext, id: string) {
  const found = await c.var.api.get<RevocationView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, REVOCATIONS);
  const { visitor, now } = c.var;
  return show(
    c,
    { title: "Lift a revocation", place: REVOCATIONS },
    <LiftRevocation revocation={found.value} visitor={visitor} now={now} />,
  );
}

async function lift(c: ConsoleContext, id: string) {
  const lifted = await c.var.api.delete<{ seq?: number }>(apiPath(id), {
    reason: textOf(c.var.form, "reason"),
  });
  if (!lifted.ok) return showProblem(c, lifted.error, revocationPath(id));
  return seeOther(c, revocationPath(id), lifted.value.seq === undefined ? "proposal-given-up" : "lifted");
}

async function showPropagation(c: ConsoleContext) {
  const read = await c.var.api.get<PropagationView>("/v1/revocations/propagation");
  if (!read.ok) return showProblem(c, read.error, REVOCATIONS);
  return show(
    c,
    { title: "How fast revocations take hold", place: REVOCATIONS },
    <PropagationPage propagation={read.value} />,
  );
}
