import type { Clock } from "../platform/clock.ts";
import type { Swept } from "../platform/durable.ts";
import { newId } from "../platform/ids.ts";
import type { Logger } from "../platform/log.ts";
import type { Result } from "../protocol/result.ts";
import type { DriftReport } from "../replication/drift.ts";

type Sweepable = { sweep(): Promise<Result<unknown>> };
type SweptObject = { sweep(): Promise<Result<Swept>> };
/** Values that were wrapped anew, and metrics of the endpoint by their name with labels. */
type SweptEndpoint = { rewrapped: number; gauges: Record<string, number> };
type Note = { counters: Record<string, number>; gauges: Record<string, number> };

export type SweepDeps = {
  logger: Logger;
  clock: Clock;
  /** By the name that metrics give them. */
  singletons: Record<string, SweptObject>;
  monitor: { note(id: string, note: Note): Promise<Result<null>> };
  log: { checkDrift(): Promise<Result<DriftReport>> };
  keyring: { jwks(): Promise<Result<unknown>> };
  directory: {
    overdue(seconds: number, limit: number): Promise<Result<string[]>>;
    overdueSessions(seconds: number, limit: number): Promise<Result<string[]>>;
  };
  accessRequest(id: string): Sweepable;
  session(id: string): Sweepable;
  endpoints(): Promise<Result<string[]>>;
  /** Whether the deployment has a previous secret beside the one in use. */
  secretChanging: boolean;
  endpoint(id: string): { sweep(): Promise<Result<SweptEndpoint>> };
};

/** An alarm that is this late was lost. */
const OVERDUE_SECONDS = 60;
const MAX_REQUESTS_A_SWEEP = 200;
const MAX_SESSIONS_A_SWEEP = 200;
/** Each webhook endpoint is woken once in so many minutes: every event that reaches one sets its alarm as well. */
const ENDPOINT_ROUND_MINUTES = 10;

/**
 * The cron's work: alarms are at-least-once but can be dropped for good, so every object that should have
 * woken is woken, and the signing keys are made before anybody needs them. A page of the KV denylist is held
 * against the log, and what was found goes to the monitor.
 */
export async function sweep(deps: SweepDeps): Promise<void> {
  const { logger } = deps;
  const late = await deps.directory.overdue(OVERDUE_SECONDS, MAX_REQUESTS_A_SWEEP);
  const lateSessions = await deps.directory.overdueSessions(OVERDUE_SECONDS, MAX_SESSIONS_A_SWEEP);
  const endpoints = await deps.endpoints();
  const singletons = Object.entries(deps.singletons);
  const swept = Promise.all(
    singletons.map(async ([name, object]) => ({ name, result: await object.sweep() })),
  );
  const work = [
    { name: "keyring", run: () => deps.keyring.jwks() },
    ...(late.ok ? late.value : []).map((id) => ({ name: id, run: () => deps.accessRequest(id).sweep() })),
    ...(lateSessions.ok ? lateSessions.value : []).map((id) => ({
      name: id,
      run: () => deps.session(id).sweep(),
    })),
  ];
  const results = await Promise.all(work.map(async ({ name, run }) => ({ name, result: await run() })));
  const ofEndpoints = await sweepEndpoints(endpoints.ok ? endpoints.value : [], deps);
  const drift = await deps.log.checkDrift();
  await tellMonitor(await swept, ofEndpoints, drift, deps);
  for (const found of [late, lateSessions]) {
    if (!found.ok) logger("error", "sweep.failed", { object: "directory", detail: found.error.detail });
  }
  if (!endpoints.ok) logger("error", "sweep.failed", { object: "registry", detail: endpoints.error.detail });
  if (!drift.ok) logger("error", "sweep.failed", { object: "log", detail: drift.error.detail });
  for (const { name, result } of [...results, ...ofEndpoints, ...(await swept)]) {
    if (!result.ok) logger("error", "sweep.failed", { object: name, detail: result.error.detail });
  }
  if (late.ok && late.value.length) logger("warn", "sweep.overdue_requests", { count: late.value.length });
}

/** The endpoints whose turn it is. The last characters of an id are random, so that the minutes share them evenly. */
function ofThisMinute(ids: readonly string[], nowMs: number): string[] {
  const minute = Math.floor(nowMs / 60_000) % ENDPOINT_ROUND_MINUTES;
  const turn = (id: string) =>
    (id.charCodeAt(id.length - 1) + 32 * id.charCodeAt(id.length - 2)) % ENDPOINT_ROUND_MINUTES;
  return ids.filter((id) => turn(id) === minute);
}

type NamedEndpoint = { name: string; result: Result<SweptEndpoint> };

/** While a secret is being changed, all of them each minute, so that it is known when none needs the old one. */
function sweepEndpoints(ids: readonly string[], deps: SweepDeps): Promise<NamedEndpoint[]> {
  const woken = deps.secretChanging ? ids : ofThisMinute(ids, deps.clock());
  return Promise.all(woken.map(async (id) => ({ name: id, result: await deps.endpoint(id).sweep() })));
}

async function tellMonitor(
  swept: { name: string; result: Result<Swept> }[],
  endpoints: readonly NamedEndpoint[],
  drift: Result<DriftReport>,
  { monitor, clock, logger, secretChanging }: SweepDeps,
): Promise<void> {
  const gauges: Note["gauges"] = {};
  for (const { name, result } of swept) {
    if (!result.ok) continue;
    gauges[`portcullis_outbox_rows{object="${name}"}`] = result.value.outbox_rows;
    Object.assign(gauges, result.value.gauges);
  }
  for (const { result } of endpoints) if (result.ok) Object.assign(gauges, result.value.gauges);
  // Where one did not answer, it cannot be said that none needs the previous secret any more.
  if (secretChanging && endpoints.every(({ result }) => result.ok)) {
    const rewrapped = endpoints.map(({ result }) => (result.ok ? result.value.rewrapped : 0));
    gauges['portcullis_previous_secret_values{object="endpoint"}'] = rewrapped.reduce((a, b) => a + b, 0);
  }
  const counters: Note["counters"] = {};
  if (drift.ok) {
    const { checked, missing, stale } = drift.value;
    counters.portcullis_denylist_checked_total = checked;
    counters['portcullis_denylist_drift_total{kind="missing"}'] = missing;
    counters['portcullis_denylist_drift_total{kind="stale"}'] = stale;
    if (missing || stale) logger("warn", "denylist.drift", { missing, stale });
  }
  const told = await monitor.note(newId("rpt", clock()), { counters, gauges });
  if (!told.ok) logger("warn", "sweep.not_recorded", { detail: told.error.detail });
}
