import { Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import {
  answer,
  type HttpEnv,
  jsonBody,
  queryParams,
  readIfMatch,
  refuse,
  requireScope,
} from "../platform/http.ts";
import { newId } from "../platform/ids.ts";
import { type PasskeyAnswer, passkeyAnswer } from "../platform/passkey-answer.ts";
import { checkPolicy } from "../policy/check.ts";
import { loadConditions } from "../policy/condition.ts";
import type { PolicyContext } from "../policy/cross-faults.ts";
import { remediationRules } from "../policy/default-remediation.ts";
import type { PolicyDocument, PolicyVersion } from "../policy/document.ts";
import { detectionKind, type RemediationRule, remediationSchema } from "../policy/remediation-schema.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { RemediationView } from "./remediation.ts";
import type { DetectionQuery, Page, RemediationQuery, StoredDetection } from "./remediation-store.ts";
import type { ReplayReport } from "./replay.ts";

export type RemediationPort = {
  detections(query: DetectionQuery): Promise<Result<Page<StoredDetection>>>;
  detection(id: string): Promise<Result<StoredDetection>>;
  remediations(query: RemediationQuery): Promise<Result<Page<RemediationView>>>;
  remediation(id: string): Promise<Result<RemediationView>>;
  undo(id: string, by: string, reason: string): Promise<Result<RemediationView>>;
  confirm(id: string, actor: string, comment?: string): Promise<Result<RemediationView>>;
  replay(rules: RemediationRule[], since: number): Promise<Result<ReplayReport>>;
};

export type RemediationRouteDeps = {
  remediation: RemediationPort;
  registry: {
    activePolicy(): Promise<Result<PolicyVersion>>;
    putPolicy(change: {
      id: string;
      document: PolicyDocument;
      if_match: number;
      actor: string;
    }): Promise<Result<{ version: number; receipt: Receipt }>>;
  };
  /** Whether a person has confirmed a firing as the policy wants it: with a passkey, where it says so. */
  confirmedBy(subject: string, id: string, passkey: PasskeyAnswer | undefined): Promise<Result<unknown>>;
  /** What a document is checked against beside its schema. */
  context: PolicyContext;
  clock: Clock;
};

const RULES_PATH = "/v1/remediation-rules";
const text = z.string().min(1).max(512);
const page = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.coerce.number().int().min(1).exactOptional(),
};
const epoch = z.coerce.number().int().min(0).max(1e11);

const ABOUT = ["iss", "jti", "sub", "client_id", "grant", "session", "kid", "route", "address", "endpoint"];
const detectionQuery = z
  .strictObject({
    ...page,
    kind: detectionKind.exactOptional(),
    since: epoch.exactOptional(),
    ...Object.fromEntries(ABOUT.map((member) => [member, text.exactOptional()])),
  })
  .transform(
    ({ limit, cursor, kind, since, ...about }): DetectionQuery => ({
      limit,
      about: about as Record<string, string>,
      ...(cursor === undefined ? {} : { cursor }),
      ...(kind === undefined ? {} : { kind }),
      ...(since === undefined ? {} : { since }),
    }),
  );
const remediationQuery = z.strictObject({
  ...page,
  rule: text.exactOptional(),
  state: z.enum(["acted", "held", "shadow", "dismissed", "undone"]).exactOptional(),
});
const undoSchema = z.strictObject({ reason: z.string().min(1).max(500) });
const confirmSchema = z.strictObject({
  comment: z.string().min(1).max(500).exactOptional(),
  passkey: passkeyAnswer
    .exactOptional()
    .describe("An answer to a challenge for this confirmation, where the policy has `confirm_with_passkey`."),
});
const replaySchema = z.strictObject({
  rules: remediationSchema.shape.rules,
  since: z.int().min(0).max(1e11).describe("Epoch seconds"),
});

