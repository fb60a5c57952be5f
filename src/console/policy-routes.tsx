import { Hono } from "hono";
import { parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import type { PolicyCheckView, PolicyVersionView, PolicyView } from "./operator-wire.ts";
import { PolicyChange, type WantedPolicy } from "./policy-change.tsx";
import { documentText, POLICY, PolicyEditor, PolicyPage, PolicyVersionPage } from "./policy-page.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { hasAny } from "./visitor.ts";
import type { Listed } from "./wire.ts";

const PER_PAGE = 20;
/** How many of the latest requests a new policy decides again. */
const REPLAYED = 100;

/** The policy: what is in force, editing it after a look at what that changes, and going back. */
export function policyRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/policy", showPolicy)
    .post("/policy", put)
    .get("/policy/edit", edit)
    .post("/policy/edit", check)
    .get("/policy/versions/:n", (c) => showVersion(c, c.req.param("n")))
    .get("/policy/versions/:n/activate", (c) => askActivate(c, c.req.param("n")))
    .post("/policy/versions/:n/activate", (c) => activate(c, c.req.param("n")));
}

async function showPolicy(c: ConsoleContext) {
  const { api, visitor, now } = c.var;
  const cursor = c.req.query("cursor");
  const [policy, versions] = await Promise.all([
    api.get<PolicyView>("/v1/policy"),
    api.get<Listed<PolicyVersionView>>("/v1/policy/versions", { limit: PER_PAGE, cursor }),
  ]);
  if (!policy.ok) return showProblem(c, policy.error, POLICY);
  if (!versions.ok) return showProblem(c, versions.error, POLICY);
  const { items, next_cursor: next } = versions.value;
  const props = { policy: policy.value, versions: items, cursor, next, now };
  const mayWrite = hasAny(visitor, ["policy:write"]);
  return show(c, { title: "Policy", place: POLICY }, <PolicyPage {...props} mayWrite={mayWrite} />);
}

async function edit(c: ConsoleContext) {
  const policy = await c.var.api.get<PolicyView>("/v1/policy");
  if (!policy.ok) return showProblem(c, policy.error, POLICY);
  return showEditor(c, documentText(policy.value.document), policy.value.version);
}

function showEditor(c: ConsoleContext, text: string, version: number, refusal?: Problem) {
  const { visitor } = c.var;
  const props = { text, version, visitor, mayReplay: mayReplay(c), problem: refusal };
  const status = refusal ? problemStatus(refusal.code) : 200;
  return show(c, { title: "Edit the policy", place: POLICY, status }, <PolicyEditor {...props} />);
}

function mayReplay({ var: { visitor } }: ConsoleContext): boolean {
  return hasAny(visitor, ["requests:read_all"]);
}

/** What the document in the form would change; nothing is changed by it. */
async function check(c: ConsoleContext) {
  const text = c.var.form.get("document") ?? "";
  const over = Number(c.var.form.get("version"));
  const document = parseUniqueObject(text);
  if (!document) return showEditor(c, text, over, NO_OBJECT);
  const checked = await checkDocument(c, document);
  if (!checked.ok) return showEditor(c, text, over, checked.error);
  return showChange(c, checked.value, { document, over });
}

function checkDocument(c: ConsoleContext, document: object): Promise<Result<PolicyCheckView>> {
  const replay = mayReplay(c) ? { replay: REPLAYED } : {};
  return c.var.api.post<PolicyCheckView>("/v1/policy/check", { document, ...replay });
}

async function showChange(c: ConsoleContext, found: PolicyCheckView, wanted: WantedPolicy) {
  const active = await c.var.api.get<PolicyView>("/v1/policy");
  if (!active.ok) return showProblem(c, active.error, POLICY);
  const props = { check: found, visitor: c.var.visitor, inForce: active.value.document, wanted };
  return show(c, { title: "Change the policy?", place: POLICY }, <PolicyChange {...props} />);
}

async function put(c: ConsoleContext) {
  const { api, form } = c.var;
  const [text, over] = [form.get("document") ?? "", Number(form.get("version"))];
  const document = parseUniqueObject(text);
  if (!document) return showEditor(c, text, over, NO_OBJECT);
  const done = await api.put("/v1/policy", document, { "if-match": `"${over}"` });
  // What somebody else has put meanwhile is not overwritten; what was written here is not lost.
  return done.ok ? seeOther(c, POLICY, "policy-put") : showEditor(c, text, over, done.error);
}

function versionPath(n: string, below = ""): string {
  return `/v1/policy/versions/${encodeURIComponent(n)}${below}`;
}

async function showVersion(c: ConsoleContext, n: string) {
  const version = await c.var.api.get<PolicyView>(versionPath(n));
  if (!version.ok) return showProblem(c, version.error, POLICY);
  const title = `Policy, version ${version.value.version}`;
  return show(c, { title, place: POLICY }, <PolicyVersionPage document={version.value.document} />);
}

async function askActivate(c: ConsoleContext, n: string) {
  const version = await c.var.api.get<PolicyView>(versionPath(n));
  if (!version.ok) return showProblem(c, version.error, POLICY);
  const checked = await checkDocument(c, version.value.document);
  if (!checked.ok) return showProblem(c, checked.error, POLICY);
  return showChange(c, checked.value, { version: version.value.version });
}

async function activate(c: ConsoleContext, n: string) {
  const done = await c.var.api.post(versionPath(n, "/activate"));
  return done.ok ? seeOther(c, POLICY, "policy-back") : showProblem(c, done.error, POLICY);
}

const NO_OBJECT = problem(
  "invalid_body",
  "The document is not one JSON object, or an object in it has a member twice. Nothing was changed.",
);
