import { Hono } from "hono";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import { filledFrom, readClientEdit } from "./client-editing.ts";
import { type ClientAct, ClientPage, ClientSecret, ConfirmClientAct } from "./client-page.tsx";
import { CLIENTS, ClientsPage, clientPath } from "./clients-page.tsx";
import type { Done } from "./done.ts";
import { ConfirmClientEdit, EditClient } from "./edit-client.tsx";
import { CHANGED_MEANWHILE } from "./editing.ts";
import { ClientForm, readClient } from "./new-client.tsx";
import type { ClientView, DryRunView } from "./operator-wire.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { hasAny } from "./visitor.ts";
import type { Listed } from "./wire.ts";

const PER_PAGE = 25;

/** OAuth clients: the list, registering one, and all that ends one or its secret. */
export function clientRoutes({ issuer }: { issuer: string }) {
  return new Hono<ConsoleEnv>()
    .get("/clients", showClients)
    .get("/clients/new", (c) => showForm(c, new URLSearchParams()))
    .post("/clients/new", (c) => register(c, issuer))
    .get("/clients/:id", (c) => showClient(c, c.req.param("id")))
    .get("/clients/:id/edit", (c) => showEdit(c, c.req.param("id")))
    .post("/clients/:id/edit", (c) => showChanges(c, c.req.param("id")))
    .post("/clients/:id/change", (c) => change(c, c.req.param("id")))
    .get("/clients/:id/:act{rotate|disable|delete}", (c) => askAct(c, c.req.param("id"), c.req.param("act")))
    .post("/clients/:id/rotate", (c) => rotate(c, c.req.param("id"), issuer))
    .post("/clients/:id/disable", (c) => patch(c, c.req.param("id"), true, "client-disabled"))
    .post("/clients/:id/enable", (c) => patch(c, c.req.param("id"), false, "client-enabled"))
    .post("/clients/:id/delete", (c) => remove(c, c.req.param("id")));
}

function apiPath(id: string, below = ""): string {
  return `/v1/clients/${encodeURIComponent(id)}${below}`;
}

async function showClients(c: ConsoleContext) {
  const { api, now } = c.var;
  const cursor = c.req.query("cursor");
  const listed = await api.get<Listed<ClientView>>("/v1/clients", { limit: PER_PAGE, cursor });
  if (!listed.ok) return showProblem(c, listed.error, CLIENTS);
  const props = { clients: listed.value.items, cursor, next: listed.value.next_cursor, now };
  return show(c, { title: "Clients", place: CLIENTS }, <ClientsPage {...props} />);
}

function showForm(c: ConsoleContext, filled: URLSearchParams, refusal?: Problem) {
  const props = { visitor: c.var.visitor, nonce: newSecret(), filled, problem: refusal };
  const status = refusal ? problemStatus(refusal.code) : 200;
  return show(c, { title: "Register a client", place: CLIENTS, status }, <ClientForm {...props} />);
}

/** The answer is the page with the secret: no address ever holds it. */
async function register(c: ConsoleContext, issuer: string) {
  const { api, form } = c.var;
  const read = readClient(form);
  if (!read.ok) return showForm(c, form, read.error);
  const key = await sha256Hex(JSON.stringify([form.get("nonce"), read.value]));
  const made = await api.post<ClientView>("/v1/clients", read.value, { key });
  if (!made.ok) return showForm(c, form, made.error);
  return showSecret(c, "The client is registered", made.value, issuer);
}

function showSecret(c: ConsoleContext, title: string, client: ClientView, issuer: string) {
  return show(c, { title, place: CLIENTS }, <ClientSecret client={client} issuer={issuer} />);
}

async function showClient(c: ConsoleContext, id: string) {
  const { api, visitor, now } = c.var;
  const found = await api.get<ClientView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, CLIENTS);
  return show(
    c,
    { title: found.value.name, place: CLIENTS },
    <ClientPage client={found.value} visitor={visitor} now={now} />,
  );
}

