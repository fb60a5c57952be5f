import { Restore } from "../backup/restore.ts";
import { restoreApp } from "../backup/restore-routes.ts";
import { BackupSeal } from "../backup/seal.ts";
import type { Config } from "../config.ts";
import type { Clock } from "../platform/clock.ts";
import { ok } from "../protocol/result.ts";
import type { ObjectPorts } from "./objects.ts";

/** All that a deployment does while it is restored. */
export function wireRestore(config: Config, secret: string, objects: ObjectPorts, clock: Clock) {
  const { storage, registry, directory, audit, denylist } = objects;
  const occupied = async () => {
    const versions = await registry.policyVersions({ limit: 1 });
    if (!versions.ok) return versions;
    if (versions.value.items.length > 0) return ok("a policy");
    const clients = await registry.listClients({ limit: 1 });
    if (!clients.ok) return clients;
    if (clients.value.items.length > 0) return ok("clients");
    for (const of of ["access_requests", "sessions"] as const) {
      const names = await directory.names({ of, after: "", until: "", limit: 1 });
      if (!names.ok) return names;
      if (names.value.length > 0) return ok(of.replace("_", " "));
    }
    return ok(undefined);
  };
  const restore = new Restore({
    issuer: config.issuer,
    clock,
    seal: new BackupSeal(config.wrapping),
    load: (binding, name, part) => storage(binding, name).loadStorage(part),
    schema: (binding, name) => storage(binding, name).storageSchema(),
    restart: (binding, name) => storage(binding, name).restart(),
    wake: (binding, name) => storage(binding, name).wake(),
    occupied,
    log: objects.restoration,
    audit,
    denylist,
  });
  return restoreApp({ restore, secret });
}
