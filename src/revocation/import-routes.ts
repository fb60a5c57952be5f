import { Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, queryParams, refuse, requireScope } from "../platform/http.ts";
import { faultText, type Logger } from "../platform/log.ts";
import { utf8 } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { DenylistPort } from "./denylist-port.ts";
import type { Cursor } from "./denylist-store.ts";
import { Import, type ImportDeps, type ImportDryRun, type ImportOutcome } from "./import.ts";
import { exportLine } from "./import-line.ts";
import { LineSplitter } from "./line-splitter.ts";
import type { RevocationPage } from "./record.ts";

export type ImportRouteDeps = ImportDeps & {
  denylist: DenylistPort;
  revocations(limit: number, cursor?: string): Promise<Result<RevocationPage>>;
  logger: Logger;
};

/** A body of any size is read as a stream here: no limit of the control plane's may stand before it. */
export const IMPORT_PATH = "/v1/revocations/import";

const flag = z.enum(["true", "false"]);
const importQuery = z.strictObject({
  publish: flag.default("true"),
  lift: flag.default("false"),
  emergency: flag.default("false"),
  dry_run: flag.default("false"),
});
const NDJSON = "application/x-ndjson";
const RULES_A_PAGE = 200;
const TOKENS_A_PAGE = 2_000;
const STORE_WITHIN_MS = 2_000;

/** NDJSON in and out, one token or rule a line: `/v1/revocations/import` and `/v1/revocations/export`. */
export function importRoutes(deps: ImportRouteDeps) {
  return new Hono<HttpEnv>()
    .post(IMPORT_PATH, requireScope("revocations:write"), queryParams(importQuery), async (c) => {
      const { publish, lift, emergency, dry_run } = c.req.valid("query");
      const run = new Import(deps, {
        actor: c.var.actor.subject,
        nowSeconds: epochSeconds(deps.clock()),
        publish: publish === "true",
        lift: lift === "true",
        emergency: emergency === "true",
        dryRun: dry_run === "true",
      });
      const outcome = await readAll(c.req.raw.body, run, deps.clock);
      if (outcome.ok) return answer(c, outcome);
      return refuse(c, { ...outcome.error, extra: { ...outcome.error.extra, ...run.progress } });
    })
    .get("/v1/revocations/export", requireScope("revocations:read"), (c) => {
      const lines = exportLines(deps);
      return new Response(streamOf(lines, deps.logger), {
        headers: { "content-type": NDJSON, "cache-control": "no-store", "x-request-id": c.var.requestId },
      });
    });
}

/** Reads to the end. What came is stored at the latest after two seconds, also where nothing follows for long. */
async function readAll(
  body: ReadableStream<Uint8Array> | null,
  run: Import,
  clock: Clock,
): Promise<Result<ImportOutcome | ImportDryRun>> {
  const splitter = new LineSplitter();
  const reader = body?.getReader();
  let storedAtMs = clock();
  for (let reading = reader?.read(); reading; ) {
    const chunk = await within(reading, STORE_WITHIN_MS);
    if (chunk?.done) break;
    let full = false;
    for (const line of chunk ? splitter.push(chunk.value) : []) {
      full = run.add(line);
      const flushed = full ? await run.flush() : ok(null);
      if (!flushed.ok) return flushed;
    }
    if (full || clock() - storedAtMs >= STORE_WITHIN_MS) {
      const flushed = await run.flush();
      if (!flushed.ok) return flushed;
      storedAtMs = clock();
    }
    if (chunk) reading = reader?.read();
  }
  for (const line of splitter.end()) run.add(line);
  return run.finish();
}

/** What the work comes to, or undefined where that takes longer. */
async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Pages of lines: every rule in force, then every denied token. */
async function* exportLines(deps: ImportRouteDeps): AsyncGenerator<Result<string>> {
  const now = epochSeconds(deps.clock());
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await deps.revocations(RULES_A_PAGE, cursor);
    if (!page.ok) return yield page;
    const inForce = page.value.items.filter(({ state }) => state === "in_force");
    yield ok(
      inForce
        .map(({ id, match, effect, issued_before, reason, expires_at }) =>
          exportLine({
            id,
            match,
            ...(effect === undefined ? {} : { effect }),
            ...(issued_before === undefined ? {} : { issued_before }),
            reason,
            ...(expires_at === undefined ? {} : { expires_at }),
          }),
        )
        .join(""),
    );
    cursor = page.value.next_cursor;
    more = cursor !== undefined;
  }
  for (let after: Cursor | undefined, more = true; more; ) {
    const page = await deps.denylist.page(TOKENS_A_PAGE, after);
    if (!page.ok) return yield page;
    yield ok(
      page.value.tokens
        .filter((token) => token.expires_at > now)
        .map(exportLine)
        .join(""),
    );
    after = page.value.next;
    more = after !== undefined;
  }
}

/** Pulled as it is read, so that no more than a page is held. A fault breaks the stream off: no one takes it for whole. */
function streamOf(lines: AsyncGenerator<Result<string>>, logger: Logger): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const next = await lines.next();
      if (next.done) return controller.close();
      if (next.value.ok) {
        controller.enqueue(utf8(next.value.value));
        return;
      }
      logger("error", "export.broke_off", { fault: faultText(next.value.error.detail) });
      controller.error(new Error(problem("unavailable", next.value.error.detail).detail));
    },
    cancel: async () => void (await lines.return(undefined)),
  });
}
