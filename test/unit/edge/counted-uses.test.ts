import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { AccessRequest } from "../../../src/access/access-request.ts";
import type { AccessRequestLedger } from "../../../src/access/access-request-ledger.ts";
import type { AccessRequestStore } from "../../../src/access/access-request-store.ts";
import { GrantUses } from "../../../src/access/grant-uses.ts";
import { USE_SCHEMA, UseStore } from "../../../src/access/use-store.ts";
import { LEASE_SECONDS } from "../../../src/access/uses.ts";
import { CountedUses, type UsePort } from "../../../src/edge/counted-uses.ts";
import { createDecider } from "../../../src/edge/decider.ts";
import { explain } from "../../../src/edge/explain.ts";
import type { Durable } from "../../../src/platform/durable.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, type Result } from "../../../src/protocol/result.ts";
import { EdgeWorld, HOST, policyOf } from "../../support/edge-world.ts";
import { memorySql } from "../../support/memory-sql.ts";

const START = 1_800_000_000;

/** A grant's object with its real counter, isolates in front of it, and a network that loses what it is told to. */
class UseWorld {
  nowMs = START * 1000;
  request: AccessRequest;
  told: string[] = [];
  calls = 0;
  /** What the network does to the next calls. */
  losses: ("request" | "answer")[] = [];
  spent = 0;
  timers: { at: number; ring: () => void }[] = [];
  background: Promise<unknown>[] = [];
  readonly object: GrantUses;
  #made = 0;

  constructor(maxUses: number) {
    const grant = {
      ...{ id: "grt_1", resource: "orders", scope: ["a"], max_uses: maxUses },
      ...{ access_start: START, access_expiry: START + 1e6, told: "active" },
    };
    this.request = { decided: "approved", grant, extensions: [], requester: {} } as unknown as AccessRequest;
    const change: AccessRequestLedger["change"] = (apply) => {
      const changed = apply(this.request, Math.floor(this.nowMs / 1000));
      if (changed.ok) {
        this.request = changed.value.request;
        this.told.push(...changed.value.events);
      }
      return undefined;
    };
    this.object = new GrantUses({
      store: { read: () => ({ request: this.request, version: 1 }) } as AccessRequestStore,
      uses: new UseStore(memorySql([USE_SCHEMA])),
      ledger: { change } as AccessRequestLedger,
      durable: { commit: (apply: () => unknown) => apply() } as Durable,
      clock: () => this.nowMs,
    });
  }

  isolate(): CountedUses {
    const over = async <T>(call: () => Result<T>): Promise<Result<T>> => {
      this.calls++;
      const loss = this.losses.shift();
      const answer = loss === "request" ? undefined : call();
      await Promise.resolve();
      return loss || !answer ? err(problem("unavailable", "lost")) : answer;
    };
    const port: UsePort = {
      takeUses: (id) => over(() => this.object.take(id)),
      settleUses: (id, unused) => over(() => this.object.settle(id, unused)),
    };
    return new CountedUses({
      counter: () => port,
      clock: () => this.nowMs,
      newId: () => `use_${this.#made++}`,
      sleep: (ms) =>
        new Promise((ring) => {
          if (ms < 1_000) return void setImmediate(ring);
          this.timers.push({ at: this.nowMs + ms, ring });
        }),
    });
  }

  /** One request: what became of it. */
  async use(isolate: CountedUses, outcome: "spend" | "release" | "nothing" = "spend"): Promise<string> {
    const held = await isolate.hold("grt_1", (work) => void this.background.push(work));
    if (!held.ok) return held.error;
    if (outcome === "spend") this.spent++;
    if (outcome !== "nothing") held.value[outcome]();
    return outcome;
  }

  /** Lets time pass: what is under way goes on within each second. */
  async pass(ms: number): Promise<void> {
    for (const end = this.nowMs + ms; ; this.nowMs = Math.min(end, this.nowMs + 1_000)) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const { ring } of this.timers.filter(({ at }) => at <= this.nowMs)) ring();
      this.timers = this.timers.filter(({ at }) => at > this.nowMs);
      await new Promise((resolve) => setImmediate(resolve));
      this.object.passTime();
      if (this.nowMs >= end) return;
    }
  }
}

