import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE, startOrigin } from "../../src/local/origin.ts";
import { clientToken, Deployment, type Receipt } from "../support/deployment.ts";
import { type Edges, startEdges } from "../support/edges.ts";
import { freeIssuer } from "../support/runtime.ts";

const TIERS = ["strict", "bounded", "eventual"] as const;
type Tier = (typeof TIERS)[number];
const PATH: Record<Tier, string> = { strict: "/orders/1001", bounded: "/orders/1002", eventual: "/orders" };

/** What each edge is called on: a stricter route keeps the replica young for the others, so most have one only. */
const WAYS: readonly (readonly [string, Tier])[] = [
  ["edge-0", "strict"],
  ["edge-0", "bounded"],
  ["edge-0", "eventual"],
  ["edge-1", "strict"],
  ["edge-2", "bounded"],
  ["edge-3", "bounded"],
];
const LONELY = "edge-4";
const EDGE_COUNT = 5;
const ROUNDS = 5;
const PAUSE_MS = 15;

let stateDir: string;
let edges: Edges;
let gate: Deployment;
let origin: Awaited<ReturnType<typeof startOrigin>>;
let mint: () => Promise<string>;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "portcullis-edges-"));
  const issuer = await freeIssuer();
  origin = await startOrigin({ port: 0, issuer });
  edges = await startEdges({ issuer, stateDir, count: EDGE_COUNT });
  gate = await Deployment.at(issuer);
  const route = (tier: Tier) => ({
    id: tier,
    path: PATH[tier],
    origin: "demo",
    access: {},
    consistency: { tier },
  });
  await gate.putPolicy({
    origins: { demo: { url: origin.url, audience: ORIGIN_AUDIENCE } },
    routes: TIERS.map(route),
  });
  const client = await gate.newClient({ scopes: ["orders:read"] });
  mint = () => clientToken(issuer, client, ORIGIN_AUDIENCE);
  // Edges share what the log told one of them; the policy is known to all within its own bound.
  const token = await mint();
  for (const edge of edges.names) {
    while ((await edges.call(edge, PATH.eventual, token)) !== 200) await sleep(PAUSE_MS);
  }
});

afterAll(async () => {
  await edges?.stop();
  await origin?.close();
  await rm(stateDir, { recursive: true });
});

/** When the last request that was accepted was sent, and when the first refusal came. */
type End = { edge: string; tier: Tier; lastAcceptedMs: number; refusedMs: number };

async function untilRefused(edge: string, tier: Tier, token: string, withinMs: number): Promise<End> {
  let lastAcceptedMs = 0;
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(PAUSE_MS)) {
    const sentMs = Date.now();
    const status = await edges.call(edge, PATH[tier], token);
    if (status === 401) return { edge, tier, lastAcceptedMs, refusedMs: Date.now() };
    expect(status).toBe(200);
    lastAcceptedMs = sentMs;
  }
  throw new Error(`${edge} still accepts on ${tier} after ${withinMs} ms`);
}

const BEFORE_REVOCATION_MS = 150;

/** Calls the edges on their tiers the whole time, revokes meanwhile, and holds each end against the receipt. */
async function revokeWhileCalled(
  ways: readonly (readonly [string, Tier])[],
  withinMs: number,
): Promise<number[]> {
  const token = await mint();
  for (const [edge, tier] of ways) expect(await edges.call(edge, PATH[tier], token)).toBe(200);
  const ends = ways.map(([edge, tier]) => untilRefused(edge, tier, token, withinMs));
  await sleep(BEFORE_REVOCATION_MS);
  const receipt: Receipt = await gate.revoke({ jti: decodeJwt(token).jti! });
  const ackedMs = Date.now();
  return Promise.all(
    ends.map(async (end) => {
      const { edge, tier, lastAcceptedMs, refusedMs } = await end;
      const byMs = tier === "strict" ? ackedMs : receipt.effective_by[tier] * 1000;
      expect(lastAcceptedMs, `${edge} on ${tier}`).toBeLessThanOrEqual(byMs);
      return refusedMs - receipt.accepted_at * 1000;
    }),
  );
}

describe("several edges on one control plane", () => {
  it("all refuse within the receipt's bound, whatever the tier", async () => {
    // An edge that is called on this tier alone learns of it when its replica is half a minute old.
    const slowest = revokeWhileCalled([[LONELY, "eventual"]], 61_000);
    slowest.catch(() => {});
    const tookMs = new Map<Tier, number[]>(TIERS.map((tier) => [tier, []]));
    for (let round = 0; round < ROUNDS; round++) {
      const took = await revokeWhileCalled(WAYS, 10_000);
      for (const [i, [, tier]] of WAYS.entries()) tookMs.get(tier)!.push(took[i]!);
    }
    const figures = [...tookMs].map(([tier, times]) => `${tier} ${Math.round(Math.max(...times))}`);
    console.log(
      `until all refuse, ms at most: ${figures.join(", ")}; eventual alone ${Math.round((await slowest)[0]!)}`,
    );
  });

  it("goes on accepting what no rule matches, at every edge and on every tier", async () => {
    const token = await mint();
    const statuses = await Promise.all(
      edges.names.flatMap((edge) => TIERS.map((tier) => edges.call(edge, PATH[tier], token))),
    );
    expect(statuses).toEqual(statuses.map(() => 200));
  });
});
