import { Hono } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, jsonBody, queryParams, refuse, requireScope } from "../platform/http.ts";
import { AUDIT_TYPES } from "../protocol/audit-record.ts";
import { problem } from "../protocol/problem.ts";
import { err, type Result } from "../protocol/result.ts";
import type { AuditPage, ConsistencyProof, InclusionProof } from "./audit-object.ts";
import type { AuditQuery } from "./audit-store.ts";
import { type ExportPort, exportLines, ndjson, ocsfEvents } from "./export-stream.ts";
import { readTileLevel, readTilePath, type TileAddress } from "./tile.ts";

/** The audit log's object as the routes call it. */
export type AuditReadPort = ExportPort & {
  events(query: AuditQuery): Promise<Result<AuditPage>>;
  checkpoint(): Promise<Result<string>>;
  verifierKey(): Promise<Result<string>>;
  inclusion(seq: number): Promise<Result<InclusionProof>>;
  consistency(from: number): Promise<Result<ConsistencyProof>>;
  tile(level: number, address: TileAddress): Promise<Result<Uint8Array>>;
  entries(address: TileAddress): Promise<Result<Uint8Array>>;
  erase(subject: string, reason: string): Promise<Result<{ records: number }>>;
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

const exportQuery = z.strictObject({
  from: seq.default(0),
  format: z.enum(["ndjson", "ocsf"]).default("ndjson"),
});

const erasureSchema = z.strictObject({
  subject: subject.describe("Everything that records say of them is erased."),
  reason: z.string().min(1).max(500).describe("Is recorded: name nobody in it."),
});

const proofQuery = z
  .strictObject({
    seq: seq.exactOptional(),
    from: z.coerce.number().int().min(1).max(1e15).exactOptional(),
  })
  .refine((asked) => (asked.seq === undefined) !== (asked.from === undefined), "name either seq or from");

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
      const { seq: record, from } = c.req.valid("query");
      return record === undefined
        ? answer(c, await audit.consistency(from!))
        : answer(c, await audit.inclusion(record));
    })
    .get("/v1/audit/tile/:level/:path{.+}", read, async (c) => {
      const tile = await readTile(audit, c.req.param("level"), c.req.param("path"));
      return tile.ok ? bytes(tile.value) : refuse(c, tile.error);
    })
    .get("/v1/audit/export", read, queryParams(exportQuery), async (c) => {
      const { from, format } = c.req.valid("query");
      const plan = await audit.exportFrom(from);
      if (!plan.ok) return refuse(c, plan.error);
      const lines = exportLines(audit, plan.value);
      return new Response(ndjson(format === "ocsf" ? ocsfEvents(lines) : lines), { headers: NDJSON });
    })
    .post("/v1/audit/erasures", requireScope("audit:erase"), jsonBody(erasureSchema), async (c) => {
      const { subject, reason } = c.req.valid("json");
      return answer(c, await audit.erase(subject, reason));
    });
}

async function readTile(audit: AuditReadPort, level: string, path: string): Promise<Result<Uint8Array>> {
  const address = readTilePath(path);
  const height = readTileLevel(level);
  if (!address || (level !== "entries" && height === undefined)) return err(NO_TILE);
  return height === undefined ? audit.entries(address) : audit.tile(height, address);
}

const NO_TILE = problem("not_found", "A tile is /v1/audit/tile/<level>/<index> (C2SP tlog-tiles).");
const NDJSON = { "content-type": "application/x-ndjson", "cache-control": "no-store" };

function bytes(body: Uint8Array): Response {
  return new Response(body as Uint8Array<ArrayBuffer>, {
    headers: { "content-type": "application/octet-stream", "cache-control": "no-store" },
  });
}

function plainText(text: string): Response {
  return new Response(text, {
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}
