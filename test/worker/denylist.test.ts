import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { problem } from "../../src/protocol/problem.ts";
import { err, ok } from "../../src/protocol/result.ts";
import type { LogEntry, Snapshot } from "../../src/replication/entry.ts";
import { LogObject } from "../../src/replication/log-object.ts";
import { confirmDenied } from "../../src/revocation/confirm-denied.ts";
import { bucketOfToken, type DenialInput, deniedBucketKey } from "../../src/revocation/denied-token.ts";
import type { DenylistObject } from "../../src/revocation/denylist-object.ts";
import type { DeniedFilter, FilterManifest } from "../../src/revocation/filter.ts";
import { FilterLoader, filterPartKey } from "../../src/revocation/filter-loader.ts";
import { expectValue, remote } from "../support/remote.ts";

const ISS = "https://idp.example.com";
const soon = () => Math.floor(Date.now() / 1000) + 3_600;
const log = {
  snapshot: () => remote<LogObject>(env.LOG.getByName("main")).snapshot(),
  since: (seq: number) => remote<LogObject>(env.LOG.getByName("main")).since(seq),
  append: (entry: LogEntry) => remote<LogObject>(env.LOG.getByName("main")).append(entry),
};

// Builds are numbered by the one object that there is: a second one would publish old numbers.
beforeEach(() => reset());

function newDenylist() {
  const stub = env.DENYLIST.getByName("main");
  return Object.assign(remote<DenylistObject>(stub), { stub });
}
type Denylist = ReturnType<typeof newDenylist>;

const tokens = (prefix: string, n: number, more: Partial<DenialInput> = {}): DenialInput[] =>
  Array.from({ length: n }, (_, i) => ({ jti: `${prefix}-${i}`, iss: ISS, expires_at: soon(), ...more }));
const add = (denylist: Denylist, list: DenialInput[], publish = true) =>
  denylist.addBatch({ tokens: list, actor: "operator", publish });

async function published(denylist: Denylist) {
  for (let upTo: number | undefined, rounds = 0; rounds < 50; rounds++) {
    const state = expectValue(await denylist.publish(upTo));
    if (state.done) return state;
    upTo = state.up_to;
  }
  throw new Error("never published");
}

async function manifest(): Promise<FilterManifest> {
  return expectValue((await log.snapshot()) as { ok: true; value: Snapshot }).filter!;
}

const nowhere = { get: async () => null } as unknown as Pick<KVNamespace, "get">;
const filterOf = async (denylist: Denylist, kv: Pick<KVNamespace, "get"> = nowhere): Promise<DeniedFilter> =>
  expectValue(await new FilterLoader({ kv, denylist }).load(await manifest()));

describe("adding", () => {
  it("is idempotent: the same again is unchanged, a later end is a change, an earlier one is not", async () => {
    const denylist = newDenylist();
    const list = tokens("a", 100);
    expect(await add(denylist, list)).toEqual(ok({ accepted: 100, unchanged: 0 }));
    expect(await add(denylist, list)).toEqual(ok({ accepted: 0, unchanged: 100 }));
    const later = { ...list[0]!, expires_at: soon() + 1_000 };
    expect(await add(denylist, [later, list[1]!])).toEqual(ok({ accepted: 1, unchanged: 1 }));
    expect(await denylist.contains(ISS, "a-0", 0)).toEqual(ok(later.expires_at));
    expect(await add(denylist, [list[0]!])).toEqual(ok({ accepted: 0, unchanged: 1 }));
    expect(await denylist.contains(ISS, "a-0", 0)).toEqual(ok(later.expires_at));
    expect(await denylist.status()).toMatchObject({ value: { tokens: 100 } });
  });

  it("counts a token that comes twice once, and one without an end lasts as long as any token", async () => {
    const denylist = newDenylist();
    const bare = { jti: "twice" };
    expect(await add(denylist, [bare, bare])).toEqual(ok({ accepted: 1, unchanged: 1 }));
    const until = expectValue(await denylist.contains("https://whoever", "twice", 0));
    expect(until - Math.floor(Date.now() / 1000)).toBeGreaterThan(30 * 86_400);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await add(denylist, [bare])).toEqual(ok({ accepted: 0, unchanged: 1 }));
    expect(await denylist.status()).toMatchObject({ value: { tokens: 1 } });
  });

  it("keeps issuers apart, and denies every issuer's where none is named", async () => {
    const denylist = newDenylist();
    await add(denylist, [
      { jti: "x", iss: ISS, expires_at: soon() },
      { jti: "y", expires_at: soon() },
    ]);
    const denied = async (iss: string, jti: string) => expectValue(await denylist.contains(iss, jti, 0)) > 0;
    expect(await Promise.all([denied(ISS, "x"), denied("https://b", "x")])).toEqual([true, false]);
    expect(await Promise.all([denied(ISS, "y"), denied("https://b", "y")])).toEqual([true, true]);
    expect(await denied("", "x")).toBe(false);
  });
});

