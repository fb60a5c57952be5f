import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { DirectoryObject } from "../../src/access/directory-object.ts";
import { LiveTokenStore } from "../../src/access/live-token-store.ts";
import type { LiveToken, OwnMatch } from "../../src/revocation/live-token.ts";
import type { KeyringObject } from "../../src/tokens/keyring-object.ts";
import { expectValue, remote } from "../support/remote.ts";

let count = 0;
const newDirectory = () => {
  const stub = env.DIRECTORY.getByName(`directory-${count++}`);
  return Object.assign(remote<DirectoryObject>(stub), { stub });
};
const now = () => Math.floor(Date.now() / 1000);
const START = now();
const token = (jti: string, over: Partial<LiveToken> = {}): LiveToken => ({
  jti,
  sub: "demo|alice",
  client_id: "cli_1",
  kid: "k1",
  aud: "urn:origin",
  iat: START - 10,
  exp: now() + 300,
  ...over,
});
const cut = (tokens: number, grants: number, subjects: number, clients: number) => ({
  would_cut: { tokens, grants, subjects, clients },
});

describe("the index of live tokens", () => {
  it("counts by every kind of rule, and not the neighbour", async () => {
    const directory = newDirectory();
    const at = START;
    await directory.putTokens([
      token("tok_1", { grant: "grt_1", session: "s1" }),
      token("tok_2", { grant: "grt_1", sub: "demo|bob", jkt: "thumb" }),
      token("tok_3", { grant: "grt_2", session: "s2", client_id: "cli_2", kid: "k2" }),
      token("tok_4", { iat: at + 5 }),
    ]);
    const counts: [OwnMatch, number | undefined, ReturnType<typeof cut>][] = [
      [{ jti: "tok_1" }, undefined, cut(1, 1, 1, 1)],
      [{ grant: "grt_1" }, undefined, cut(2, 1, 2, 1)],
      [{ session: "s2" }, undefined, cut(1, 1, 1, 1)],
      [{ sub: "demo|alice" }, undefined, cut(3, 2, 1, 2)],
      [{ client_id: "cli_1" }, undefined, cut(3, 1, 2, 1)],
      [{ kid: "k2" }, undefined, cut(1, 1, 1, 1)],
      [{ jkt: "thumb" }, undefined, cut(1, 1, 1, 1)],
      [{ jkt: "other" }, undefined, cut(0, 0, 0, 0)],
      [{ sub: "demo|alice", client_id: "cli_2" }, undefined, cut(1, 1, 1, 1)],
      [{ sub: "demo|alice" }, at - 5, cut(2, 2, 1, 2)],
      [{}, at - 5, cut(3, 2, 2, 2)],
      [{}, at - 10, cut(0, 0, 0, 0)],
      [{ jti: "tok_none" }, undefined, cut(0, 0, 0, 0)],
      [{ sub: "demo|carol" }, undefined, cut(0, 0, 0, 0)],
    ];
    for (const [match, issuedBefore, expected] of counts) {
      expect(expectValue(await directory.countLive(match, issuedBefore))).toMatchObject(expected);
    }
  });

  it("knows which of some ids are alive; the canary's tokens are none", async () => {
    const directory = newDirectory();
    await directory.putTokens([token("tok_a"), token("tok_b"), token("tok_probe", { client_id: "canary" })]);
    expect(await directory.liveAmong(["tok_b", "tok_x", "tok_probe"])).toEqual({
      ok: true,
      value: ["tok_b"],
    });
    expect(expectValue(await directory.countLive({}))).toMatchObject({ would_cut: { tokens: 2 } });
  });

  it("counts a token once, and none that is over", async () => {
    const directory = newDirectory();
    await directory.putTokens([token("tok_1"), token("tok_1"), token("tok_2", { exp: now() })]);
    await directory.putTokens([token("tok_1"), token("tok_3", { exp: now() + 1 })]);
    expect(expectValue(await directory.countLive({}))).toMatchObject(cut(2, 0, 1, 1));
    await vi.waitFor(
      async () => expect(expectValue(await directory.countLive({}))).toMatchObject(cut(1, 0, 1, 1)),
      { timeout: 3_000 },
    );
  });

  it("lists at most the first hundred, with what identifies them", async () => {
    const directory = newDirectory();
    const tokens = Array.from({ length: 101 }, (_, i) =>
      token(`tok_${i}`, i === 0 ? { grant: "grt_1" } : {}),
    );
    await directory.putTokens(tokens.slice(0, 100));
    expect(expectValue(await directory.countLive({})).sample).toHaveLength(100);
    await directory.putTokens(tokens);
    const { would_cut, sample } = expectValue(await directory.countLive({}));
    expect(would_cut.tokens).toBe(101);
    expect(sample).toHaveLength(100);
    const { exp } = tokens[0]!;
    expect(sample[0]).toEqual({ jti: "tok_0", sub: "demo|alice", client_id: "cli_1", grant: "grt_1", exp });
    expect(sample[1]).toEqual({ jti: "tok_1", sub: "demo|alice", client_id: "cli_1", exp });
  });

  it("forgets what is over by its alarm, and keeps the rest over eviction", async () => {
    const directory = newDirectory();
    await directory.putTokens([token("tok_1", { exp: now() + 1 }), token("tok_2")]);
    await evictDurableObject(directory.stub);
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(directory.stub);
        expect(await held(directory.stub)).toEqual(["tok_2"]);
      },
      { timeout: 5_000, interval: 250 },
    );
    expect(expectValue(await directory.countLive({}))).toMatchObject({ ...cut(1, 0, 1, 1), exact: true });
  });

  it("drops those that end first where it is full, and says so for as long as one of them may be alive", async () => {
    const { stub } = newDirectory();
    await runInDurableObject(stub, (_object, { storage }) => {
      const store = new LiveTokenStore(storage.sql, 3);
      const at = now();
      store.put(
        [1, 2, 3].map((i) => token(`tok_${i}`, { exp: at + i * 10 })),
        at,
      );
      expect(store.count({}, undefined, at)).toMatchObject({ ...cut(3, 0, 1, 1), exact: true });
      store.put([token("tok_4", { exp: at + 40 }), token("tok_5", { exp: at + 50 })], at);
      expect(store.count({}, undefined, at)).toMatchObject({ ...cut(3, 0, 1, 1), exact: false });
      expect(store.count({}, undefined, at + 19).exact).toBe(false);
      // Both that were dropped are over now.
      expect(store.count({}, undefined, at + 20)).toMatchObject({ ...cut(3, 0, 1, 1), exact: true });
      expect(store.prune(at + 40, 10)).toBe(2);
      store.put([token("tok_6", { exp: at + 60 }), token("tok_7", { exp: at + 60 })], at + 40);
      expect(store.count({}, undefined, at + 40)).toMatchObject({ ...cut(3, 0, 1, 1), exact: true });
    });
  });

  it("finds by an index whatever a rule names", async () => {
    const { stub } = newDirectory();
    await runInDurableObject(stub, (_object, { storage }) => {
      const members = ["jti", "grant", "session", "sub", "client_id", "jkt", "kid"] as const;
      for (const member of members) {
        const plans = plansOf(storage.sql, (store) => store.count({ [member]: "x" }, 1, 1));
        expect(plans, member).toHaveLength(2);
        for (const plan of plans) expect(plan, member).toMatch(/SEARCH live_tokens USING INDEX/);
      }
      for (const plan of plansOf(storage.sql, (store) => store.prune(1, 1))) {
        expect(plan).toMatch(/USING (COVERING )?INDEX live_tokens_exp/);
      }
      // A rule that names nothing has to look at every token.
      for (const plan of plansOf(storage.sql, (store) => store.count({}, 1, 1))) {
        expect(plan).toMatch(/SCAN live_tokens/);
      }
    });
  });
});

