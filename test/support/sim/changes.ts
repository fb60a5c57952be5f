import fc from "fast-check";
import type { RevocationMatch } from "../../../src/revocation/rule.ts";
import type { SimRule, SimToken } from "./ledger.ts";
import { hasTokens, index, oneIn, recent, step } from "./step.ts";
import type { World } from "./world.ts";

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

export const revoke = step(
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
export const revokeAgain = step(
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

export const lift = step(
  index.map((rule) => ({
    name: `lift(${rule})`,
    check: (world) => liftable(world, false).length > 0,
    run: (world) => world.operator.lift(among(liftable(world, false), rule)),
  })),
);

export const bringIn = step(
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

export const remove = step(
  fc.tuple(index, fc.boolean()).map(([rule, waits]) => ({
    name: `remove(${rule}${waits ? "" : ", goes away"})`,
    check: (world) => liftable(world, true).length > 0,
    run: (world) => world.operator.remove(among(liftable(world, true), rule), waits),
  })),
);

export const rotate = step(
  fc.tuple(fc.boolean(), oneIn(3)).map(([keepOld, leaked]) => ({
    name: `rotate(${keepOld ? "keep" : "drop"} the old${leaked ? ", leaked" : ""})`,
    run: (world) => world.operator.rotate(keepOld, leaked),
  })),
);

export const changePolicy = step(
  fc
    .nat({ max: 2 })
    .map((variant) => ({ name: `policy(${variant})`, run: (world) => world.operator.changePolicy(variant) })),
);