describe("publication", () => {
  it("is one log entry, whose filter has every token and few others; unchanged parts stay", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("p", 1_000));
    const { receipt } = await published(denylist);
    expect(receipt).toMatchObject({ seq: expect.any(Number), effective_by: expect.anything() });
    const filter = await filterOf(denylist);
    for (const { jti } of tokens("p", 1_000)) expect(filter.mayContain(jti)).toBe(true);
    const others = tokens("q", 5_000).filter(({ jti }) => filter.mayContain(jti));
    expect(others.length).toBeLessThan(100);
    expect((await published(denylist)).receipt).toEqual(receipt);
  });

  it("happens by itself where whoever loaded goes away, and not where that was not wanted", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("held", 10), false);
    // Once the audit log has the record of it, nothing is left to do.
    await vi.waitFor(() =>
      runInDurableObject(denylist.stub, async (_object, state) =>
        expect(await state.storage.getAlarm()).toBeNull(),
      ),
    );
    expect(await denylist.status()).toMatchObject({ value: { published_changes: 0 } });
    await add(denylist, tokens("loose", 10), true);
    await runInDurableObject(denylist.stub, async (_object, state) => {
      const at = await state.storage.getAlarm();
      expect(at! - Date.now()).toBeLessThanOrEqual(5_000);
    });
    await vi.waitFor(
      async () => expect(await denylist.status()).toMatchObject({ value: { published_changes: 2 } }),
      { timeout: 8_000, interval: 250 },
    );
    expect((await filterOf(denylist)).mayContain("held-3")).toBe(true);
  }, 15_000);

  it("survives an eviction half way", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("evicted", 100));
    await denylist.publish();
    await add(denylist, tokens("evicted-too", 100));
    await evictDurableObject(denylist.stub);
    await published(denylist);
    const filter = await filterOf(denylist);
    for (const { jti } of [...tokens("evicted", 100), ...tokens("evicted-too", 100)]) {
      expect(filter.mayContain(jti)).toBe(true);
    }
  }, 20_000);

  it("leaves the log with one manifest: what it replaces is only a mark, and does not come back", async () => {
    const denylist = newDenylist();
    const head = async () => expectValue((await log.snapshot()) as { ok: true; value: Snapshot }).seq;
    const before = await head();
    await add(denylist, tokens("one", 10));
    await published(denylist);
    const old = await manifest();
    await add(denylist, tokens("two", 10));
    await published(denylist);
    expect(await log.since(before)).toMatchObject({
      value: { entries: [{ entry: { kind: "filter.superseded" } }, { entry: { kind: "filter.published" } }] },
    });
    expect(await log.append({ id: "log_ghost", kind: "filter.published", filter: old })).toMatchObject({
      error: { code: "conflict" },
    });
    expect((await manifest()).parts[0]!.build).toBeGreaterThan(old.parts[0]!.build);
  });

  it("splits into more parts as it grows, and misses nothing", async () => {
    const denylist = newDenylist();
    for (let i = 0; i < 25; i++) await add(denylist, tokens(`big-${i}`, 5_000));
    await published(denylist);
    const filter = await filterOf(denylist);
    expect(filter.manifest.parts).toHaveLength(2);
    for (let i = 0; i < 25; i++) {
      for (const { jti } of tokens(`big-${i}`, 5_000)) if (!filter.mayContain(jti)) expect(jti).toBe("");
    }
    expect((filter.bytes * 8) / 125_000).toBeLessThan(11);
  }, 30_000);
});

