import { Hono } from "hono";
import * as z from "zod";
import type { AuditNote } from "../platform/audit-outbox.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { type HttpEnv, jsonBody, refuse, requireScope } from "../platform/http.ts";
import { newId } from "../platform/ids.ts";
import { problem } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";
import { type BackupPosition, type BackupSource, backupPage, newHeader } from "./backup-page.ts";
import type { BackupSeal } from "./seal.ts";

export type BackupDeps = {
  issuer: string;
  clock: Clock;
  source: BackupSource;
  seal: BackupSeal;
  /** Notes down in the audit log that one is taken; without the record there is none. */
  record(note: AuditNote): Promise<Result<null>>;
};

const backupSchema = z.strictObject({
  cursor: z
    .string()
    .max(64 * 1024)
    .exactOptional()
    .describe("`next` of the page before; absent for the first one."),
});

/** `POST /v1/backup`: everything that the deployment stores, page by page. */
export function backupRoutes({ issuer, clock, source, seal, record }: BackupDeps) {
  return new Hono<HttpEnv>().post(
    "/v1/backup",
    requireScope("backup:read"),
    jsonBody(backupSchema),
    async (c) => {
      const { cursor } = c.req.valid("json");
      const opened = cursor === undefined ? undefined : await seal.openCursor(cursor);
      if (cursor !== undefined && opened === undefined) {
        return refuse(c, problem("invalid_request", "The cursor is none of this deployment's."));
      }
      const nowMs = clock();
      const header = { id: newId("bak", nowMs), issuer, taken_at: epochSeconds(nowMs) };
      const position =
        (opened as BackupPosition | undefined) ?? newHeader({ ...header, taken_by: c.var.actor.subject });
      if (cursor === undefined) {
        const recorded = await record({ type: "backup.taken", data: { backup: header.id } });
        if (!recorded.ok) return refuse(c, recorded.error);
      }
      const page = await backupPage(position, source, seal);
      if (!page.ok) return refuse(c, page.error);
      return c.body(page.value, 200, {
        "content-type": "application/x-ndjson",
        "cache-control": "no-store",
      });
    },
  );
}
