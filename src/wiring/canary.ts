import type { CanaryDeps, ProbeDecision } from "../control/canary.ts";
import { admit } from "../edge/admission.ts";
import type { AdmissionDeps, Demand } from "../edge/demand.ts";
import { stalenessOf } from "../edge/freshness.ts";
import type { Logger } from "../platform/log.ts";
import { ok, type Result } from "../protocol/result.ts";
import { denylistKey } from "../revocation/denylist.ts";
import { fileKey, PROBE_ACTOR, type Revocation } from "../revocation/rule.ts";
import type { MintedToken, MintInput } from "../tokens/access-token.ts";

type Parts = Omit<AdmissionDeps, "waitUntil" | "prepare"> & {
  log: Logger;
  keyring: { mint(input: MintInput): Promise<Result<MintedToken>> };
  revocations: CanaryDeps["log"];
  monitor: CanaryDeps["monitor"];
  kv: Pick<KVNamespace, "get">;
};

const CONSISTENCY = {
  strict: { tier: "strict" },
  bounded: { tier: "bounded", max_staleness_ms: 2_000 },
} as const;

/** What the canary works with: the keyring, the log, and the very decision that the gate takes. */
export function canaryDeps({ keyring, revocations, monitor, kv, ...edge }: Parts): CanaryDeps {
  const audience = `${edge.issuer}/canary`;
  return {
    clock: edge.clock,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    logger: edge.log,
    mint: (jti, ttlSeconds) =>
      keyring.mint({ jti, subject: PROBE_ACTOR, audience, clientId: PROBE_ACTOR, scopes: [], ttlSeconds }),
    log: revocations,
    monitor,
    decide: async (accessToken, tier): Promise<ProbeDecision> => {
      const demand: Demand = {
        credential: accessToken,
        tokenNeeded: true,
        staleness: stalenessOf({ consistency: CONSISTENCY[tier], on_stale: "deny" }),
        misdirected: (token) => (token.audience.includes(audience) ? undefined : "token_audience"),
        denied: () => undefined,
      };
      // What a request leaves to the background belongs to the cron's own work here.
      const background: Promise<unknown>[] = [];
      const waitUntil = (work: Promise<unknown>) => void background.push(work);
      const admission = await admit({ demandOf: () => ok(demand) }, { ...edge, waitUntil });
      await Promise.all(background);
      if (admission.ok) return "accepted";
      return admission.error.reason === "token_revoked" ? "revoked" : "unsure";
    },
    listed: async (rule) => {
      const found = await kv.get<Revocation[]>(await denylistKey(fileKey(rule.match)), "json");
      return found?.some(({ id }) => id === rule.id) ?? false;
    },
  };
}
