import type { BrowserDeps } from "../browser/ports.ts";
import type { Clock } from "../platform/clock.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import type { Logger } from "../platform/log.ts";
import { confirmAbove } from "../policy/confirm-above.ts";
import { ok } from "../protocol/result.ts";
import { siteOf } from "../registry/passkey-routes.ts";
import type { RemediationRouteDeps } from "../remediation/remediation-routes.ts";
import type { ImportRouteDeps } from "../revocation/import-routes.ts";
import type { RevocationDeps } from "../revocation/routes.ts";
import { confirmations } from "./confirmations.ts";
import type { ObjectPorts } from "./objects.ts";

type RevocationWiring = {
  issuer: string;
  objects: ObjectPorts;
  policy: BrowserDeps["policy"];
  ids: CreationIds;
  clock: Clock;
  log: Logger;
};

type Revocations = {
  revocations: RevocationDeps;
  imports: ImportRouteDeps;
  confirmsRemediation: RemediationRouteDeps["confirmedBy"];
};

/** What takes tokens back, one rule or a million tokens at once, and whose second word it wants for that. */
export function wireRevocations({ issuer, objects, policy, ids, clock, log }: RevocationWiring): Revocations {
  const { keyring, liveTokens, denylist, passkeys } = objects;
  const confirms = confirmations({ passkeys, policy, site: siteOf(issuer) });
  const revocations: RevocationDeps = {
    ...{ log: objects.log, issuer, ids, clock },
    ownKeys: () => keyring.keys(),
    live: {
      flush: () => keyring.flushMinted(),
      count: (match, issuedBefore) => liveTokens.countLive(match, issuedBefore),
      among: (jtis) => liveTokens.liveAmong(jtis),
    },
    confirmAbove: async () => {
      const active = await policy();
      return active.ok ? ok(confirmAbove(active.value)) : active;
    },
    confirmedBy: confirms.revocation,
  };
  const imports: ImportRouteDeps = {
    ...{ clock, logger: log, denylist, revoke: revocations },
    announce: (eventId, actor) => objects.log.announceImport(eventId, actor),
    revocations: (limit, cursor) => objects.log.revocations(limit, cursor),
  };
  return { revocations, imports, confirmsRemediation: confirms.remediation };
}
