import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createLocalJWKSet, createRemoteJWKSet, customFetch, decodeProtectedHeader, jwtVerify } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { policySchema } from "../../src/policy/document.ts";
import type { RegistryObject } from "../../src/registry/registry-object.ts";
import type { LogObject } from "../../src/replication/log-object.ts";
import type { MintInput } from "../../src/tokens/access-token.ts";
import type { KeyringObject } from "../../src/tokens/keyring-object.ts";
import type { EndpointObject } from "../../src/webhooks/endpoint-object.ts";
import { expectValue, remote } from "../support/remote.ts";

let count = 0;
const newKeyring = () => {
  const stub = env.KEYRING.getByName(`keyring-${count++}`);
  return Object.assign(remote<KeyringObject>(stub), { stub });
};
type Keyring = ReturnType<typeof newKeyring>;

const DAY = 86_400;
const log = remote<LogObject>(env.LOG.getByName("main"));

const statesOf = async (keyring: Keyring) =>
  expectValue(await keyring.keys())
    .filter(({ purpose }) => purpose === "access_token")
    .map(({ state }) => state);
const keyIn = async (keyring: Keyring, state: string, purpose = "access_token") =>
  expectValue(await keyring.keys()).find((key) => key.state === state && key.purpose === purpose);
const loggedKids = async () => expectValue(await log.snapshot()).keys.map(({ kid }) => kid);
const kidOf = (token: string) => decodeProtectedHeader(token).kid as string;
const mintedBy = async (keyring: Keyring, more: Partial<MintInput> = {}) =>
  expectValue(await keyring.mint({ ...input, jti: `tok_${count++}`, ...more })).accessToken;

/** Puts a policy whose section `keys` says this. */
async function keyPolicy(keys: object): Promise<void> {
  const registry = remote<RegistryObject>(env.REGISTRY.getByName("main"));
  const { version } = expectValue(await registry.activePolicy());
  const change = { id: `log_policy_${count++}`, if_match: version, actor: "operator" };
  expectValue(await registry.putPolicy({ ...change, document: policySchema.parse({ keys }) }));
}

const input: MintInput = {
  jti: "tok_1",
  subject: "demo|alice",
  audience: "urn:origin",
  clientId: "cli_1",
  scopes: ["orders:read"],
  ttlSeconds: 300,
};

describe("the key ring", () => {
  it("makes its key on first use, once, however many ask at the same time", async () => {
    const keyring = newKeyring();
    expect(expectValue(await keyring.keys())).toEqual([]);
    const minted = await Promise.all(
      Array.from({ length: 20 }, (_, i) => keyring.mint({ ...input, jti: `tok_${i}` })),
    );
    const kids = new Set(minted.map((result) => decodeProtectedHeader(expectValue(result).accessToken).kid));
    expect(kids.size).toBe(1);
    expect(expectValue(await keyring.keys())).toHaveLength(1);
  });

  it("signs RFC 9068 access tokens that its JWKS verifies, and keeps signing with the key after eviction", async () => {
    const keyring = newKeyring();
    const before = expectValue(await keyring.mint(input)).accessToken;
    await evictDurableObject(keyring.stub);
    const after = expectValue(await keyring.mint(input)).accessToken;
    const jwks = createLocalJWKSet(expectValue(await keyring.jwks()));
    for (const token of [before, after]) {
      const { payload, protectedHeader } = await jwtVerify(token, jwks, {
        issuer: env.ISSUER,
        audience: "urn:origin",
        typ: "at+jwt",
        algorithms: ["ES256"],
      });
      expect(payload).toMatchObject({
        sub: "demo|alice",
        client_id: "cli_1",
        scope: "orders:read",
        jti: "tok_1",
      });
      expect(protectedHeader.kid).toBe(decodeProtectedHeader(before).kid);
    }
  });

  it("has told the log of a key before it signs with it", async () => {
    const keyring = newKeyring();
    const { kid } = decodeProtectedHeader(expectValue(await keyring.mint(input)).accessToken);
    const snapshot = expectValue(await remote<LogObject>(env.LOG.getByName("main")).snapshot());
    expect(snapshot.keys).toContainEqual(expect.objectContaining({ kid, purpose: "access_token" }));
  });

  it("stores private keys wrapped: nothing in its storage or in KV is a private JWK", async () => {
    const keyring = newKeyring();
    await keyring.mint(input);
    await keyring.assertionKey();
    const rows = await runInDurableObject(keyring.stub, (_instance, state) =>
      JSON.stringify(state.storage.sql.exec("SELECT * FROM signing_keys").toArray()),
    );
    expect(rows).toContain("v1.");
    expect(rows).not.toMatch(/"d\\*":/);
    expect((await env.KV.get("snapshot")) ?? "").not.toMatch(/"d":/);
  });

  it("has another key for assertions", async () => {
    const keyring = newKeyring();
    const { kid } = decodeProtectedHeader(expectValue(await keyring.mint(input)).accessToken);
    expect(expectValue(await keyring.assertionKey()).kid).not.toBe(kid);
    expect(expectValue(await keyring.jwks()).keys).toHaveLength(2);
  });

  it("mints within a grant's window only, and never past its end", async () => {
    const keyring = newKeyring();
    const now = Math.floor(Date.now() / 1000);
    const grant = (from: number, to: number) => ({
      id: "grt_1",
      accessStart: now + from,
      accessExpiry: now + to,
      resource: "orders",
    });
    const inside = expectValue(await keyring.mint({ ...input, grant: grant(-10, 30) }));
    expect(inside.expiresAt).toBe(now + 30);
    expect(await keyring.mint({ ...input, grant: grant(10, 30) })).toMatchObject({
      error: { code: "conflict" },
    });
    expect(await keyring.mint({ ...input, grant: grant(-10, 0) })).toMatchObject({ error: { code: "gone" } });
  });

  it("keeps an ordinary grant's token under 1 KiB", async () => {
    const now = Math.floor(Date.now() / 1000);
    const grant = {
      id: "grt_01hf7yat00abcdefghjkmnpqrs",
      accessStart: now,
      accessExpiry: now + 600,
      resource: "projects/42",
    };
    const minted = expectValue(
      await newKeyring().mint({ ...input, jti: "tok_01hf7yat00abcdefghjkmnpqrs", grant }),
    );
    expect(minted.accessToken.length).toBeLessThan(1024);
  });
});

