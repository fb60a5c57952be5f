import type { Logger } from "../platform/log.ts";
import type { Result } from "../protocol/result.ts";

type Sweepable = { sweep(): Promise<Result<unknown>> };

export type SweepDeps = {
  logger: Logger;
  singletons: Record<string, Sweepable>;
  keyring: { jwks(): Promise<Result<unknown>> };
  directory: { overdue(seconds: number, limit: number): Promise<Result<string[]>> };
  accessRequest(id: string): Sweepable;
  endpoints(): Promise<Result<string[]>>;
  endpoint(id: string): Sweepable;
};

/** An alarm that is this late was lost. */
const OVERDUE_SECONDS = 60;
const MAX_REQUESTS_A_SWEEP = 200;

/**
 * The cron's work: alarms are at-least-once but can be dropped for good, so every object that should have
 * woken is woken, and the signing keys are made before anybody needs them.
 */
export async function sweep(deps: SweepDeps): Promise<void> {
  const { logger } = deps;
  const late = await deps.directory.overdue(OVERDUE_SECONDS, MAX_REQUESTS_A_SWEEP);
  const endpoints = await deps.endpoints();
  const work = [
    ...Object.entries(deps.singletons).map(([name, object]) => ({ name, run: () => object.sweep() })),
    { name: "keyring", run: () => deps.keyring.jwks() },
    ...(late.ok ? late.value : []).map((id) => ({ name: id, run: () => deps.accessRequest(id).sweep() })),
    ...(endpoints.ok ? endpoints.value : []).map((id) => ({
      name: id,
      run: () => deps.endpoint(id).sweep(),
    })),
  ];
  const results = await Promise.all(work.map(async ({ name, run }) => ({ name, result: await run() })));
  if (!late.ok) logger("error", "sweep.failed", { object: "directory", detail: late.error.detail });
  if (!endpoints.ok) logger("error", "sweep.failed", { object: "registry", detail: endpoints.error.detail });
  for (const { name, result } of results) {
    if (!result.ok) logger("error", "sweep.failed", { object: name, detail: result.error.detail });
  }
  if (late.ok && late.value.length) logger("warn", "sweep.overdue_requests", { count: late.value.length });
}