describe("its projections into KV", () => {
  it("are the filter's parts, and lists that confirm where the object cannot be reached", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("kv", 50));
    await published(denylist);
    const done = async () => {
      await runDurableObjectAlarm(denylist.stub);
      expect(await denylist.status()).toMatchObject({ value: { outbox_rows: 0 } });
    };
    await vi.waitFor(done, { timeout: 10_000 });
    const broken = { part: async () => err(problem("unavailable", "down")) };
    const loaded = expectValue(
      await new FilterLoader({ kv: env.KV, denylist: broken }).load(await manifest()),
    );
    const down = { contains: async () => err(problem("unavailable", "down")) };
    const ports = { denylist: down, kv: env.KV };
    expect(expectValue(await confirmDenied(loaded, ISS, "kv-7", ports))).toBeGreaterThan(soon() - 60);
    const suspect = tokens("nobody", 5_000).find(({ jti }) => loaded.mayContain(jti))!;
    expect(await confirmDenied(loaded, ISS, suspect.jti, ports)).toEqual(ok(0));
    // A list that is older than the filter cannot tell that a token is not denied.
    const key = deniedBucketKey(bucketOfToken("kv-7"));
    await env.KV.put(key, JSON.stringify({ build: 0, tokens: [] }));
    expect(await confirmDenied(loaded, ISS, "kv-7", ports)).toMatchObject({ ok: false });
  });

  it("is no substitute for the right bytes: a part that differs is taken from the object", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("bytes", 50));
    await published(denylist);
    const [ref] = (await manifest()).parts;
    const wrong = { get: async () => new Uint8Array(5_000).buffer } as unknown as Pick<KVNamespace, "get">;
    expect((await filterOf(denylist, wrong)).mayContain("bytes-1")).toBe(true);
    const down = { part: async () => err(problem("unavailable", "down")) };
    expect(await new FilterLoader({ kv: wrong, denylist: down }).load(await manifest())).toMatchObject({
      error: { code: "unavailable" },
    });
    expect(filterPartKey(ref!.build)).toBe(`filter:${ref!.build}`);
  });
});

describe("leaving the list", () => {
  it("is a lift: exact at once, out of the filter with the next publication", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("lift", 200));
    await published(denylist);
    const before = await filterOf(denylist);
    const lifted = { tokens: tokens("lift", 100), actor: "operator", publish: true };
    expect(await denylist.removeBatch(lifted)).toEqual(ok({ accepted: 100, unchanged: 0 }));
    expect(await denylist.removeBatch(lifted)).toEqual(ok({ accepted: 0, unchanged: 100 }));
    expect(await denylist.contains(ISS, "lift-5", 0)).toEqual(ok(0));
    await published(denylist);
    const after = await filterOf(denylist);
    expect(after.stamp("lift-5")).toBeGreaterThan(before.stamp("lift-5"));
    const still = tokens("lift", 100).filter(({ jti }) => after.mayContain(jti));
    expect(still.length).toBeLessThan(10);
    for (const { jti } of tokens("lift", 200).slice(100)) expect(after.mayContain(jti)).toBe(true);
  });

  it("comes by itself when the token is over; what lasts stays", async () => {
    const denylist = newDenylist();
    const brief = Math.floor(Date.now() / 1000) + 2;
    await add(denylist, [...tokens("brief", 100, { expires_at: brief }), ...tokens("lasting", 100)]);
    await published(denylist);
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(denylist.stub);
        expect(await denylist.status()).toMatchObject({ value: { tokens: 100 } });
      },
      { timeout: 6_000, interval: 300 },
    );
    await published(denylist);
    const filter = await filterOf(denylist);
    expect(tokens("brief", 100).filter(({ jti }) => filter.mayContain(jti)).length).toBeLessThan(10);
    for (const { jti } of tokens("lasting", 100)) expect(filter.mayContain(jti)).toBe(true);
    expect(await add(denylist, tokens("brief", 1))).toEqual(ok({ accepted: 1, unchanged: 0 }));
  }, 10_000);
});

describe("a page", () => {
  it("goes through all entries once", async () => {
    const denylist = newDenylist();
    const all = [...tokens("page", 250), { jti: "bare", expires_at: soon(), reason: "lost laptop" }];
    await add(denylist, all);
    const seen: DenialInput[] = [];
    let page = expectValue(await denylist.page(100));
    seen.push(...page.tokens);
    while (page.next) {
      page = expectValue(await denylist.page(100, page.next));
      seen.push(...page.tokens);
    }
    const byJti = (a: DenialInput, b: DenialInput) => (a.jti < b.jti ? -1 : 1);
    expect(seen.toSorted(byJti)).toEqual(all.toSorted(byJti));
  });
});

describe("an object that was restored alone", () => {
  it("says nothing about tokens, so that KV's lists stand, and changes nothing, until that is undone", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("kept", 20));
    await published(denylist);
    const earlier = await manifest();
    // Another object with a later list has published in the meantime.
    const filter = { ...earlier, parts: earlier.parts.map((part) => ({ ...part, build: part.build + 5 })) };
    expect(await log.append({ id: "log_later", kind: "filter.published", filter })).toMatchObject({
      ok: true,
    });
    expect(await denylist.contains(ISS, "kept-1", earlier.parts[0]!.build)).toMatchObject({ ok: true });
    await add(denylist, tokens("new", 1));
    expect(await denylist.publish()).toMatchObject({ error: { code: "unavailable" } });
    for (const refused of [
      await denylist.contains(ISS, "kept-1", earlier.parts[0]!.build),
      await add(denylist, tokens("more", 1)),
      await denylist.removeBatch({ tokens: tokens("kept", 1), actor: "o", publish: true }),
    ]) {
      expect(refused).toMatchObject({
        error: { code: "unavailable", detail: expect.stringMatching(/restored/) },
      });
    }
  });

  it("is found out by the first token that a lost part suspects", async () => {
    const denylist = newDenylist();
    await add(denylist, tokens("kept", 20));
    await published(denylist);
    expect(await denylist.contains(ISS, "kept-1", 1)).toMatchObject({ ok: true });
    expect(await denylist.contains(ISS, "kept-1", 2)).toMatchObject({ error: { code: "unavailable" } });
    expect(await denylist.contains(ISS, "kept-1", 1)).toMatchObject({ error: { code: "unavailable" } });
  });
});

