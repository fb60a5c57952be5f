import { Hono } from "hono";
import type { AuditRecord, InclusionProof } from "../client/contract.ts";
import { problem, readProblem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { AUDIT, AuditPage, readMoment, typeText } from "./audit-page.tsx";
import { faultOfProof } from "./audit-proof.ts";
import { AuditRecordPage } from "./audit-record-page.tsx";
import type { ConsoleContext, ConsoleEnv } from "./ports.ts";
import { show, showProblem } from "./respond.tsx";
import type { Listed } from "./wire.ts";

const PER_PAGE = 50;

/** Who changed what, and the proof that nobody has changed what is recorded of it. */
export function auditRoutes() {
  return new Hono<ConsoleEnv>()
    .get("/audit", showAudit)
    .get("/audit/export", exportAudit)
    .get("/audit/:seq{[0-9]{1,15}}", (c) => showRecord(c, Number(c.req.param("seq"))));
}

async function showAudit(c: ConsoleContext) {
  const { api, now } = c.var;
  const { type, actor, about, request_id, since, until, cursor } = c.req.query();
  const query = { type, actor, about, request_id, since, until, cursor };
  const asked = { ...query, since: readMoment(since), until: readMoment(until), limit: PER_PAGE };
  const listed = await api.get<Listed<AuditRecord>>("/v1/audit/events", asked);
  if (!listed.ok) return showProblem(c, listed.error, AUDIT);
  const { items, next_cursor: next } = listed.value;
  return show(
    c,
    { title: "Audit", place: AUDIT },
    <AuditPage records={items} now={now} query={query} next={next} />,
  );
}

async function showRecord(c: ConsoleContext, seq: number) {
  const { api, now } = c.var;
  const [listed, proof, key] = await Promise.all([
    // What comes before the next one is this one.
    api.get<Listed<AuditRecord>>("/v1/audit/events", { cursor: seq + 1, limit: 1 }),
    api.get<InclusionProof>("/v1/audit/proof", { seq }),
    readKey(c),
  ]);
  if (!listed.ok) return showProblem(c, listed.error, AUDIT);
  if (!proof.ok) return showProblem(c, proof.error, AUDIT);
  if (!key.ok) return showProblem(c, key.error, AUDIT);
  const [record] = listed.value.items;
  if (record?.seq !== seq) {
    return showProblem(
      c,
      problem("gone", "The text of this record is older than the policy keeps it."),
      AUDIT,
    );
  }
  const fault = await faultOfProof(proof.value, key.value);
  return show(
    c,
    { title: typeText(record.type), place: AUDIT },
    <AuditRecordPage record={record} proof={proof.value} fault={fault} now={now} />,
  );
}

async function readKey({ var: { api } }: ConsoleContext): Promise<Result<string>> {
  const answer = await api.raw("GET", "/v1/audit/key");
  return answer.ok ? ok(await answer.text()) : err(readProblem(await answer.json()));
}

/** Streams as it comes: an export may be large. */
async function exportAudit(c: ConsoleContext) {
  const format = c.req.query("format") === "ocsf" ? "ocsf" : "ndjson";
  const answer = await c.var.api.raw("GET", `/v1/audit/export?format=${format}`);
  if (!answer.ok) return showProblem(c, readProblem(await answer.json()), AUDIT);
  return new Response(answer.body, {
    headers: {
      "content-type": "application/x-ndjson",
      "content-disposition": `attachment; filename="audit-${format}.ndjson"`,
    },
  });
}
