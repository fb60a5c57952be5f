import { describe, expect, it } from "vitest";
import type { Detection } from "../../../src/protocol/detection.ts";
import {
  DetectionWorld,
  type From,
  ISS,
  type SeenRequest,
  START_MS,
  verifiedToken,
} from "../../support/detection-world.ts";
import { normalTraffic } from "../../support/normal-traffic.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const BERLIN = { country: "DE", asn: 3320, latitude: "52.52", longitude: "13.40" };
const SYDNEY = { country: "AU", asn: 1221, latitude: "-33.87", longitude: "151.21" };
const HOME: From = { address: "203.0.113.7", cf: BERLIN };
const FACTS = { jti: "tok_1", sub: "login|ann", client_id: "cli_1", grant: "grt_1" };
const good = () => verifiedToken(FACTS, START_MS + HOUR_MS);

describe("a day of normal traffic", () => {
  const SHARE = 0.1;
  const traffic = normalTraffic(1, SHARE);

  it("is what it says: many requests, and refusals of every suspect kind", () => {
    expect(traffic.length).toBeGreaterThan(80_000);
    const refusals = new Set(traffic.map(({ refused }) => refused));
    expect([...refusals].filter(Boolean).sort()).toEqual([
      "scope_missing",
      "token_expired",
      "token_revoked",
      "token_signature",
      "token_unknown_key",
    ]);
  });

  it("has no detection and no action, and two attacks in it are the only ones that rules act on", async () => {
    const world = new DetectionWorld(2);
    const shared = good();
    const overused = verifiedToken({ ...FACTS, jti: "tok_2" }, START_MS + 6 * HOUR_MS);
    const attacks: SeenRequest[] = [];
    for (let n = 0; n < 40; n++) {
      const atMs = START_MS + 5 * HOUR_MS + n * 2_000;
      attacks.push({ atMs, token: shared, address: `192.0.2.${n}`, cf: BERLIN });
      attacks.push({ ...HOME, atMs: START_MS + 4 * HOUR_MS + n * 15_000, token: overused });
    }
    for (let n = 0; n < 10_000; n++) {
      attacks.push({ ...HOME, atMs: START_MS + 4 * HOUR_MS + 10 * MINUTE_MS + n * 4, token: overused });
    }
    await world.live([...traffic, ...attacks].sort((a, b) => a.atMs - b.atMs));
    expect(world.reports.length).toBeGreaterThan(1_000);
    expect(world.kinds).toEqual(["token_overused", "token_many_addresses"]);
    expect(world.actions()).toMatchObject([
      { rule_id: "overused-token", outcome: "acted", about: { jti: "tok_2" } },
      { rule_id: "shared-token", outcome: "shadow", about: { jti: "tok_1" } },
    ]);
  }, 30_000);
});

