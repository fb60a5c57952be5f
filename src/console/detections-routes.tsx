import { Hono } from "hono";
import { sha256Hex } from "../protocol/encoding.ts";
import { type Problem, problem, problemStatus } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import { DetectionPage } from "./detection-page.tsx";
import { DETECTIONS, DetectionsPage, detectionPath, kindText } from "./detections-page.tsx";
import { FIRINGS, FiringsPage } from "./firings-page.tsx";
import { readAnswer } from "./passkey-routes.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { seeOther, show, showProblem } from "./respond.tsx";
import { textOf } from "./review.ts";
import type { DetectionView, FiringView } from "./watch-wire.ts";
import type { Listed } from "./wire.ts";

const PER_PAGE = 50;
/** Each is shown with all that it waits for. */
const MAX_HELD = 20;

/** What was noticed, what the rules did about it, and what waits for a person. */
export function detectionsRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/detections", showDetections)
    .get("/detections/firings", showFirings)
    .get("/detections/:id", (c) => showDetection(c, c.req.param("id")))
    .post("/remediations/:id/undo", (c) => undo(c, c.req.param("id")))
    .post("/remediations/:id/confirm", (c) => confirm(c, c.req.param("id")));
}

async function showDetections(c: ConsoleContext) {
  const { api, now } = c.var;
  const { kind, sub, jti, address, cursor } = c.req.query();
  const query = { kind, sub, jti, address, cursor };
  const [held, listed] = await Promise.all([
    api.get<Listed<FiringView>>("/v1/remediations", { state: "held", limit: MAX_HELD }),
    api.get<Listed<DetectionView>>("/v1/detections", { ...query, limit: PER_PAGE }),
  ]);
  if (!held.ok) return showProblem(c, held.error, DETECTIONS);
  if (!listed.ok) return showProblem(c, listed.error, DETECTIONS);
  const { items, next_cursor: next } = listed.value;
  const waiting = held.value.items.filter(({ state }) => state === "held");
  const moreHeld = held.value.next_cursor !== undefined && waiting.length === MAX_HELD;
  const shown = { held: waiting, moreHeld, detections: items };
  const version = await sha256Hex(JSON.stringify(shown));
  return show(
    c,
    { title: "Detections", place: DETECTIONS },
    <DetectionsPage {...shown} now={now} version={version} query={query} next={next} />,
  );
}

async function showFirings(c: ConsoleContext) {
  const { state, rule, cursor } = c.req.query();
  const query = { state, rule, cursor };
  const listed = await c.var.api.get<Listed<FiringView>>("/v1/remediations", { ...query, limit: PER_PAGE });
  if (!listed.ok) return showProblem(c, listed.error, FIRINGS);
  const { items, next_cursor: next } = listed.value;
  return show(
    c,
    { title: "What rules did", place: DETECTIONS },
    <FiringsPage firings={items} now={c.var.now} query={query} next={next} />,
  );
}

async function showDetection(c: ConsoleContext, id: string, refusal?: Problem) {
  const { api, visitor, now } = c.var;
  const comment = refusal && textOf(c.var.form, "comment");
  const found = await api.get<DetectionView>(`/v1/detections/${encodeURIComponent(id)}`);
  if (!found.ok) return showProblem(c, found.error, DETECTIONS);
  const firings = await firingsOf(c, found.value);
  if (!firings.ok) return showProblem(c, firings.error, DETECTIONS);
  const shown = { detection: found.value, firings: firings.value };
  const version = await sha256Hex(JSON.stringify(shown));
  return show(
    c,
    {
      title: kindText(found.value.kind),
      place: DETECTIONS,
      status: refusal ? problemStatus(refusal.code) : 200,
    },
    <DetectionPage {...shown} {...{ visitor, now, version, refusal, comment }} />,
  );
}

/** Those that are still known: a detection may be kept for longer than what a rule did about it. */
async function firingsOf({ var: { api } }: ConsoleContext, { outcomes }: DetectionView) {
  const ids = outcomes.flatMap(({ remediation_id: id }) => (id === undefined ? [] : [id]));
  const read = await Promise.all(ids.map((id) => api.get<FiringView>(apiPath(id))));
  const firings: FiringView[] = [];
  for (const each of read) {
    if (each.ok) firings.push(each.value);
    else if (each.error.code !== "not_found") return each;
  }
  return ok(firings);
}

async function undo(c: ConsoleContext, id: string) {
  const reason = textOf(c.var.form, "reason");
  if (reason === undefined) {
    return refused(c, id, problem("invalid_body", "Say why; whoever looks at it later will want to know."));
  }
  const undone = await c.var.api.post<FiringView>(apiPath(id, "/undo"), { reason });
  return told(c, id, undone, ({ state }) => (state === "dismissed" ? "firing-dismissed" : "firing-undone"));
}

async function confirm(c: ConsoleContext, id: string) {
  const { api, form } = c.var;
  const [comment, passkey] = [textOf(form, "comment"), readAnswer(form, "passkey")];
  const body = { ...(comment === undefined ? {} : { comment }), ...(passkey ? { passkey } : {}) };
  // That the policy wants a passkey is learnt here: the page is shown again, and asks for one.
  const confirmed = await api.post<FiringView>(apiPath(id, "/confirm"), body);
  return told(c, id, confirmed, ({ state }) => (state === "held" ? "firing-counted" : "firing-confirmed"));
}

type FiringDone = "firing-dismissed" | "firing-undone" | "firing-counted" | "firing-confirmed";

function told(
  c: ConsoleContext,
  id: string,
  changed: Result<FiringView>,
  done: (firing: FiringView) => FiringDone,
) {
  if (!changed.ok) return refused(c, id, changed.error);
  return seeOther(c, detectionPath(changed.value.detection_id), done(changed.value));
}

/** The page that the form was on, with why it was not taken. */
async function refused(c: ConsoleContext, id: string, why: Problem) {
  const firing = await c.var.api.get<FiringView>(apiPath(id));
  return firing.ok ? showDetection(c, firing.value.detection_id, why) : showProblem(c, why, DETECTIONS);
}

function apiPath(id: string, below = ""): string {
  return `/v1/remediations/${encodeURIComponent(id)}${below}`;
}
