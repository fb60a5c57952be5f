import { Hono } from "hono";
import { type Problem, problem, problemResponse, problemStatus } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { PASSKEYS, PasskeyPage } from "./passkey-page.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { readReview } from "./review.ts";
import type { Listed, PasskeyView } from "./wire.ts";

/** One's passkeys, and the challenges that the pages' script has them answer. */
export function passkeyRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/passkeys", (c) => showPasskeys(c))
    .post("/passkeys", add)
    .post("/passkeys/remove", remove)
    .post("/passkeys/challenges", challenge);
}

async function showPasskeys(c: ConsoleContext, refusal?: Problem) {
  const { api, visitor, now } = c.var;
  const listed = await api.get<Listed<PasskeyView>>("/v1/passkeys");
  if (!listed.ok) return showProblem(c, listed.error);
  const status = refusal ? problemStatus(refusal.code) : 200;
  const props = { passkeys: listed.value.items, visitor, now, problem: refusal };
  return show(c, { title: "Passkeys", place: PASSKEYS, status }, <PasskeyPage {...props} />);
}

async function add(c: ConsoleContext) {
  const { api, form } = c.var;
  const [credential, proof] = [readAnswer(form, "credential"), readAnswer(form, "passkey")];
  if (!credential) return showPasskeys(c, NO_ANSWER);
  const body = { name: form.get("name") ?? "", credential, ...(proof ? { proof } : {}) };
  const added = await api.post("/v1/passkeys", body);
  return added.ok ? seeOther(c, PASSKEYS, "passkey-added") : showPasskeys(c, added.error);
}

async function remove(c: ConsoleContext) {
  const { api, form } = c.var;
  const proof = readAnswer(form, "passkey");
  if (!proof) return showPasskeys(c, NO_ANSWER);
  const path = `/v1/passkeys/${encodeURIComponent(form.get("passkey_id") ?? "")}/remove`;
  const removed = await api.post(path, { proof });
  return removed.ok ? seeOther(c, PASSKEYS, "passkey-removed") : showPasskeys(c, removed.error);
}

/** For the script: what the browser is to ask the passkey. The form that it is for says what is confirmed. */
async function challenge(c: ConsoleContext) {
  const confirms = confirmedBy(c.var.form);
  const begun = confirms.ok
    ? await c.var.api.post<object>("/v1/passkeys/challenges", { confirms: confirms.value })
    : confirms;
  return begun.ok ? c.json(begun.value) : problemResponse(begun.error, c.env.requestId);
}

function confirmedBy(form: URLSearchParams): Result<object> {
  const kind = form.get("confirms");
  if (kind === "passkey.remove") return ok({ kind, passkey_id: form.get("passkey_id") ?? "" });
  if (kind === "revocation.confirm") return ok({ kind, revocation_id: form.get("revocation_id") ?? "" });
  if (kind === "remediation.confirm") return ok({ kind, remediation_id: form.get("remediation_id") ?? "" });
  if (kind !== "access_request.approve") return ok({ kind });
  const review = readReview(form);
  if (!review.ok) return review;
  const { outcome: _approve, comment: _comment, ...narrowed } = review.value;
  const id = form.get("access_request_id");
  return id ? ok({ kind, access_request_id: id, ...narrowed }) : err(NO_ANSWER);
}

const NO_ANSWER = problem(
  "passkey_required",
  "The browser gave no passkey. Allow JavaScript, and try again.",
);

/** What the script has put into a field; undefined where it is not there, or is no JSON. */
export function readAnswer(form: URLSearchParams, name: string): object | undefined {
  try {
    const answer: unknown = JSON.parse(form.get(name) ?? "");
    return typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}