describe("each attack is its detection, within seconds, and no other", () => {
  const unverified = { iss: ISS, kid: "own-1", jti: "tok_1" };
  const DAY_LATER_MS = 24 * HOUR_MS;
  type Attack = (world: DetectionWorld) => Promise<void>;
  const repeat = async (world: DetectionWorld, count: number, everyMs: number, act: (n: number) => void) => {
    for (let n = 0; n < count; n++) {
      act(n);
      await world.pass(everyMs);
    }
  };
  const places = (world: DetectionWorld, count: number, from: (n: number) => From) => {
    const token = good();
    return repeat(world, count, 500, (n) => world.request({ token, ...from(n) }));
  };

  const attacks: [string, Attack, Partial<Detection["about"]>][] = [
    [
      "token_tampered",
      (world) =>
        repeat(world, 15, 100, () => world.request({ ...HOME, refused: "token_signature", unverified })),
      { address: "203.0.113.7", iss: ISS, kid: "own-1" },
    ],
    [
      "token_used_after_expiry",
      async (world) => {
        const token = good();
        await world.pass(DAY_LATER_MS);
        await repeat(world, 15, 1_000, () => world.request({ ...HOME, token, refused: "token_expired" }));
      },
      { jti: "tok_1", sub: "login|ann", client_id: "cli_1", grant: "grt_1" },
    ],
    [
      "token_used_after_revocation",
      (world) => {
        const token = good();
        return repeat(world, 30, 1_000, () => world.request({ ...HOME, token, refused: "token_revoked" }));
      },
      { jti: "tok_1", kid: "own-1" },
    ],
    [
      "token_overused",
      async (world) => {
        const token = good();
        await repeat(world, 40, 15_000, () => world.request({ ...HOME, token }));
        await repeat(world, 30, 1_000, () => {
          for (let n = 0; n < 150; n++) world.request({ ...HOME, token });
        });
      },
      { jti: "tok_1" },
    ],
    [
      "token_many_addresses",
      (world) => places(world, 40, (n) => ({ address: `2001:db8:${n}::1`, cf: BERLIN })),
      { jti: "tok_1" },
    ],
    [
      "token_many_countries",
      (world) => places(world, 6, (n) => ({ address: `203.0.113.${n}`, cf: { country: `A${n}` } })),
      { jti: "tok_1" },
    ],
    [
      "token_many_networks",
      (world) => places(world, 9, (n) => ({ address: `203.0.113.${n}`, cf: { asn: 64_500 + n } })),
      { jti: "tok_1" },
    ],
    [
      "impossible_travel",
      (world) => places(world, 20, (n) => (n % 2 ? { address: "192.0.2.9", cf: SYDNEY } : HOME)),
      { jti: "tok_1" },
    ],
    [
      "scope_probing",
      (world) => {
        const token = good();
        return repeat(world, 12, 100, (n) =>
          world.request({ ...HOME, token, refused: "scope_missing", route: `route-${n}` }),
        );
      },
      { sub: "login|ann", address: "203.0.113.7" },
    ],
    [
      "unknown_key_storm",
      (world) =>
        repeat(world, 12, 100, (n) =>
          world.request({
            ...HOME,
            refused: "token_unknown_key",
            unverified: { iss: ISS, kid: `made-up-${n}` },
          }),
        ),
      { address: "203.0.113.7" },
    ],
  ];

  it.each(attacks)("%s", async (kind, attack, about) => {
    const world = new DetectionWorld();
    await attack(world);
    await world.pass(2_000);
    expect(world.kinds).toEqual([kind]);
    const [detection] = world.detections as [Detection];
    expect(detection.about).toMatchObject(about);
    expect(detection.count).toBeGreaterThanOrEqual(detection.threshold);
    expect(JSON.stringify(detection)).not.toContain("eyJ");
  });

  it("is detected as well where its requests meet several isolates", async () => {
    const world = new DetectionWorld(8);
    const token = good();
    for (let n = 0; n < 40; n++) world.request({ token, address: `192.0.2.${n}`, cf: BERLIN }, n);
    for (let n = 0; n < 10; n++) world.request({ ...HOME, refused: "token_signature", unverified }, n);
    await world.pass(2_000);
    expect(world.kinds.sort()).toEqual(["token_many_addresses", "token_tampered"]);
  });

  it("of resources behind one route is probing, of one page again and again is none", async () => {
    const world = new DetectionWorld();
    const token = good();
    for (let n = 0; n < 100; n++) {
      world.request({ ...HOME, token, refused: "resource_not_granted", resource: `projects/${n % 9}` });
      world.request({ ...HOME, token, refused: "scope_missing", resource: `projects/${n}`, route: "x" });
    }
    await world.pass(2_000);
    expect(world.kinds).toEqual(["scope_probing"]);
    const calm = new DetectionWorld();
    for (let n = 0; n < 100; n++) {
      calm.request({ ...HOME, token, refused: "scope_missing", resource: `projects/${n}` });
    }
    await calm.pass(2_000);
    expect(calm.kinds).toEqual([]);
  });
});