describe("the uses of a counted grant", () => {
  it.each([1, 2, 9, 10, 137])("are %i and not one more, in one isolate and over many", async (max) => {
    for (const isolates of [1, 7]) {
      const world = new UseWorld(max);
      const edge = Array.from({ length: isolates }, () => world.isolate());
      const answers: string[] = [];
      while (!world.told.includes("grant.used_up")) {
        const burst = await Promise.all(edge.flatMap((each) => [world.use(each), world.use(each)]));
        answers.push(...burst);
        await world.pass(5_000);
      }
      expect(world.spent).toBe(max);
      expect(answers.filter((answer) => answer === "spend")).toHaveLength(max);
      expect(world.told).toEqual(["grant.used_up"]);
      expect(await world.use(world.isolate())).toBe("uses_taken");
    }
  });

  it("go to as many of fifty at once as there are, where the isolate has them", async () => {
    const world = new UseWorld(100);
    const edge = world.isolate();
    const race = () => Promise.all(Array.from({ length: 50 }, () => world.use(edge)));
    expect(new Set(await race())).toEqual(new Set(["spend"]));
    expect(new Set(await race())).toEqual(new Set(["spend"]));
    expect(new Set(await race())).toEqual(new Set(["uses_taken"]));
    expect(world.spent).toBe(100);
  });

  it("cost no call each while many are left", async () => {
    const world = new UseWorld(10_000);
    const edge = world.isolate();
    for (let n = 0; n < 1_000; n++) expect(await world.use(edge)).toBe("spend");
    // Ten leases, each taken and settled.
    expect(world.calls).toBeLessThanOrEqual(20);
  });

  it("come back where a request was refused after all, and then open another one", async () => {
    const world = new UseWorld(1);
    const [edge, other] = [world.isolate(), world.isolate()];
    expect(await world.use(edge, "release")).toBe("release");
    expect(await world.use(other)).toBe("uses_taken");
    await world.pass(5_000);
    expect(world.told).toEqual([]);
    expect(await world.use(other)).toBe("spend");
    await world.pass(0);
    expect(world.told).toEqual(["grant.used_up"]);
  });

  it("that nobody settled count as used once that is due", async () => {
    const world = new UseWorld(1);
    await world.use(world.isolate(), "nothing");
    world.timers = [];
    await world.pass((LEASE_SECONDS - 1) * 1000);
    expect(world.told).toEqual([]);
    await world.pass(1_000);
    expect(world.told).toEqual(["grant.used_up"]);
    expect(world.object.nextDueMs()).toBeUndefined();
  });

  it("are given back where only the answer got lost, also when the call itself comes later", async () => {
    const world = new UseWorld(1);
    const edge = world.isolate();
    world.losses = ["answer"];
    expect(await world.use(edge)).toBe("uses_unavailable");
    expect(await world.use(edge)).toBe("spend");
    world.object.settle("use_late", 5);
    expect(world.object.take("use_late")).toMatchObject({ ok: false });
  });

  it("end with the grant, whatever is left of them", async () => {
    const world = new UseWorld(5);
    const { grant } = world.request;
    world.request = { ...world.request, grant: { ...grant!, revoked: { at: START, by: "x", reason: "x" } } };
    expect(await world.use(world.isolate())).toBe("token_revoked");
    world.request = { ...world.request, grant: { ...grant!, access_expiry: START } };
    expect(await world.use(world.isolate())).toBe("token_expired");
    const { max_uses: _uncounted, ...plain } = grant!;
    world.request = { ...world.request, grant: plain };
    expect(await world.use(world.isolate())).toBe("token_revoked");
  });

  it("are never more, whatever dies or gets lost; and all of them where nothing does", async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("use" as const), of: fc.nat(3) }) },
      fc.record({ kind: fc.constant("burst" as const), of: fc.nat(3) }),
      fc.record({ kind: fc.constantFrom("release" as const, "nothing" as const), of: fc.nat(3) }),
      fc.record({ kind: fc.constantFrom("die" as const), of: fc.nat(3) }),
      fc.record({ kind: fc.constantFrom("lose request" as const, "lose answer" as const), of: fc.nat(3) }),
      fc.record({ kind: fc.constant("pass" as const), of: fc.nat(40_000) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(step, { maxLength: 120 }),
        async (max, steps) => {
          const world = new UseWorld(max);
          const edge = Array.from({ length: 4 }, () => world.isolate());
          const pending: Promise<unknown>[] = [];
          for (const { kind, of } of steps) {
            if (kind === "use") pending.push(world.use(edge[of]!));
            if (kind === "burst") pending.push(...Array.from({ length: 20 }, () => world.use(edge[of]!)));
            if (kind === "release" || kind === "nothing") pending.push(world.use(edge[of]!, kind));
            if (kind === "die") edge[of] = world.isolate();
            if (kind === "lose request") world.losses.push("request");
            if (kind === "lose answer") world.losses.push("answer");
            if (kind === "pass") await world.pass(of);
            expect(world.spent).toBeLessThanOrEqual(max);
          }
          await Promise.all(pending);
          expect(world.spent).toBeLessThanOrEqual(max);
          const harmless = steps.every(({ kind }) => ["use", "burst", "release", "pass"].includes(kind));
          await world.pass(5_000);
          await world.pass(LEASE_SECONDS * 1000);
          world.losses = [];
          const spentBefore = world.spent;
          const last = world.isolate();
          for (let n = 0; n < max + 5; n++) await world.use(last);
          await world.pass(5_000);
          expect(world.spent).toBeLessThanOrEqual(max);
          if (harmless) expect([spentBefore <= max, world.spent]).toEqual([true, max]);
          await world.pass(LEASE_SECONDS * 1000);
          expect(world.told).toEqual(["grant.used_up"]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("a request with a counted token", () => {
  let world: EdgeWorld;
  let uses: UseWorld;
  const counted = (changes: Record<string, unknown> = {}) =>
    world.token({ grant: "grt_1", max_uses: 3, ...changes });

  beforeEach(async () => {
    world = await EdgeWorld.create(policyOf([{ path: "/orders", access: { scopes: ["orders:read"] } }]));
    uses = new UseWorld(3);
    world.counter = {
      takeUses: async (id) => uses.object.take(id),
      settleUses: async (id, unused) => uses.object.settle(id, unused),
    };
  });

  it("reaches the origin as often as it may, whatever the origin makes of it", async () => {
    const token = await counted();
    world.origin = () => new Response("no", { status: 500 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => world.call("/orders", { token })));
    expect(world.originCalls).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 500)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status === 403);
    expect(refused).toHaveLength(47);
    expect(await refused[0]!.json()).toMatchObject({ code: "insufficient_scope" });
    expect(world.lastReason).toBe("uses_taken");
  });

  it("counts for whoever asks the gate for its decision, and not where somebody only asks why", async () => {
    const { deps, replica, signer, limits } = world;
    const decide = createDecider({ ...deps, replica, signer, limits });
    const headers = new Headers({ authorization: `Bearer ${await counted()}` });
    const ask = { method: "GET", url: `${HOST}/orders`, headers };
    const { uses: _uses, ...uncounted } = deps;
    const explained = async () => (await explain(ask, uncounted, "dec_1")).outcome;
    const decided = async () => {
      const answer = await decide(ask);
      return answer.ok || answer.error.reason;
    };
    world.assertionKeyDown = true;
    expect(await decided()).toBe("assertion_unavailable");
    world.assertionKeyDown = false;
    expect([await explained(), await explained(), await explained()]).toEqual(["allow", "allow", "allow"]);
    expect([await decided(), await decided(), await decided()]).toEqual([true, true, true]);
    expect(await decided()).toBe("uses_taken");
  });

  it("is not forwarded where it cannot be counted", async () => {
    world.counter.takeUses = async () => err(problem("unavailable", "down"));
    const answer = await world.call("/orders", { token: await counted() });
    expect([answer.status, world.lastReason, world.originCalls.length]).toEqual([503, "uses_unavailable", 0]);
  });

  it("uses nothing where it is refused: not permitted, revoked meanwhile, no assertion for the origin", async () => {
    world.assertionKeyDown = true;
    expect((await world.call("/orders", { token: await counted() })).status).toBe(503);
    world.assertionKeyDown = false;
    const narrow = await counted({ scope: "other" });
    expect((await world.call("/orders", { token: narrow })).status).toBe(403);
    const jti = "tok_revoked";
    world.revoke({ jti });
    world.nowMs += 2_001;
    expect((await world.call("/orders", { token: await counted({ jti }) })).status).toBe(401);
    for (let n = 0; n < 3; n++)
      expect((await world.call("/orders", { token: await counted() })).status).toBe(200);
    expect((await world.call("/orders", { token: await counted() })).status).toBe(403);
  });

  it.each([[0], [-1], [1.5], ["3"], [null], [[3]]])(
    "with max_uses %j is not one of ours",
    async (max_uses) => {
      expect((await world.call("/orders", { token: await counted({ max_uses }) })).status).toBe(401);
      expect((await world.call("/orders", { token: await counted() })).status).toBe(200);
    },
  );

  it("is not one of ours without a grant that could be counted", async () => {
    expect((await world.call("/orders", { token: await counted({ grant: undefined }) })).status).toBe(401);
    expect(world.originCalls).toEqual([]);
  });
});
