import type { Config } from "../config.ts";
import type { SweepDeps } from "../control/sweep.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import { ok } from "../protocol/result.ts";
import type { ObjectPorts } from "./objects.ts";

export type SweepWiring = { config: Config; objects: ObjectPorts; clock: Clock; log: Logger };

/** What the cron looks after. */
export function wireSweep({ config, objects, clock, log }: SweepWiring): SweepDeps {
  const { keyring, registry, directory, monitor, denylist, accessRequest, session, endpoint } = objects;
  return {
    logger: log,
    clock,
    singletons: {
      ...{ keyring, registry, directory, log: objects.log, denylist, monitor, audit: objects.audit },
      devices: objects.devices,
      remediation: objects.remediation,
    },
    monitor,
    log: objects.log,
    keyring,
    directory,
    accessRequest,
    session,
    secretChanging: config.wrapping.PORTCULLIS_SECRET_PREVIOUS !== undefined,
    endpoint,
    endpoints: async () => {
      const page = await registry.listEndpoints({ limit: 200 });
      return page.ok ? ok(page.value.items.map(({ id }) => id)) : page;
    },
  };
}
