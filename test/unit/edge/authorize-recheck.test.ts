import { beforeEach, describe, expect, it } from "vitest";
import { authorize } from "../../../src/edge/authorize.ts";
import { EdgeWorld, HOST, policyOf } from "../../support/edge-world.ts";
import { newKey } from "../../support/token-factory.ts";

let world: EdgeWorld;

beforeEach(async () => {
  world = await EdgeWorld.create(policyOf([{ path: "/orders", access: { scopes: ["orders:read"] } }]));
});

async function decide(method: string, path: string, token: string) {
  const decision = await authorize(
    { method, url: HOST + path, headers: new Headers({ authorization: `Bearer ${token}` }) },
    world.deps,
  );
  return decision.outcome === "allow" ? decision.route.id : decision.reason;
}

describe("a refusal that a newer view may turn around", () => {
  it("asks the log at once for a key that was just made", async () => {
    expect(await decide("GET", "/orders", await world.token())).toBe("route-0");
    const fresh = await newKey("ES256", "own-2");
    const keys = new Map(world.log.keys);
    keys.set("own-2", { kid: "own-2", purpose: "access_token", alg: "ES256", key: fresh.publicKey });
    world.append({ keys });
    world.nowMs += 1;
    expect(await decide("GET", "/orders", await world.token({}, fresh))).toBe("route-0");
  });

  it("asks at most once a second for keys that nobody has", async () => {
    expect(await decide("GET", "/orders", await world.token())).toBe("route-0");
    world.nowMs += 1;
    const before = world.refreshes;
    for (let i = 0; i < 50; i++) {
      const junk = await world.token({}, { ...world.keys.own, kid: `junk-${i}` });
      expect(await decide("GET", "/orders", junk)).toBe("token_unknown_key");
      world.nowMs += 10;
    }
    expect(world.refreshes).toBe(before + 1);
  });

  it("finds a route that is newer than an idle isolate's view", async () => {
    expect(await decide("GET", "/new", await world.token())).toBe("no_route");
    world.append({ policy: policyOf([{ path: "/new", access: {} }]) });
    world.nowMs += 2000;
    expect(await decide("GET", "/new", await world.token())).toBe("no_route");
    world.nowMs += 1;
    expect(await decide("GET", "/new", await world.token())).toBe("route-0");
  });
});