describe("the life of a key", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  });

  afterEach(async () => {
    vi.useRealTimers();
    await keyPolicy({});
  });

  const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

  it("is next, a day ahead, then current, then previous until its last token is over, then retired", async () => {
    const keyring = newKeyring();
    const first = kidOf(await mintedBy(keyring));
    pass(28 * DAY);
    expect(await runDurableObjectAlarm(keyring.stub)).toBe(true);
    expect(await statesOf(keyring)).toEqual(["current"]);

    pass(DAY);
    await runDurableObjectAlarm(keyring.stub);
    const next = await keyIn(keyring, "next");
    expect(next).toMatchObject({ published_at: expect.any(Number), signs_from: expect.any(Number) });
    expect(next!.signs_from! - next!.published_at!).toBeGreaterThanOrEqual(DAY);
    expect(await loggedKids()).toContain(next!.kid);
    expect(kidOf(await mintedBy(keyring))).toBe(first);

    pass(DAY - 10);
    const last = await mintedBy(keyring, { ttlSeconds: 3 * DAY });
    expect(kidOf(last)).toBe(first);
    pass(3_700);
    await runDurableObjectAlarm(keyring.stub);
    expect(kidOf(await mintedBy(keyring))).toBe(next!.kid);
    expect(await keyIn(keyring, "previous")).toMatchObject({ kid: first });

    const verifies = async () => {
      const jwks = createLocalJWKSet(expectValue(await keyring.jwks()));
      return jwtVerify(last, jwks, { currentDate: new Date() }).then(
        () => true,
        (fault: Error) => fault.message,
      );
    };
    pass(3 * DAY - 3_800);
    await runDurableObjectAlarm(keyring.stub);
    expect(await verifies()).toBe(true);
    pass(200);
    await runDurableObjectAlarm(keyring.stub);
    expect(await keyIn(keyring, "retired")).toMatchObject({ kid: first });
    expect(await verifies()).toMatch(/no applicable key/);
    expect(await loggedKids()).not.toContain(first);
  });

  it("destroys the private half of a key that signs no more", async () => {
    const keyring = newKeyring();
    const first = kidOf(await mintedBy(keyring));
    pass(29 * DAY);
    await runDurableObjectAlarm(keyring.stub);
    pass(DAY + 3_600);
    await mintedBy(keyring);
    const wrapped = await runInDurableObject(keyring.stub, (_instance, state) =>
      state.storage.sql
        .exec<{ kid: string }>("SELECT kid FROM signing_keys WHERE private_sealed IS NOT NULL")
        .toArray()
        .map(({ kid }) => kid),
    );
    expect(wrapped).not.toContain(first);
    expect(wrapped).toContain((await keyIn(keyring, "current"))!.kid);
  });

  it("never fails verifiers that ask for the JWK set once in 24 hours, whenever each of them asks", {
    timeout: 20_000,
  }, async () => {
    const keyring = newKeyring();
    const asked: number[] = [];
    const verifier = (_: unknown, which: number) =>
      createRemoteJWKSet(new URL("https://auth.example.com/.well-known/jwks.json"), {
        cacheMaxAge: DAY * 1000,
        // Not even a key that it does not know makes it ask again.
        cooldownDuration: Number.POSITIVE_INFINITY,
        [customFetch]: async () => {
          asked[which] = (asked[which] ?? 0) + 1;
          return Response.json(expectValue(await keyring.jwks()));
        },
      });
    const verifiers = Array.from({ length: 12 }, verifier);
    const kids = new Set([kidOf(await mintedBy(keyring))]);
    pass(28 * DAY);
    for (let hour = 0; hour < 62; hour++) {
      const token = await mintedBy(keyring, { ttlSeconds: 2 * 3_600 });
      kids.add(kidOf(token));
      pass(3_600);
      await runDurableObjectAlarm(keyring.stub);
      // One more of them begins every second hour.
      for (const jwks of verifiers.slice(0, 1 + hour / 2)) {
        await jwtVerify(token, jwks, { algorithms: ["ES256"], currentDate: new Date() });
      }
    }
    expect(kids.size).toBe(2);
    expect(Math.max(...asked)).toBe(3);
  });

  it("goes on where the alarm was lost: whoever asks for a token, or the cron, makes up for it", async () => {
    for (const how of ["mint", "cron"]) {
      const keyring = newKeyring();
      const first = kidOf(await mintedBy(keyring));
      await runInDurableObject(keyring.stub, (_instance, state) => state.storage.deleteAlarm());
      const wake = () => (how === "mint" ? mintedBy(keyring) : keyring.sweep());
      pass(29 * DAY);
      await wake();
      await runInDurableObject(keyring.stub, (_instance, state) => state.storage.deleteAlarm());
      pass(DAY + 3_600);
      await wake();
      expect((await keyIn(keyring, "previous"))?.kid, how).toBe(first);
    }
  });

  it("tells where a rotation was missed, and issues nothing more after the grace, but lets tokens verify", async () => {
    const keyring = newKeyring();
    // An address that may not be called: no request leaves, and the delivery is kept.
    const record = {
      ...{ id: "whe_keys", url: "http://127.0.0.1/", events: ["key.*" as const], secrets_sealed: [] },
      ...{ enabled: true, created_at: 0, revision: 1 },
    };
    expectValue(await remote<RegistryObject>(env.REGISTRY.getByName("main")).createEndpoint(record));
    const endpoint = remote<EndpointObject>(env.ENDPOINT.getByName(record.id));
    const token = await mintedBy(keyring, { ttlSeconds: 60 * DAY });
    await keyring.assertionKey();
    pass(29 * DAY);
    await mintedBy(keyring);
    // The next keys never became known to anybody.
    await runInDurableObject(keyring.stub, (_instance, state) => {
      state.storage.sql.exec("UPDATE signing_keys SET published_at = NULL WHERE signs_from IS NULL");
    });
    pass(DAY + 59);
    const due = expectValue(await keyring.ready());
    expect(due.overdue).toEqual([]);
    pass(3_600);
    const [overdue] = expectValue(await keyring.ready()).overdue;
    expect(overdue).toMatchObject({ purpose: "access_token" });
    expect(overdue!.issuing_stops_at).toBe(overdue!.due_at + 7 * DAY + 60);

    const swept = expectValue(await keyring.sweep());
    expect(swept.gauges?.portcullis_key_rotation_overdue_seconds).toBeGreaterThan(3_000);
    await keyring.sweep();
    const told = async () =>
      expectValue(await endpoint.deliveries({ limit: 50 })).items.map(({ event_type }) => event_type);
    await expect.poll(told).toHaveLength(2);
    expect(await told()).toEqual(["key.rotation_overdue", "key.rotation_overdue"]);

    await mintedBy(keyring);
    vi.setSystemTime(overdue!.issuing_stops_at * 1000 - 1_000);
    await mintedBy(keyring);
    vi.setSystemTime(overdue!.issuing_stops_at * 1000);
    expect(await keyring.mint(input)).toMatchObject({ error: { code: "unavailable" } });
    expect(await keyring.ready()).toMatchObject({ error: { code: "unavailable" } });
    const jwks = createLocalJWKSet(expectValue(await keyring.jwks()));
    await jwtVerify(token, jwks, { currentDate: new Date() });
  });

  it("goes on at once in a deployment that slept for months, with new keys", async () => {
    const keyring = newKeyring();
    const first = kidOf(await mintedBy(keyring));
    const assertion = expectValue(await keyring.assertionKey()).kid;
    pass(100 * DAY);
    expect(kidOf(await mintedBy(keyring))).not.toBe(first);
    expect(expectValue(await keyring.assertionKey()).kid).not.toBe(assertion);
    expect(expectValue(await keyring.ready()).overdue).toEqual([]);
    pass(1_000);
    await runDurableObjectAlarm(keyring.stub);
    expect(await loggedKids()).not.toContain(first);
  });

  it("takes algorithm and periods from the policy, for the keys that are made from then on", async () => {
    for (const algorithm of ["EdDSA", "RS256"]) {
      const keyring = newKeyring();
      expect((await keyIn(keyring, "current")) ?? "none").toBe("none");
      await keyPolicy({ algorithm, rotation_seconds: 4 * DAY });
      const token = await mintedBy(keyring);
      expect(decodeProtectedHeader(token).alg).toBe(algorithm);
      const jwks = createLocalJWKSet(expectValue(await keyring.jwks()));
      await jwtVerify(token, jwks, { algorithms: [algorithm], currentDate: new Date() });
      expectValue(await keyring.assertionKey());
      pass(3 * DAY);
      await runDurableObjectAlarm(keyring.stub);
      pass(DAY + 10);
      await runDurableObjectAlarm(keyring.stub);
      expect(kidOf(await mintedBy(keyring))).not.toBe(kidOf(token));
    }
  });
});

