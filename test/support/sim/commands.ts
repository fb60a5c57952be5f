import fc from "fast-check";
import type { RevocationMatch } from "../../../src/revocation/rule.ts";
import type { CacheFault } from "./cache-double.ts";
import type { KvFault } from "./kv-double.ts";
import type { SimRule, SimToken } from "./ledger.ts";
import type { Fault } from "./network.ts";
import { ROUTES } from "./sim-policy.ts";
import { ALL_EDGES, WAY_COUNT, type World } from "./world.ts";

type Run = { name: string; check?: (world: World) => boolean; run: (world: World) => void | Promise<void> };

/** One step of a schedule: something is begun, and time passes while it is under way. */
class Step implements fc.AsyncCommand<World, World> {
  readonly #step: Run;
  readonly #thenMs: number;

  constructor(step: Run, thenMs: number) {
    this.#step = step;
    this.#thenMs = thenMs;
  }

  check(world: Readonly<World>): boolean {
    return this.#step.check?.(world as World) ?? true;
  }

  async run(world: World): Promise<void> {
    await this.#step.run(world);
    await world.wait(this.#thenMs);
  }

  toString(): string {
    return `${this.#step.name} +${this.#thenMs}ms`;
  }
}

/** The newest of them, or any other. */
const recent = fc.oneof(fc.constant(-1), fc.nat({ max: 30 }));
const small = fc.nat({ max: 3 });
const index = fc.nat({ max: 30 });
const oneIn = (n: number) => fc.nat({ max: n - 1 }).map((i) => i === 0);

/** Moments that matter: within a round trip, within the bounds, past them, minutes. */
const durationMs = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 60 }) },
  { weight: 4, arbitrary: fc.nat({ max: 3_000 }) },
  { weight: 2, arbitrary: fc.nat({ max: 70_000 }) },
  { weight: 1, arbitrary: fc.nat({ max: 300_000 }) },
);
const soonMs = fc.oneof(fc.constant(0), fc.nat({ max: 40 }), fc.nat({ max: 1_500 }));

const hasTokens = (world: World) => world.ledger.tokens.length > 0;
const step = (arbitrary: fc.Arbitrary<Run>, thenMs = soonMs) =>
  fc.tuple(arbitrary, thenMs).map(([run, ms]) => new Step(run, ms));

const mint = step(
  fc
    .tuple(small, small, fc.option(small, { nil: undefined }), fc.constantFrom(20, 300, 86_400))
    .map(([subject, client, grant, ttl]) => ({
      name: `mint(${subject}, ${client}, ${grant}, ${ttl})`,
      run: (world) => world.operator.mint(subject, client, grant, ttl),
    })),
);