describe("rules for one token, once there are too many", () => {
  const jtiOf = (n: number) => `tok_rule_${n}`;
  const added = (n: number): LogEntry => {
    const rule = { match: { jti: jtiOf(n), iss: ISS }, reason: "test", actor: "olivia", created_at: 1 };
    return {
      id: `rev_${n}`,
      kind: "revocation.added",
      rule: { ...rule, id: `rev_${n}`, expires_at: soon() },
    };
  };
  /** The log, of which replicas hold four such rules at most. */
  const inSmallLog = <T>(work: (small: LogObject) => Promise<T>): Promise<T> =>
    runInDurableObject(env.LOG.getByName("main"), (_object, state) =>
      work(new LogObject(state, env, systemClock, { maxRules: 4 })),
    );
  const rulesOfReplicas = async () =>
    expectValue((await log.snapshot()) as { ok: true; value: Snapshot }).rules.map(({ id }) => id);
  const until = async (denylist: Denylist, n: number) =>
    expectValue(await denylist.contains(ISS, jtiOf(n), 0));
  const main = () => remote<LogObject>(env.LOG.getByName("main"));

  async function compacted() {
    await inSmallLog(async (small) => {
      for (let n = 0; n < 5; n++) expectValue(await small.append(added(n)));
    });
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(env.LOG.getByName("main"));
        expect((await rulesOfReplicas()).toSorted()).toEqual(["rev_3", "rev_4"]);
      },
      { timeout: 10_000, interval: 200 },
    );
  }

  it("leave the oldest first, after the filter that knows them, with their end, record and KV entry", async () => {
    const denylist = newDenylist();
    await compacted();
    const filter = await filterOf(denylist);
    expect([0, 1, 2].every((n) => filter.mayContain(jtiOf(n)))).toBe(true);
    expect((await until(denylist, 0)) - soon()).toBeGreaterThan(-30);
    expect(await until(denylist, 3)).toBe(0);
    const { value } = (await log.since(0)) as { value: { entries: { entry: LogEntry }[] } };
    const kinds = value.entries.map(({ entry }) => entry.kind);
    expect(kinds.indexOf("filter.published")).toBeGreaterThan(0);
    expect(kinds.indexOf("rules.compacted")).toBeGreaterThan(kinds.indexOf("filter.published"));
    expect(await main().revocation("rev_0")).toMatchObject({ value: { state: "in_force", seq: 1 } });
    expect(expectValue(await main().revocations(10)).items).toHaveLength(5);
    await vi.waitFor(async () =>
      expect(await env.KV.get(`deny:jti:${jtiOf(0)}`, "json")).toMatchObject([{ id: "rev_0" }]),
    );
    expect(expectValue(await denylist.page(10)).tokens).toEqual([]);
  }, 20_000);

  it("are lifted as before: out of the list and the filter, and what was imported stays", async () => {
    const denylist = newDenylist();
    await compacted();
    await add(denylist, [{ jti: jtiOf(1), iss: ISS, expires_at: soon() }]);
    const before = await filterOf(denylist);
    for (const n of [0, 1]) {
      const lift = {
        id: `log_l${n}`,
        kind: "revocation.lifted",
        revocation_id: `rev_${n}`,
        actor: "o",
      } as const;
      const receipt = expectValue(await main().append(lift));
      expect(receipt).toMatchObject({ id: `log_l${n}`, seq: expect.any(Number) });
      expect(await main().append(lift)).toEqual(ok(receipt));
    }
    expect(await until(denylist, 0)).toBe(0);
    expect(await until(denylist, 1)).toBeGreaterThan(0);
    expect(await until(denylist, 2)).toBeGreaterThan(0);
    const after = await filterOf(denylist);
    expect(after.stamp(jtiOf(0))).toBeGreaterThan(before.stamp(jtiOf(0)));
    expect(await main().revocation("rev_0")).toMatchObject({ value: { state: "lifted", lifted_by: "o" } });
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(env.LOG.getByName("main"));
        expect(await env.KV.get(`deny:jti:${jtiOf(0)}`)).toBeNull();
      },
      { timeout: 5_000, interval: 250 },
    );
  }, 20_000);
});