describe("a planned rotation", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  });
  afterEach(() => void vi.useRealTimers());

  it("publishes the next keys and says when they sign; once that is over, it takes place at once", async () => {
    const keyring = newKeyring();
    const first = kidOf(await mintedBy(keyring));
    const asked = expectValue(await keyring.rotate("rot_1"));
    expect(asked.rotated).toEqual([]);
    expect(asked.scheduled.map(({ purpose }) => purpose)).toEqual(["access_token", "assertion"]);
    expect(asked.scheduled[0]!.signs_from).toBeGreaterThanOrEqual(Date.now() / 1000 + DAY - 1);
    expect(kidOf(await mintedBy(keyring))).toBe(first);
    expect(expectValue(await keyring.rotate("rot_1"))).toEqual(asked);

    vi.setSystemTime(asked.scheduled[0]!.signs_from! * 1000);
    expect(kidOf(await mintedBy(keyring))).toBe(asked.scheduled[0]!.kid);

    // A next key that is there for long enough need not wait for its time.
    vi.setSystemTime(Date.now() + (29 * DAY - 3_590) * 1000);
    await mintedBy(keyring);
    vi.setSystemTime(Date.now() + (DAY + 60) * 1000);
    const next = await keyIn(keyring, "next");
    expect(next).toBeDefined();
    const now = expectValue(await keyring.rotate("rot_2"));
    expect(now.rotated).toContainEqual({
      purpose: "access_token",
      kid: next!.kid,
      replaced_kid: asked.scheduled[0]!.kid,
    });
  });
});

