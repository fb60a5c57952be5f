import { Hono, type MiddlewareHandler } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, jsonBody, refuse } from "../platform/http.ts";
import type { BackupTrailer } from "../protocol/backup.ts";
import { bearerChallenge, readAuthorization } from "../protocol/bearer.ts";
import { equalText } from "../protocol/equal-text.ts";
import { problem, problemResponse } from "../protocol/problem.ts";
import type { Restore } from "./restore.ts";

export type RestoreRouteDeps = { restore: Restore; secret: string };

const BUSY =
  "This deployment is being restored from a backup, and does nothing else until PORTCULLIS_RESTORE_SECRET is taken away.";

const count = z.int().min(0).max(1e15);
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const trailerSchema = z.strictObject({
  backup: z.string().regex(/^bak_[0-9a-z]{26}$/),
  issuer: z.string().max(512),
  taken_at: count,
  pages: count.min(1),
  objects: count,
  rows: count,
  digest: hex,
  schemas: z.record(z.string().max(64), z.strictObject({ name: z.string().max(2_048), schema: hex })),
  mac: z.string().max(64),
}) satisfies z.ZodType<BackupTrailer>;

/** All that a deployment answers while it is restored: whoever has the secret of that brings a backup, page by page. */
export function restoreApp({ restore, secret }: RestoreRouteDeps) {
  const app = new Hono<HttpEnv>();
  const headers = { "cache-control": "no-store" };
  app.use(async (c, next) => {
    c.set("requestId", c.env.requestId);
    await next();
  });
  app.get("/healthz", (c) => c.json({ status: "ok" }, 200, headers));
  app.get("/readyz", (c) =>
    c.json({ ready: false, checks: [{ name: "restore", ready: false, detail: BUSY }] }, 503, headers),
  );
  app.use("/v1/restore", authorized(secret));
  app.use("/v1/restore/*", authorized(secret));
  app.get("/v1/restore", async (c) => answer(c, await restore.state()));
  app.post("/v1/restore", jsonBody(trailerSchema), async (c) =>
    answer(c, await restore.begin(c.req.valid("json"))),
  );
  app.put("/v1/restore/pages/:page{[1-9][0-9]*}", async (c) =>
    answer(c, await restore.page(Number(c.req.param("page")), await c.req.text())),
  );
  app.post("/v1/restore/finish", async (c) => answer(c, await restore.finish()));
  app.notFound((c) => refuse(c, problem("unavailable", BUSY)));
  return app;
}

/** No token of the deployment counts here: its keys are among what is restored. */
function authorized(secret: string): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const shown = readAuthorization(c.req.header("authorization") ?? null);
    if (shown.ok && equalText(shown.value.token, secret)) return next();
    const refused = problem("invalid_token", "Show PORTCULLIS_RESTORE_SECRET as the bearer token.");
    return problemResponse(refused, c.var.requestId, { "www-authenticate": bearerChallenge("restore") });
  };
}
