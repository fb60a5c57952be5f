import { Hono } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, queryParams, refuse, requireScope } from "../platform/http.ts";
import { AUDIT_TYPES } from "../protocol/audit-record.ts";
import type { Result } from "../protocol/result.ts";
import type { AuditPage, ConsistencyProof, InclusionProof } from "./audit-object.ts";
import type { AuditQuery } from "./audit-store.ts";

/** The audit log's object as the routes call it. */
export type AuditReadPort = {
  events(query: AuditQuery): Promise<Result<AuditPage>>;
  checkpoint(): Promise<Result<string>>;
  verifierKey(): Promise<Result<string>>;
  inclusion(seq: number): Promise<Result<InclusionProof>>;
  consistency(from: number): Promise<Result<ConsistencyProof>>;
};

export type AuditDeps = { audit: AuditReadPort };

const TYPES = new Set<string>(AUDIT_TYPES.flatMap((type) => [type, `${type.split(".")[0]}.*`]));
const subject = z.string().min(1).max(512);
const seconds = z.coerce.number().int().min(0).max(1e11);
const seq = z.coerce.number().int().min(0).max(1e15);

const eventsQuery = z.strictObject({
  type: z
    .string()
    .max(64)
    .refine((text) => TYPES.has(text), "is no type of audit records, and no family of them")
    .exactOptional(),
  actor: subject.exactOptional(),
  about: subject.exactOptional(),
  source: z.string().min(1).max(128).exactOptional(),
  request_id: z.string().min(1).max(64).exactOptional(),
  since: seconds.exactOptional(),
  until: seconds.exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: seq.exactOptional(),
});

const proofQuery = z.union([
  z.strictObject({ seq }),
  z.strictObject({ from: z.coerce.number().int().min(1).max(1e15) }),
]);

/** `/v1/audit`: who changed what, and the proofs that nothing of it was changed afterwards. */
export function auditRoutes({ audit }: AuditDeps) {
  const read = requireScope("audit:read");
  return new Hono<HttpEnv>()
    .get("/v1/audit/events", read, queryParams(eventsQuery), async (c) => {
      const { cursor, ...query } = c.req.valid("query");
      return answer(c, await audit.events({ ...query, ...(cursor === undefined ? {} : { before: cursor }) }));
    })
    .get("/v1/audit/checkpoint", read, async (c) => {
      const note = await audit.checkpoint();
      return note.ok ? plainText(note.value) : refuse(c, note.error);
    })
    .get("/v1/audit/key", read, async (c) => {
      const key = await audit.verifierKey();
      return key.ok ? plainText(`${key.value}\n`) : refuse(c, key.error);
    })
    .get("/v1/audit/proof", read, queryParams(proofQuery), async (c) => {
      const asked = c.req.valid("query");
      return "seq" in asked
        ? answer(c, await audit.inclusion(asked.seq))
        : answer(c, await audit.consistency(asked.from));
    });
}

function plainText(text: string): Response {
  return new Response(text, {
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}