/** `/v1/detections`, `/v1/remediations`, `/v1/remediation-rules`: what was noticed, what is done about it, by what rules. */
export function remediationRoutes(deps: RemediationRouteDeps) {
  const { remediation, registry, clock } = deps;
  const read = requireScope("remediation:read", "remediation:write");
  const write = requireScope("remediation:write");
  return new Hono<HttpEnv>()
    .get("/v1/detections", read, queryParams(detectionQuery), async (c) => {
      const found = await remediation.detections(c.req.valid("query"));
      if (!found.ok) return refuse(c, found.error);
      return answer(c, ok({ ...found.value, items: found.value.items.map(shownDetection) }));
    })
    .get("/v1/detections/:id", read, async (c) => {
      const found = await remediation.detection(c.req.param("id"));
      return answer(c, found.ok ? ok(shownDetection(found.value)) : found);
    })
    .get("/v1/remediations", read, queryParams(remediationQuery), async (c) =>
      answer(c, await remediation.remediations(c.req.valid("query"))),
    )
    .get("/v1/remediations/:id", read, async (c) =>
      answer(c, await remediation.remediation(c.req.param("id"))),
    )
    .post("/v1/remediations/:id/undo", write, jsonBody(undoSchema), async (c) => {
      const { reason } = c.req.valid("json");
      return answer(c, await remediation.undo(c.req.param("id"), c.var.actor.subject, reason));
    })
    .post("/v1/remediations/:id/confirm", write, jsonBody(confirmSchema), async (c) => {
      const { comment, passkey } = c.req.valid("json");
      const [id, { subject }] = [c.req.param("id"), c.var.actor];
      const allowed = await deps.confirmedBy(subject, id, passkey);
      if (!allowed.ok) return refuse(c, allowed.error);
      const confirmed = await remediation.confirm(id, subject, comment);
      return answer(c, confirmed, confirmed.ok && confirmed.value.state === "held" ? 202 : 200);
    })
    .get(RULES_PATH, read, async (c) => {
      const active = await registry.activePolicy();
      if (!active.ok) return refuse(c, active.error);
      const { version, document } = active.value;
      const shown = { rules: remediationRules(document), default: document.remediation === undefined };
      return answer(c, ok(shown), 200, { etag: `"${version}"` });
    })
    .put(RULES_PATH, write, jsonBody(remediationSchema), async (c) => {
      const edited = readIfMatch(c.req.header("if-match"), RULES_PATH);
      if (!edited.ok) return refuse(c, edited.error);
      const put = await putRules(c.req.valid("json"), edited.value, c.var.actor.subject, deps);
      return answer(c, put, 200, put.ok ? { etag: `"${put.value.version}"` } : {});
    })
    .post(`${RULES_PATH}/replay`, write, jsonBody(replaySchema), async (c) => {
      const { rules, since } = c.req.valid("json");
      await loadConditions();
      const fault = ruleFault(rules, deps.context);
      if (fault) return refuse(c, fault);
      return answer(c, await remediation.replay(rules, Math.min(since, epochSeconds(clock()))));
    });
}

/** The rules are a section of the policy: they come into force as one of its versions. */
async function putRules(
  remediation: z.output<typeof remediationSchema>,
  if_match: number,
  actor: string,
  { registry, context, clock }: RemediationRouteDeps,
) {
  const active = await registry.activePolicy();
  if (!active.ok) return active;
  await loadConditions();
  const document = checkPolicy({ ...active.value.document, remediation }, context);
  if (!document.ok) return document;
  return registry.putPolicy({ id: newId("log", clock()), document: document.value, if_match, actor });
}

/** Candidate rules are checked as those of a policy are. */
function ruleFault(rules: readonly RemediationRule[], context: PolicyContext) {
  const checked = checkPolicy({ remediation: { rules } }, context);
  return checked.ok ? undefined : checked.error;
}

function shownDetection({ detection, received_at, outcomes }: StoredDetection) {
  return { ...detection, received_at, outcomes };
}
