import fc from "fast-check";
import { ROUTES } from "./sim-policy.ts";
import { hasTokens, index, oneIn, recent, small, step } from "./step.ts";
import { ALL_EDGES, FROM_DENYLIST } from "./world.ts";

export const mint = step(
  fc
    .tuple(small, small, fc.option(small, { nil: undefined }), fc.constantFrom(20, 300, 86_400))
    .map(([subject, client, grant, ttl]) => ({
      name: `mint(${subject}, ${client}, ${grant}, ${ttl})`,
      run: (world) => world.operator.mint(subject, client, grant, ttl),
    })),
);

export const call = step(
  fc
    .tuple(
      small,
      index,
      fc.nat({ max: ROUTES.length - 1 }),
      fc.option(fc.nat({ max: 3_000 }), { nil: undefined, freq: 6 }),
    )
    .map(([isolate, token, route, cancelAfterMs]) => ({
      name: `call(${isolate}, ${token}, ${ROUTES[route]!.path}${cancelAfterMs === undefined ? "" : `, cancelled after ${cancelAfterMs}`})`,
      check: hasTokens,
      run: (world) => world.call(isolate, token, route, cancelAfterMs),
    })),
);

/** The newest token or any other, on every route of one isolate or of all. */
export const probe = step(
  fc.tuple(fc.option(small, { nil: undefined }), recent).map(([isolate, token]) => ({
    name: `probe(${isolate ?? "all"}, ${token})`,
    check: hasTokens,
    run: (world) => {
      if (isolate === undefined) world.callAll(token);
      else for (const route of ROUTES.keys()) world.call(isolate, token, route);
    },
  })),
);

/** Somebody who keeps calling one isolate: what changes meanwhile is seen at the earliest moment. */
export const watch = step(
  fc
    .tuple(small, recent, fc.constantFrom(90, 240, 700), fc.integer({ min: 4, max: 14 }))
    .map(([isolate, token, everyMs, times]) => ({
      name: `watch(${isolate}, ${token}, ${times} times every ${everyMs} ms)`,
      check: hasTokens,
      run: async (world) => {
        for (let i = 0; i < times; i++) {
          for (const route of ROUTES.keys()) world.call(isolate, token, route);
          await world.wait(everyMs);
        }
      },
    })),
);

/**
 * The worst moment: a revocation while the answer of the log is on a slow way to an isolate that has just asked,
 * and then nothing but a call when that answer is nearly as old as the route lets it be.
 */
export const squeeze = step(
  fc
    .tuple(small, fc.constantFrom(1, 3), fc.integer({ min: 100, max: 700 }), fc.nat({ max: 200 }))
    .map(([isolate, route, byMs, earlyMs]) => ({
      name: `squeeze(${isolate}, ${ROUTES[route]!.path}, ${byMs} ms, ${earlyMs} ms early)`,
      check: hasTokens,
      run: async (world) => {
        const boundMs = world.ledger.stalenessMs(ROUTES[route]!.path, world.time.nowMs, false);
        await world.wait(boundMs + 2_000);
        world.disturbWay(isolate, { kind: "slow", byMs }, 100);
        world.call(isolate, -1, route);
        await world.wait(byMs + 40);
        world.operator.revoke({ match: { jti: world.ledger.tokens.at(-1)!.claims.jti } });
        await world.wait(byMs + boundMs - earlyMs);
        world.call(isolate, -1, route);
      },
    })),
);

/** More revocations than replicas hold, while the filter that takes them over is slow to reach the log. */
export const crowd = step(
  fc.tuple(small, fc.integer({ min: 50, max: 900 })).map(([isolate, byMs]) => ({
    name: `crowd(${isolate}, ${byMs} ms)`,
    check: hasTokens,
    run: async (world) => {
      world.disturbWay(FROM_DENYLIST, { kind: "slow", byMs }, 6 * byMs);
      for (const { claims } of world.ledger.tokens.slice(-3)) {
        world.operator.revoke({ match: { jti: claims.jti } });
        await world.wait(40);
      }
      for (let i = 0; i < 9; i++) {
        for (const route of ROUTES.keys()) world.call(isolate, -1 - (i % 3), route);
        await world.wait(Math.ceil(byMs / 3));
      }
    },
  })),
);

/** Minutes without the log, in which `eventual` routes stand on KV, and a change of authority in the midst of them. */
export const outage = step(
  fc
    .tuple(fc.nat({ max: 60_000 }), fc.integer({ min: 1_000, max: 45_000 }), oneIn(3))
    .map(([changedAfterMs, everyMs, rotates]) => ({
      name: `outage(${rotates ? "rotated" : "revoked"} after ${changedAfterMs}, called every ${everyMs})`,
      check: hasTokens,
      run: async (world) => {
        world.callAll(-1);
        await world.wait(3_000);
        world.disturbWay(ALL_EDGES, { kind: "refused" }, 200_000);
        await world.wait(changedAfterMs);
        const { jti } = world.ledger.tokens.at(-1)!.claims;
        if (rotates) world.operator.rotate(false, false);
        else world.operator.revoke({ match: { jti } });
        for (let i = 0; i < 4; i++) {
          await world.wait(everyMs);
          world.callAll(-1);
        }
      },
    })),
);
