import { beforeEach, describe, expect, it } from "vitest";
import { EdgeWorld, type PolicyInput, policyOf } from "../../support/edge-world.ts";

const strict = { consistency: { tier: "strict" } };
const bounded = (more: PolicyInput = {}) => ({
  consistency: { tier: "bounded", max_staleness_ms: 1000 },
  ...more,
});
const eventual = (more: PolicyInput = {}) => ({ consistency: { tier: "eventual" }, ...more });

const POLICY = policyOf([
  { path: "/strict", access: { scopes: ["orders:read"] }, ...strict },
  { path: "/bounded", access: { scopes: ["orders:read"] }, ...bounded() },
  {
    path: "/bounded-lenient",
    access: { scopes: ["orders:read"] },
    ...bounded({ on_stale: { allow_for_seconds: 5 } }),
  },
  { path: "/eventual", access: { scopes: ["orders:read"] }, ...eventual() },
  {
    path: "/eventual-lenient",
    access: { scopes: ["orders:read"] },
    ...eventual({ on_stale: { allow_for_seconds: 5 } }),
  },
  { path: "/public", access: "public", ...bounded() },
  { path: "/public-eventual", access: "public", ...eventual() },
]);

let world: EdgeWorld;
let token: string;

beforeEach(async () => {
  world = await EdgeWorld.create(POLICY);
  token = await world.token();
});

async function status(path: string): Promise<number> {
  return (await world.call(path, path.startsWith("/public") ? {} : { token })).status;
}

const revoked = { id: "rev_1", match: { jti: "x" }, reason: "", actor: "", created_at: 0 };

describe("a strict route", () => {
  it("asks the log on every request, and sees a revocation at once", async () => {
    expect(await status("/strict")).toBe(200);
    const before = world.refreshes;
    expect(await status("/strict")).toBe(200);
    expect(world.refreshes).toBe(before + 1);
    world.revoke({ jti: "tok_01jd0000000000000000000000" });
    expect(await status("/strict")).toBe(401);
    expect(world.lastReason).toBe("token_revoked");
  });

  it("does not ask for a token that does not verify", async () => {
    expect(await status("/strict")).toBe(200);
    const before = world.refreshes;
    expect((await world.call("/strict", { token: token.slice(0, -2) })).status).toBe(401);
    expect(world.refreshes).toBe(before);
  });

  it("does not ask for a token that has run out, though it was verified before", async () => {
    expect(await status("/strict")).toBe(200);
    world.nowMs += 300_000;
    const before = world.refreshes;
    expect(await status("/strict")).toBe(401);
    expect(world.refreshes).toBe(before);
  });

  it("refuses when the log cannot be asked, whatever KV says and however young the view is", async () => {
    expect(await status("/strict")).toBe(200);
    world.logDown = true;
    expect(await status("/strict")).toBe(503);
    expect(world.lastReason).toBe("stale");
    expect(world.kvAsked).toEqual([]);
    world.logDown = false;
    expect(await status("/strict")).toBe(200);
  });

  it("decides on what the log said, even where a token runs out meanwhile", async () => {
    expect(await status("/strict")).toBe(200);
    world.whileRefreshing = () => {
      world.nowMs += 300_000;
    };
    expect(await status("/strict")).toBe(401);
    expect(world.lastReason).toBe("token_expired");
  });
});

