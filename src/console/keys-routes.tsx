import { Hono } from "hono";
import { newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import { KEYS, KeyReplaced, KeysPage, ReplaceKey, RotateKeys, replacePath } from "./keys-page.tsx";
import type { DryRunView, KeyView, ReceiptView } from "./operator-wire.ts";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { textOf } from "./review.ts";
import { hasAny } from "./visitor.ts";
import type { Listed } from "./wire.ts";

/** Signing keys: their state and age, rotation as planned, and the replacement of one that leaked. */
export function keyRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/keys", showKeys)
    .get("/keys/rotate", confirmRotation)
    .post("/keys/rotate", rotate)
    .get("/keys/:kid/replace", (c) => confirmReplacement(c, c.req.param("kid")))
    .post("/keys/:kid/replace", (c) => replace(c, c.req.param("kid")));
}

async function showKeys(c: ConsoleContext) {
  const [keys, alarms] = await Promise.all([readKeys(c), keyAlarms(c)]);
  if (!keys.ok) return showProblem(c, keys.error, KEYS);
  const props = { keys: keys.value, alarms, now: c.var.now };
  return show(c, { title: "Keys", place: KEYS }, <KeysPage {...props} />);
}

async function readKeys({ var: { api } }: ConsoleContext): Promise<Result<KeyView[]>> {
  const listed = await api.get<Listed<KeyView>>("/v1/keys");
  return listed.ok ? ok(listed.value.items) : listed;
}

type Readiness = { checks?: { name: string; ready: boolean; detail: string }[] };

/** A rotation that is overdue, or keys that cannot be read, as every load balancer is told. */
async function keyAlarms({ var: { api } }: ConsoleContext): Promise<string[]> {
  const answer = await api.raw("GET", "/readyz");
  const { checks = [] } = (await answer.json()) as Readiness;
  const wrong = checks.filter(({ name, ready }) => name.startsWith("key") && !ready);
  return wrong.map(({ detail }) => `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`);
}

async function confirmRotation(c: ConsoleContext) {
  const keys = await readKeys(c);
  if (!keys.ok) return showProblem(c, keys.error, KEYS);
  const props = { keys: keys.value, visitor: c.var.visitor, nonce: newSecret(), now: c.var.now };
  return show(c, { title: "Rotate the keys", place: KEYS }, <RotateKeys {...props} />);
}

async function rotate(c: ConsoleContext) {
  const key = await sha256Hex(JSON.stringify([c.var.form.get("nonce"), "rotate"]));
  const done = await c.var.api.post<{ rotated: object[] }>("/v1/keys/rotate", {}, { key });
  if (!done.ok) return showProblem(c, done.error, KEYS);
  return seeOther(c, KEYS, done.value.rotated.length > 0 ? "rotated" : "rotation-planned");
}

async function confirmReplacement(c: ConsoleContext, kid: string) {
  const { visitor, now } = c.var;
  const keys = await readKeys(c);
  if (!keys.ok) return showProblem(c, keys.error, KEYS);
  const key = keys.value.find((each) => each.kid === kid);
  if (!key) return showProblem(c, NO_KEY, KEYS);
  const dryRun = await dryRunOf(c, kid);
  if (!dryRun.ok) return showProblem(c, dryRun.error, KEYS);
  const props = { signingKey: key, dryRun: dryRun.value, visitor, nonce: newSecret(), now };
  return show(c, { title: "Replace a leaked key", place: KEYS }, <ReplaceKey {...props} />);
}

async function dryRunOf(
  { var: { api, visitor } }: ConsoleContext,
  kid: string,
): Promise<Result<DryRunView | undefined>> {
  if (!hasAny(visitor, ["revocations:write"])) return ok(undefined);
  const body = { match: { kid }, reason: "how much it would cut" };
  return api.post<DryRunView>("/v1/revocations", body, { dry_run: "true" });
}

async function replace(c: ConsoleContext, kid: string) {
  const { api, form, now } = c.var;
  const reason = textOf(form, "reason");
  if (reason === undefined) return showProblem(c, NO_REASON, replacePath(kid));
  const body = { compromised_kid: kid, reason };
  const key = await sha256Hex(JSON.stringify([form.get("nonce"), body]));
  const replaced = await api.post<ReceiptView>("/v1/keys/rotate", body, { key });
  if (!replaced.ok) return showProblem(c, replaced.error, KEYS);
  // The answer is the page itself: the session's own token may be among those that are refused from now on.
  return show(
    c,
    { title: "The key is replaced", place: KEYS },
    <KeyReplaced receipt={replaced.value} now={now} />,
  );
}

const NO_KEY = problem("not_found", "There is no such key.");
const NO_REASON = problem("invalid_body", "Say why: everybody is told. Nothing was changed.");