/** How SQLite answers each statement on live tokens that the store makes. */
function plansOf(sql: SqlStorage, work: (store: LiveTokenStore) => unknown): string[] {
  const plans: string[] = [];
  const watched = {
    exec: (query: string, ...bindings: (string | number)[]) => {
      if (/ live_tokens\b/.test(query)) {
        const steps = sql.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`, ...bindings).toArray();
        plans.push(steps.map(({ detail }) => detail).join("\n"));
      }
      return sql.exec(query, ...bindings);
    },
  };
  work(new LiveTokenStore(watched as unknown as SqlStorage));
  return plans;
}

async function held(stub: DurableObjectStub): Promise<string[]> {
  return runInDurableObject(stub, (_object, { storage }) =>
    storage.sql
      .exec<{ jti: string }>("SELECT jti FROM live_tokens")
      .toArray()
      .map(({ jti }) => jti),
  );
}

describe("what is under way, for the metrics", () => {
  it("is counted by state, and what is over is not", async () => {
    const directory = newDirectory();
    const at = now();
    const grants = {
      scheduled: [at + 100, at + 200, null],
      active: [at - 100, at + 200, null],
      active_too: [at - 100, at + 300, null],
      revoked: [at - 100, at + 200, "revoked"],
      used_up: [at - 100, at + 200, "used_up"],
      over: [at - 200, at - 100, null],
      revoked_and_over: [at - 200, at - 100, "revoked"],
    } as const;
    await runInDurableObject(directory.stub, (_instance, { storage: { sql } }) => {
      const put = (id: string, decided: string, deadline: number, grant: readonly unknown[]) =>
        sql.exec(
          `INSERT INTO access_requests (id, version, requester, resource, rule_id, decided, review_deadline,
             access_start, access_expiry, ended, unreviewed_emergency, body)
           VALUES (?, 1, 'a', 'r', 'rule', ?, ?, ?, ?, ?, 0, '{}')`,
          ...([id, decided, deadline, ...grant] as SqlStorageValue[]),
        );
      for (const [id, grant] of Object.entries(grants)) put(id, "approved", at - 1, grant);
      put("waits", "pending", at + 100, [null, null, null]);
      put("waited", "pending", at - 100, [null, null, null]);
    });
    expect(expectValue(await directory.sweep()).gauges).toEqual({
      portcullis_access_requests_pending: 1,
      'portcullis_grants{state="scheduled"}': 1,
      'portcullis_grants{state="active"}': 2,
      'portcullis_grants{state="revoked"}': 1,
      'portcullis_grants{state="used_up"}': 1,
    });
  });

  it("is found by an index, however much is over", async () => {
    const directory = newDirectory();
    const plans = await runInDurableObject(directory.stub, (_instance, { storage: { sql } }) =>
      ["access_expiry > 1", "decided = 'pending' AND review_deadline > 1"].map((where) =>
        sql.exec(`EXPLAIN QUERY PLAN SELECT COUNT(*) FROM access_requests WHERE ${where}`).toArray(),
      ),
    );
    for (const plan of plans)
      expect(JSON.stringify(plan)).toMatch(/USING (?:COVERING )?INDEX access_requests_/);
  });
});

describe("what the key ring tells the directory", () => {
  const keyring = remote<KeyringObject>(env.KEYRING.getByName("main"));
  const directory = remote<DirectoryObject>(env.DIRECTORY.getByName("main"));
  let made = 0;
  const mint = async (subject: string) =>
    expectValue(
      await keyring.mint({
        jti: `tok_k${made++}`,
        subject,
        audience: "urn:origin",
        clientId: "cli_1",
        scopes: ["orders:read"],
        ttlSeconds: 300,
      }),
    );
  const counted = async (subject: string) =>
    expectValue(await directory.countLive({ sub: subject })).would_cut.tokens;

  it("is every token that was minted before a flush, also many at the same time", async () => {
    await Promise.all(Array.from({ length: 50 }, () => mint("demo|many")));
    expectValue(await keyring.flushMinted());
    expect(await counted("demo|many")).toBe(50);
    const { jti, expiresAt: exp } = await mint("demo|one");
    expectValue(await keyring.flushMinted());
    const { sample } = expectValue(await directory.countLive({ sub: "demo|one" }));
    expect(sample).toEqual([{ jti, sub: "demo|one", client_id: "cli_1", exp }]);
  });

  it("comes by itself without a flush, within seconds, and leaves nothing behind", async () => {
    await mint("demo|later");
    await vi.waitFor(async () => expect(await counted("demo|later")).toBe(1), { timeout: 5_000 });
    await mint("demo|later");
    await vi.waitFor(async () => expect(await counted("demo|later")).toBe(2), { timeout: 5_000 });
    const left = await runInDurableObject(env.KEYRING.getByName("main"), (_object, { storage }) =>
      storage.sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM minted").one(),
    );
    expect(left.n).toBe(0);
  });

  it("is not lost where the object is evicted between the mint and the hand-over", async () => {
    await mint("demo|evicted");
    await evictDurableObject(env.KEYRING.getByName("main"));
    expectValue(await keyring.flushMinted());
    expect(await counted("demo|evicted")).toBe(1);
  });
});
