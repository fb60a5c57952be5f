import type { BackupSource, NamesPage } from "../backup/backup-page.ts";
import type { BackupDeps } from "../backup/routes.ts";
import { BackupSeal } from "../backup/seal.ts";
import type { Config } from "../config.ts";
import { auditEntry } from "../platform/audit-outbox.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { ObjectPorts } from "./objects.ts";

/** How a backup finds and reads the objects. */
export function wireBackup(config: Config, objects: ObjectPorts, clock: Clock): BackupDeps {
  const { registry, keyring, directory, audit, storage } = objects;
  const lists = {
    webhook_endpoints: async () => {
      const page = await registry.listEndpoints({ limit: 200 });
      return page.ok ? ok(page.value.items.map(({ id }) => id)) : page;
    },
    streams: () => registry.streamIds(true),
  };
  const source: BackupSource = {
    read: (binding, name, maxChars, cursor) => storage(binding, name).readStorage(maxChars, cursor),
    names: async (of, page) => {
      if (of !== "webhook_endpoints" && of !== "streams") return directory.names({ of, ...page });
      return pageOf(await lists[of](), page);
    },
    idsUntil: (of) => {
      const lowest = (length: number) => new Uint8Array(length);
      if (of === "sessions") return newId("ses", clock(), lowest);
      return of === "access_requests" ? newId("req", clock(), lowest) : "";
    },
    inForce: async () => {
      const policy = await registry.activePolicy();
      if (!policy.ok) return policy;
      const keys = await keyring.keys();
      if (!keys.ok) return keys;
      const kids = keys.value.map(({ kid, state }) => `${kid} ${state}`);
      return ok([`policy ${policy.value.version}`, ...kids.sort()].join("\n"));
    },
    checkpoint: () => audit.checkpoint(),
  };
  return {
    issuer: config.issuer,
    clock,
    source,
    seal: new BackupSeal(config.wrapping),
    record: (note) => {
      const nowMs = clock();
      return audit.append([auditEntry(note, "control", newId("evt", nowMs), epochSeconds(nowMs))]);
    },
  };
}

function pageOf(names: Result<string[]>, { after, limit }: NamesPage): Result<string[]> {
  if (!names.ok) return names;
  return ok(
    names.value
      .filter((name) => name > after)
      .sort()
      .slice(0, limit),
  );
}
