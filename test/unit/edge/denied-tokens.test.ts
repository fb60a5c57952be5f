import { beforeEach, describe, expect, it } from "vitest";
import { DeniedTokens } from "../../../src/edge/denied-tokens.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { EdgeWorld, ISSUER, policyOf } from "../../support/edge-world.ts";
import { filterOf } from "../../support/filter.ts";

const ROUTES = policyOf([
  { path: "/bounded", access: { scopes: [] } },
  { path: "/strict", access: { scopes: [] }, consistency: { tier: "strict" } },
  { path: "/eventual", access: { scopes: [] }, consistency: { tier: "eventual" } },
]);

let world: EdgeWorld;
let token: string;
const forever = () => world.nowMs / 1000 + 3_600;

beforeEach(async () => {
  world = await EdgeWorld.create(ROUTES);
  token = await world.token({ jti: "tok_denied", exp: Math.floor(world.nowMs / 1000) + 3_600 });
  await world.call("/bounded", { token });
});

const call = async (path = "/bounded", with_ = token) => (await world.call(path, { token: with_ })).status;
const publish = (jtis: string[], firstBuild = 1) =>
  world.append({
    filter: filterOf(
      jtis.map((jti) => ({ jti, iss: ISSUER })),
      0,
      firstBuild,
    ),
  });

/** Ids that the filter of these suspects although they are not in it. */
function falseSuspect(jtis: string[], firstBuild = 1): string {
  const filter = filterOf(
    jtis.map((jti) => ({ jti, iss: ISSUER })),
    0,
    firstBuild,
  );
  for (let i = 0; ; i++) if (filter.mayContain(`tok_${i}`)) return `tok_${i}`;
}

describe("a token that is denied by name", () => {
  it.each(["/bounded", "/strict", "/eventual"])(
    "is refused on %s, and its neighbour let through",
    async (path) => {
      publish(["tok_denied"]);
      world.confirm = async (_filter, _iss, jti) => ok(jti === "tok_denied" ? forever() : 0);
      world.nowMs += 61_000;
      const neighbour = await world.token({ jti: "tok_neighbour" });
      expect(await call(path)).toBe(401);
      expect(world.lastReason).toBe("token_revoked");
      expect(await call(path, neighbour)).toBe(200);
    },
  );

  it("is confirmed once for each filter, not once a request", async () => {
    publish(["tok_denied"]);
    world.confirm = async () => ok(forever());
    world.nowMs += 3_000;
    for (let i = 0; i < 5; i++) expect(await call()).toBe(401);
    expect(world.confirmed).toEqual(["tok_denied"]);
    publish(["tok_denied", "tok_other"], 2);
    world.nowMs += 3_000;
    for (let i = 0; i < 5; i++) expect(await call()).toBe(401);
    expect(world.confirmed).toEqual(["tok_denied", "tok_denied"]);
  });

  it("is let through where the suspicion is false, at one call for each filter", async () => {
    publish(["tok_denied"]);
    const jti = falseSuspect(["tok_denied"]);
    const suspected = await world.token({ jti });
    world.nowMs += 3_000;
    for (let i = 0; i < 5; i++) expect(await call("/bounded", suspected)).toBe(200);
    expect(world.confirmed).toEqual([jti]);
  });

  it("is refused as stale where nobody can confirm, and asked about again by the next request", async () => {
    publish(["tok_denied"]);
    world.confirm = async () => err(problem("unavailable", "down"));
    world.nowMs += 3_000;
    expect(await call()).toBe(503);
    expect(world.lastReason).toBe("stale");
    expect(await call("/bounded", await world.token({ jti: "tok_neighbour" }))).toBe(200);
    world.confirm = async () => ok(0);
    expect(await call()).toBe(200);
  });

  it("passes again once its entry is over, and once it was lifted and that was published", async () => {
    publish(["tok_denied"]);
    const end = world.nowMs / 1000 + 10;
    world.confirm = async () => ok(end);
    world.nowMs += 3_000;
    expect(await call()).toBe(401);
    world.nowMs += 8_000;
    expect(await call()).toBe(200);
    expect(world.confirmed).toHaveLength(1);
  });

  it("is found on a strict route although it was published while the request was under way", async () => {
    world.confirm = async () => ok(forever());
    let once = true;
    const refresh = world.replica.refresh;
    world.replica.refresh = async () => {
      if (once) publish(["tok_denied"]);
      once = false;
      return refresh();
    };
    expect(await call("/strict")).toBe(401);
    expect(world.confirmed).toEqual(["tok_denied"]);
  });

  it("costs a token that is not suspected no call", async () => {
    publish(["tok_someone-else"]);
    world.nowMs += 3_000;
    for (let i = 0; i < 3; i++) expect(await call()).toBe(200);
    expect(world.confirmed).toEqual([]);
  });
});

describe("what was confirmed", () => {
  const facts = (jti: string) => ({ iss: ISSUER, sub: "s", subject: "s", iat: 0, kid: "k", jti });
  const view = (jtis: string[], build: number) => ({
    ...world.replica.peek()!,
    filter: filterOf(
      jtis.map((jti) => ({ jti, iss: ISSUER })),
      0,
      build,
    ),
  });

  it("is bounded: the oldest goes first", async () => {
    let asked = 0;
    const denied = new DeniedTokens(async () => ok(++asked), 2);
    const all = view(["a", "b", "c"], 1);
    for (const jti of ["a", "b", "c"]) await denied.settle(all, facts(jti), 0);
    expect(["a", "b", "c"].map((jti) => denied.look(all, facts(jti), 0))).toEqual([
      "unconfirmed",
      "denied",
      "denied",
    ]);
  });

  it("about an older filter does not stand for a newer one, nor take its place", async () => {
    let answer = 0;
    const denied = new DeniedTokens(async () => ok(answer));
    const [older, newer] = [view(["a"], 1), view(["a"], 2)];
    await denied.settle(older, facts("a"), 0);
    expect(denied.look(older, facts("a"), 0)).toBe("clear");
    expect(denied.look(newer, facts("a"), 0)).toBe("unconfirmed");
    answer = 10;
    await denied.settle(newer, facts("a"), 0);
    answer = 0;
    await denied.settle(older, facts("a"), 0);
    expect(denied.look(newer, facts("a"), 0)).toBe("denied");
  });

  it("is not needed for a token without an id", async () => {
    const denied = new DeniedTokens(() => Promise.reject(new Error("asked")));
    const { jti: _none, ...nameless } = facts("a");
    expect(denied.look(view(["a"], 1), nameless, 0)).toBe("clear");
  });
});