const call = step(
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
const probe = step(
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
const watch = step(
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
const squeeze = step(
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

/** Minutes without the log, in which `eventual` routes stand on KV, and a revocation in the midst of them. */
const outage = step(
  fc
    .tuple(fc.nat({ max: 60_000 }), fc.integer({ min: 1_000, max: 45_000 }))
    .map(([revokedAfterMs, everyMs]) => ({
      name: `outage(revoked after ${revokedAfterMs}, called every ${everyMs})`,
      check: hasTokens,
      run: async (world) => {
        world.callAll(-1);
        await world.wait(3_000);
        world.disturbWay(ALL_EDGES, { kind: "refused" }, 200_000);
        await world.wait(revokedAfterMs);
        world.operator.revoke({ match: { jti: world.ledger.tokens.at(-1)!.claims.jti } });
        for (let i = 0; i < 4; i++) {
          await world.wait(everyMs);
          world.callAll(-1);
        }
      },
    })),
);

type MatchOf = (token: SimToken) => RevocationMatch;
const KINDS: readonly [string, MatchOf][] = [
  ["token", ({ claims }) => ({ iss: claims.iss, jti: claims.jti })],
  ["jti", ({ claims }) => ({ jti: claims.jti })],
  ["subject", ({ claims }) => ({ sub: claims.sub })],
  ["client", ({ claims }) => ({ client_id: claims.client_id })],
  ["grant", ({ claims }) => (claims.grant === undefined ? { jti: claims.jti } : { grant: claims.grant })],
  ["session", ({ claims }) => (claims.sid === undefined ? { jti: claims.jti } : { session: claims.sid })],
  ["subject and client", ({ claims }) => ({ sub: claims.sub, client_id: claims.client_id })],
  ["key", ({ kid }) => ({ kid })],
  ["issuer", ({ claims }) => ({ iss: claims.iss })],
  ["everything", () => ({})],
];

const revoke = step(
  fc
    .tuple(
      fc.oneof(
        { weight: 5, arbitrary: fc.nat({ max: 6 }) },
        { weight: 1, arbitrary: fc.nat({ max: KINDS.length - 1 }) },
      ),
      recent,
      oneIn(4),
      fc.option(fc.constantFrom(1, 5, 90), { nil: undefined, freq: 6 }),
    )
    .map(([kind, token, issuedBefore, ttlSeconds]) => ({
      name: `revoke(${KINDS[kind]![0]}, ${token}${issuedBefore ? ", issued before" : ""}${ttlSeconds ? `, for ${ttlSeconds} s` : ""})`,
      check: hasTokens,
      run: (world) => {
        const { tokens } = world.ledger;
        const [name, matchOf] = KINDS[kind]!;
        const now = Math.floor(world.time.nowMs / 1000);
        world.operator.revoke({
          match: matchOf(token < 0 ? tokens.at(-1)! : tokens[token % tokens.length]!),
          ...(issuedBefore || name === "everything" ? { issuedBefore: now } : {}),
          ...(ttlSeconds === undefined ? {} : { expiresAt: now + ttlSeconds }),
        });
      },
    })),
);

/** The same once more, under an id of its own. */
const revokeAgain = step(
  index.map((rule) => ({
    name: `revoke again(${rule})`,
    check: (world) => liftable(world, false).length > 0,
    run: (world) => world.operator.revoke(among(liftable(world, false), rule)),
  })),
);

/** The interface lifts only what the log has. */
const liftable = (world: World, bulk: boolean) =>
  world.ledger.rules.filter((rule) => (bulk ? rule.bulk?.stored : !rule.bulk && rule.acked));
const among = (rules: SimRule[], which: number) => rules[which % rules.length]!;

const lift = step(
  index.map((rule) => ({
    name: `lift(${rule})`,
    check: (world) => liftable(world, false).length > 0,
    run: (world) => world.operator.lift(among(liftable(world, false), rule)),
  })),
);

const bringIn = step(
  fc
    .record({
      tokens: fc.array(recent, { minLength: 1, maxLength: 4 }),
      byIssuer: fc.boolean(),
      others: fc.constantFrom(0, 3, 200),
      waits: fc.boolean(),
      ttlSeconds: fc.option(fc.constantFrom(5, 90), { nil: undefined, freq: 6 }),
    })
    .map(({ tokens, byIssuer, others, waits, ttlSeconds }) => ({
      name: `import(${tokens}, ${byIssuer ? "by issuer, " : ""}${others} others${waits ? "" : ", goes away"}${ttlSeconds ? `, for ${ttlSeconds} s` : ""})`,
      check: hasTokens,
      run: (world) => {
        const held = world.ledger.tokens;
        const expiresAt = Math.floor(world.time.nowMs / 1000) + (ttlSeconds ?? 0);
        const denials = [...new Set(tokens.map((token) => held.at(token % held.length)!))].map((token) => ({
          token,
          byIssuer,
          ...(ttlSeconds === undefined ? {} : { expiresAt }),
        }));
        world.operator.import(denials, others, waits);
      },
    })),
);

const remove = step(
  fc.tuple(index, fc.boolean()).map(([rule, waits]) => ({
    name: `remove(${rule}${waits ? "" : ", goes away"})`,
    check: (world) => liftable(world, true).length > 0,
    run: (world) => world.operator.remove(among(liftable(world, true), rule), waits),
  })),
);

const rotate = step(
  fc.tuple(fc.boolean(), oneIn(3)).map(([keepOld, leaked]) => ({
    name: `rotate(${keepOld ? "keep" : "drop"} the old${leaked ? ", leaked" : ""})`,
    run: (world) => world.operator.rotate(keepOld, leaked),
  })),
);

const changePolicy = step(
  fc
    .nat({ max: 2 })
    .map((variant) => ({ name: `policy(${variant})`, run: (world) => world.operator.changePolicy(variant) })),
);

const wait = durationMs.map((ms) => new Step({ name: "wait", run: () => {} }, ms));
const sleep = step(
  small.map((isolate) => ({
    name: `sleep(${isolate})`,
    check: (world) => world.isIdle(isolate),
    run: (world) => world.sleep(isolate),
  })),
);
const evict = step(
  small.map((isolate) => ({ name: `evict(${isolate})`, run: (world) => world.evict(isolate) })),
);
const crash = step(
  fc.constantFrom("log" as const, "denylist" as const).map((which) => ({
    name: `crash(${which})`,
    run: (world) => world.crash(which),
  })),
);
const cron = step(fc.constant({ name: "cron", run: (world) => world.cron() }));

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>({ kind: "refused" }, { kind: "answer_lost" }, { kind: "hangs" }),
  fc.nat({ max: 2_000 }).map((byMs) => ({ kind: "slow" as const, byMs })),
);
const disturbWay = step(
  fc.tuple(fc.nat({ max: WAY_COUNT - 1 }), fault, durationMs).map(([way, how, ms]) => ({
    name: `disturb way(${way}, ${JSON.stringify(how)}, ${ms})`,
    run: (world) => world.disturbWay(way, how, ms),
  })),
);

const kvFault = fc.constantFrom<KvFault>("fails", "answer_lost", "too_many", "hangs", "slow");
const kvWhere = fc.constantFrom("writes" as const, "reads:0" as const, "reads:1" as const);
const disturbKv = step(
  fc.tuple(kvWhere, kvFault, durationMs).map(([where, how, ms]) => ({
    name: `disturb KV(${where}, ${how}, ${ms})`,
    run: (world) => world.disturbKv(where, how, ms),
  })),
);

const disturbCache = step(
  fc
    .tuple(fc.nat({ max: 1 }), fc.constantFrom<CacheFault>("fails", "hangs", "forgets"), durationMs)
    .map(([location, how, ms]) => ({
      name: `disturb cache(${location}, ${how}, ${ms})`,
      run: (world) => world.disturbCache(location, how, ms),
    })),
);

/** Schedules of the simulation: what a client, an operator, the platform and bad luck may do, in any order. */
export function schedules(maxSteps: number) {
  const often = [
    mint,
    mint,
    call,
    call,
    probe,
    probe,
    probe,
    watch,
    watch,
    squeeze,
    outage,
    revoke,
    revoke,
    bringIn,
    wait,
    wait,
    wait,
  ];
  const changes = [revokeAgain, lift, lift, remove, rotate, changePolicy];
  const badLuck = [
    sleep,
    evict,
    evict,
    crash,
    cron,
    disturbWay,
    disturbWay,
    disturbWay,
    disturbKv,
    disturbKv,
    disturbCache,
  ];
  return fc.commands([...often, ...changes, ...badLuck], { maxCommands: maxSteps, size: "max" });
}