describe("a bounded route", () => {
  it("works from memory while the view is younger than half its bound", async () => {
    expect(await status("/bounded")).toBe(200);
    const before = world.refreshes;
    world.nowMs += 500;
    expect(await status("/bounded")).toBe(200);
    expect(world.refreshes).toBe(before);
  });

  it("refreshes behind the request past half the bound, before the request past the bound", async () => {
    expect(await status("/bounded")).toBe(200);
    world.nowMs += 501;
    expect(await status("/bounded")).toBe(200);
    expect(world.background).toHaveLength(1);
    await Promise.all(world.background);
    world.nowMs += 1000;
    world.revoke({ jti: "tok_01jd0000000000000000000000" });
    expect(await status("/bounded")).toBe(200);
    await Promise.all(world.background);
    expect(await status("/bounded")).toBe(401);
  });

  it("never accepts past its bound what was revoked", async () => {
    expect(await status("/bounded")).toBe(200);
    world.revoke({ jti: "tok_01jd0000000000000000000000" });
    expect(await status("/bounded")).toBe(200);
    world.nowMs += 1001;
    expect(await status("/bounded")).toBe(401);
    expect(world.lastReason).toBe("token_revoked");
  });

  it("is refused with 503 when the view cannot be renewed", async () => {
    expect(await status("/bounded")).toBe(200);
    world.logDown = true;
    world.nowMs += 1000;
    expect(await status("/bounded")).toBe(200);
    world.nowMs += 1;
    const answer = await world.call("/bounded", { token });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(world.lastReason).toBe("stale");
    expect(world.kvAsked).toEqual([]);
  });

  it("is refused when the renewal itself took longer than the bound", async () => {
    expect(await status("/bounded")).toBe(200);
    world.nowMs += 1001;
    world.whileRefreshing = () => {
      world.nowMs += 1001;
    };
    expect(await status("/bounded")).toBe(503);
    world.whileRefreshing = () => {
      world.nowMs += 1000;
    };
    expect(await status("/bounded")).toBe(200);
  });

  it("asks the failing log once a second, not once a request", async () => {
    expect(await status("/bounded")).toBe(200);
    world.logDown = true;
    world.nowMs += 1001;
    const before = world.refreshes;
    for (let i = 0; i < 20; i++) expect(await status("/bounded")).toBe(503);
    expect(world.refreshes).toBe(before + 1);
    world.nowMs += 1001;
    world.logDown = false;
    expect(await status("/bounded")).toBe(200);
  });

  it("may go on for the time that on_stale allows, unless KV lists the token or cannot be read", async () => {
    expect(await status("/bounded-lenient")).toBe(200);
    world.logDown = true;
    world.nowMs += 6000;
    expect(await status("/bounded-lenient")).toBe(200);
    expect(world.kvAsked).toHaveLength(1);
    world.denied = revoked;
    expect(await status("/bounded-lenient")).toBe(401);
    expect(world.lastReason).toBe("token_revoked");
    world.denied = undefined;
    world.kvDown = true;
    expect(await status("/bounded-lenient")).toBe(503);
    world.kvDown = false;
    expect(await status("/bounded-lenient")).toBe(200);
    world.nowMs += 1;
    expect(await status("/bounded-lenient")).toBe(503);
  });

  it("does not trust a view from the future: the clock was set back", async () => {
    expect(await status("/bounded")).toBe(200);
    world.nowMs -= 10_000;
    const before = world.refreshes;
    expect(await status("/bounded")).toBe(200);
    expect(world.refreshes).toBe(before + 1);
  });
});

describe("an eventual route", () => {
  it("works from memory for a minute", async () => {
    expect(await status("/eventual")).toBe(200);
    world.revoke({ jti: "tok_01jd0000000000000000000000" });
    const before = world.refreshes;
    world.nowMs += 30_000;
    expect(await status("/eventual")).toBe(200);
    expect(world.refreshes).toBe(before);
    world.nowMs += 1;
    expect(await status("/eventual")).toBe(200);
    await Promise.all(world.background);
    expect(await status("/eventual")).toBe(401);
  });

  it("stands on the KV denylist where the log is out of reach", async () => {
    expect(await status("/eventual")).toBe(200);
    world.logDown = true;
    world.nowMs += 60_001;
    expect(await status("/eventual")).toBe(200);
    expect(world.kvAsked[0]).toMatchObject({ facts: { jti: "tok_01jd0000000000000000000000" } });
    world.denied = revoked;
    expect(await status("/eventual")).toBe(401);
    world.kvDown = true;
    expect(await status("/eventual")).toBe(503);
  });

  it("goes on without KV for the time that on_stale allows", async () => {
    expect(await status("/eventual-lenient")).toBe(200);
    world.logDown = true;
    world.kvDown = true;
    world.nowMs += 65_000;
    expect(await status("/eventual-lenient")).toBe(200);
    expect(await status("/eventual")).toBe(503);
    world.nowMs += 1;
    expect(await status("/eventual-lenient")).toBe(503);
  });
});

describe("a public route without a token", () => {
  it("is held to the same age of the policy", async () => {
    expect(await status("/public")).toBe(200);
    world.append({ policy: policyOf([{ path: "/public", access: { scopes: ["x"] }, ...bounded() }]) });
    world.nowMs += 1001;
    expect(await status("/public")).toBe(401);
    world.logDown = true;
    world.nowMs += 1001;
    expect(await status("/public")).toBe(401);
  });

  it("has nothing that KV could list", async () => {
    expect(await status("/public-eventual")).toBe(200);
    world.logDown = true;
    world.nowMs += 60_001;
    expect(await status("/public")).toBe(503);
    expect(await status("/public-eventual")).toBe(200);
    expect(world.kvAsked).toEqual([]);
  });
});

describe("a cold isolate", () => {
  it("asks the log first", async () => {
    expect(await status("/bounded")).toBe(200);
    expect(world.refreshes).toBe(1);
  });

  it("lets nothing through where there is no view at all", async () => {
    world.logDown = true;
    for (const path of ["/strict", "/bounded", "/bounded-lenient", "/eventual-lenient", "/public"]) {
      expect(await status(path), path).toBe(503);
      expect(world.lastReason).toBe("no_view");
    }
    expect(world.originCalls).toEqual([]);
  });
});