/** The form as the client is now, or as it was filled in where that was refused. */
async function showEdit(c: ConsoleContext, id: string, refusal?: Problem, asFilled?: URLSearchParams) {
  const found = await c.var.api.get<ClientView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, CLIENTS);
  const client = found.value;
  const filled = asFilled ?? filledFrom(client);
  const status = refusal ? problemStatus(refusal.code) : 200;
  return show(
    c,
    { title: `Edit ${client.name}`, place: CLIENTS, status },
    <EditClient client={client} visitor={c.var.visitor} filled={filled} problem={refusal} />,
  );
}

/** Says what the form would change; nothing is changed by it. */
async function showChanges(c: ConsoleContext, id: string) {
  const { api, visitor, form } = c.var;
  const found = await api.get<ClientView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, CLIENTS);
  const client = found.value;
  if (form.get("revision") !== String(client.revision)) return showEdit(c, id, CHANGED_MEANWHILE);
  const patch = readClientEdit(form, client);
  if (!patch.ok) return showEdit(c, id, patch.error, form);
  const props = { client, patch: patch.value, visitor, mayRevoke: hasAny(visitor, ["revocations:write"]) };
  return show(c, { title: `Change ${client.name}?`, place: CLIENTS }, <ConfirmClientEdit {...props} />);
}

/** Does what the page before it showed, to the client as it was then. */
async function change(c: ConsoleContext, id: string) {
  const { api, form } = c.var;
  const patch = parseUniqueObject(form.get("patch") ?? "");
  if (!patch) return showEdit(c, id, problem("invalid_body", "Fill the form in first."));
  const changed = await api.patch(apiPath(id), patch, form.get("revision") ?? "");
  if (changed.ok) return seeOther(c, clientPath(id), "client-changed");
  return showEdit(c, id, changed.error.code === "precondition_failed" ? CHANGED_MEANWHILE : changed.error);
}

/** Says what will be cut; nothing is changed by it. */
async function askAct(c: ConsoleContext, id: string, act: string) {
  const { api, visitor, now } = c.var;
  const found = await api.get<ClientView>(apiPath(id));
  if (!found.ok) return showProblem(c, found.error, CLIENTS);
  const dryRun = await dryRunOf(c, id);
  if (!dryRun.ok) return showProblem(c, dryRun.error, clientPath(id));
  const props = { client: found.value, act: act as ClientAct, dryRun: dryRun.value, visitor, now };
  return show(c, { title: found.value.name, place: CLIENTS }, <ConfirmClientAct {...props} />);
}

async function dryRunOf(
  { var: { api, visitor } }: ConsoleContext,
  id: string,
): Promise<Result<DryRunView | undefined>> {
  if (!hasAny(visitor, ["revocations:write"])) return ok(undefined);
  const body = { match: { client_id: id }, reason: "how much it would cut" };
  return api.post<DryRunView>("/v1/revocations", body, { dry_run: "true" });
}

async function rotate(c: ConsoleContext, id: string, issuer: string) {
  const { api, form } = c.var;
  const compromised = form.get("compromised") === "true";
  const rotated = await api.post<ClientView>(apiPath(id, "/rotate-secret"), { compromised });
  if (!rotated.ok) return showProblem(c, rotated.error, clientPath(id));
  return showSecret(c, "A new secret", rotated.value, issuer);
}

async function patch(c: ConsoleContext, id: string, disabled: boolean, done: Done) {
  const changed = await c.var.api.patch(apiPath(id), { disabled });
  return changed.ok ? seeOther(c, clientPath(id), done) : showProblem(c, changed.error, clientPath(id));
}

async function remove(c: ConsoleContext, id: string) {
  const removed = await c.var.api.delete(apiPath(id));
  return removed.ok ? seeOther(c, CLIENTS, "client-deleted") : showProblem(c, removed.error, clientPath(id));
}