describe("a compromised key", () => {
  const why = { actor: "demo|olivia", reason: "it was in a crash dump" };

  it("is replaced and denied by one entry of the log; the other keys stay", async () => {
    const keyring = newKeyring();
    const kid = kidOf(await mintedBy(keyring));
    const assertion = expectValue(await keyring.assertionKey()).kid;
    const before = expectValue(await log.snapshot()).seq;
    const replaced = expectValue(await keyring.replaceKey({ id: "rev_leak_1", kid, ...why }));
    expect(replaced).toMatchObject({
      compromised_kid: kid,
      receipt: { id: expect.any(String), seq: before + 1 },
    });
    const { entries } = expectValue(await log.since(before)) as { entries: { entry: object }[] };
    expect(entries).toMatchObject([
      { entry: { kind: "keys.changed", rule: { id: "rev_leak_1", match: { kid }, emergency: true } } },
    ]);
    const kids = await loggedKids();
    expect(kids).toContain(replaced.kid);
    expect(kids).toContain(assertion);
    expect(kids).not.toContain(kid);
    expect(expectValue(await keyring.jwks()).keys.map((key) => key.kid)).toEqual(
      expect.arrayContaining([assertion, replaced.kid]),
    );
    expect(kidOf(await mintedBy(keyring))).toBe(replaced.kid);
    expect(expectValue(await log.revocation("rev_leak_1"))).toMatchObject({
      state: "in_force",
      actor: why.actor,
    });
    await expect.poll(() => env.KV.get(`deny:kid:${kid}`)).toContain("rev_leak_1");
  });

  it("is replaced though the log does not answer: nothing is signed meanwhile, and it is in force without another call", {
    timeout: 30_000,
  }, async () => {
    const keyring = newKeyring();
    const kid = kidOf(await mintedBy(keyring));
    const down = async () => ({ ok: false, error: { code: "unavailable", detail: "down" } });
    const LOG = { getByName: () => ({ append: down }) } as unknown as Env["LOG"];
    const cut = await runInDurableObject(keyring.stub, async (instance, state) => {
      const Class = instance.constructor as typeof KeyringObject;
      const object = new Class(state, { ...env, LOG });
      return [await object.replaceKey({ id: "rev_cut", kid, ...why }), await object.mint(input)];
    });
    expect(cut).toMatchObject([{ error: { code: "unavailable" } }, { error: { code: "unavailable" } }]);
    await evictDurableObject(keyring.stub);
    await expect.poll(loggedKids, { timeout: 20_000 }).not.toContain(kid);
    expect(expectValue(await log.revocation("rev_cut"))).toMatchObject({ state: "in_force" });
    expect(await loggedKids()).toContain(kidOf(await mintedBy(keyring)));
    const again = expectValue(await keyring.replaceKey({ id: "rev_other", kid, ...why }));
    expect(again.receipt.id).toBe("rev_cut");
  });

  it("is replaced once, however often it is told, also after an eviction, and nothing else is", async () => {
    const keyring = newKeyring();
    const kid = kidOf(await mintedBy(keyring));
    const told = await Promise.all(
      ["rev_a", "rev_b", "rev_c"].map((id) => keyring.replaceKey({ id, kid, ...why })),
    );
    const [first] = told.map(expectValue);
    for (const each of told) expect(expectValue(each)).toEqual(first);
    await evictDurableObject(keyring.stub);
    expect(expectValue(await keyring.replaceKey({ id: "rev_d", kid, ...why }))).toEqual(first);
    expect(await statesOf(keyring)).toEqual(expect.arrayContaining(["compromised", "current"]));
    expect(await statesOf(keyring)).toHaveLength(2);
    expect(await keyring.replaceKey({ id: "rev_e", kid: "no-such-key", ...why })).toMatchObject({
      error: { code: "not_found" },
    });
  });
});

