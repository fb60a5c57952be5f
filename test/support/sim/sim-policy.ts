import { type PolicyDocument, policySchema } from "../../../src/policy/document.ts";

export const ISSUER = "https://auth.example.com";
export const HOST = "https://api.example.com";
export const AUDIENCE = "https://orders.internal";

export type Tier = "strict" | "bounded" | "eventual";

/** Every route of the simulation, by its path. Its tier stays the same under every policy. */
export const ROUTES: readonly { path: string; tier: Tier }[] = [
  { path: "/strict", tier: "strict" },
  { path: "/bounded", tier: "bounded" },
  { path: "/bounded-lenient", tier: "bounded" },
  { path: "/eventual", tier: "eventual" },
  { path: "/eventual-lenient", tier: "eventual" },
];

type Numbers = { stalenessMs: number; boundedForSeconds: number; eventualForSeconds: number };

const VARIANTS: readonly Numbers[] = [
  { stalenessMs: 2_000, boundedForSeconds: 3, eventualForSeconds: 20 },
  { stalenessMs: 500, boundedForSeconds: 1, eventualForSeconds: 5 },
  { stalenessMs: 10_000, boundedForSeconds: 30, eventualForSeconds: 120 },
];

/** The policies that the simulation changes between: they differ in how stale a decision may be. */
export const POLICIES: readonly PolicyDocument[] = VARIANTS.map((numbers) =>
  policySchema.parse({
    origins: { orders: { url: "http://origin.internal:9000", audience: AUDIENCE } },
    routes: ROUTES.map(({ path, tier }) => ({
      id: path.slice(1),
      path,
      origin: "orders",
      access: {},
      consistency: consistencyOf(tier, numbers),
      ...(path.endsWith("-lenient") ? { on_stale: { allow_for_seconds: allowanceOf(tier, numbers) } } : {}),
    })),
  }),
);

function consistencyOf(tier: Tier, { stalenessMs }: Numbers): object {
  return tier === "bounded" ? { tier, max_staleness_ms: stalenessMs } : { tier };
}

function allowanceOf(tier: Tier, { boundedForSeconds, eventualForSeconds }: Numbers): number {
  return tier === "bounded" ? boundedForSeconds : eventualForSeconds;
}
