import type { Config } from "../config.ts";
import type { SweepDeps } from "../control/sweep.ts";
import { DETECTOR_SHARDS } from "../edge/notebook.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import { ok } from "../protocol/result.ts";
import type { ObjectPorts } from "./objects.ts";

export type SweepWiring = { config: Config; objects: ObjectPorts; clock: Clock; log: Logger };

/** What the cron looks after. */
export function wireSweep({ config, objects, clock, log }: SweepWiring): SweepDeps {
  const { keyring, registry, directory, monitor, denylist, accessRequest, session, endpoint } = objects;
  // One of them a minute: each has an alarm of its own.
  const detector = {
    sweep: () => objects.detector(Math.floor(clock() / 60_000) % DETECTOR_SHARDS).sweep(),
  };
  return {
    logger: log,
    clock,
    singletons: {
      ...{
        keyring,
        registry,
        directory,
        log: objects.log,
        denylist,
        monitor,
        detector,
        audit: objects.audit,
      },
      devices: objects.devices,
      remediation: objects.remediation,
      status_list: objects.statusList,
    },
    monitor,
    log: objects.log,
    keyring,
    directory,
    accessRequest,
    session,
    secretChanging: config.wrapping.PORTCULLIS_SECRET_PREVIOUS !== undefined,
    // Streams deliver as endpoints do, inboxes act on what was told: they are looked after with them.
    endpoint: (id) => {
      if (id.startsWith("str_")) return objects.stream(id);
      return id.startsWith("whe_") ? endpoint(id) : objects.signalInbox(id);
    },
    endpoints: async () => {
      const page = await registry.listEndpoints({ limit: 200 });
      if (!page.ok) return page;
      const streams = await registry.streamIds();
      if (!streams.ok) return streams;
      const active = await registry.activePolicy();
      if (!active.ok) return active;
      const transmitters = active.value.document.signals?.transmitters ?? [];
      const inboxes = [config.issuer, ...transmitters.map((each) => each.issuer)];
      return ok([...page.value.items.map(({ id }) => id), ...streams.value, ...inboxes]);
    },
  };
}