describe("the change of PORTCULLIS_SECRET", () => {
  const OTHER = "YW5vdGhlci1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3Rz";

  /** The object as it starts with other secrets. */
  const startedWith = <T>(keyring: Keyring, secrets: object, use: (object: KeyringObject) => Promise<T>) =>
    runInDurableObject(keyring.stub, (instance, state) => {
      const Class = instance.constructor as typeof KeyringObject;
      return use(new Class(state, { ...env, ...secrets }));
    });

  it("keeps every key: what the previous one wrapped is opened, and wrapped anew by the cron", async () => {
    const keyring = newKeyring();
    const kid = kidOf(await mintedBy(keyring));
    await keyring.assertionKey();
    const both = { PORTCULLIS_SECRET: OTHER, PORTCULLIS_SECRET_PREVIOUS: env.PORTCULLIS_SECRET };
    const alone = { PORTCULLIS_SECRET: OTHER };

    const tooSoon = await startedWith(keyring, alone, (object) => object.mint(input));
    expect(tooSoon).toMatchObject({ error: { code: "misconfigured" } });

    const during = await startedWith(keyring, both, async (object) => {
      const minted = expectValue(await object.mint(input));
      const [first, second] = [await object.sweep(), await object.sweep()];
      return { kid: kidOf(minted.accessToken), swept: [first, second].map(expectValue) };
    });
    expect(during.kid).toBe(kid);
    expect(
      during.swept.map(({ gauges }) => gauges?.['portcullis_previous_secret_values{object="keyring"}']),
    ).toEqual([2, 0]);

    const after = await startedWith(keyring, alone, (object) => object.mint(input));
    expect(kidOf(expectValue(after).accessToken)).toBe(kid);
  });
});
