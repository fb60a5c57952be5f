import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { issuerSchema } from "../../../src/policy/issuer-schema.ts";
import {
  COOLDOWN_MS,
  FETCH_TIMEOUT_MS,
  MAX_JWKS_BYTES,
  MAX_KEYS_AGE_MS,
  REFRESH_AFTER_MS,
  RETRY_AFTER_MS,
  RemoteKeys,
} from "../../../src/tokens/remote-keys.ts";
import { newKey, type TestKey } from "../../support/token-factory.ts";

type Answer = (url: string, init: RequestInit) => Response | Promise<Response>;

let first: TestKey;
let second: TestKey;
let nowMs: number;
let fetches: { url: string; init: RequestInit }[];
let answer: Answer;
let logged: string[];
let sleepAdvances: boolean;
let remote: RemoteKeys;

beforeAll(async () => {
  [first, second] = await Promise.all([newKey("ES256", "k1"), newKey("ES256", "k2")]);
});

beforeEach(() => {
  nowMs = 1_800_000_000_000;
  fetches = [];
  logged = [];
  sleepAdvances = true;
  answer = () => keySet(first);
  remote = new RemoteKeys({
    fetch: async (url, init) => {
      fetches.push({ url, init });
      return answer(url, init);
    },
    clock: () => nowMs,
    log: (_level, event, fields) => logged.push(`${event} ${fields?.fault}`),
    sleep: async (ms) => {
      if (sleepAdvances) nowMs += ms;
      await new Promise((resolve) => setTimeout(resolve, 0));
    },
  });
});

function keySet(...keys: TestKey[]): Response {
  return Response.json({ keys: keys.map((key) => key.jwk) });
}

const issuer = issuerSchema.parse({
  id: "demo",
  issuer: "https://idp.example.net",
  jwks_uri: "https://idp.example.net/jwks",
  algorithms: ["ES256"],
  audience: "portcullis",
});

async function find(kid: string | undefined, of = issuer, waitUntil?: (work: Promise<unknown>) => void) {
  const found = await remote.find(of, kid, "ES256", waitUntil);
  return found.ok ? found.value.kid : found.error;
}

describe("keys of a trusted issuer at an address", () => {
  it("are fetched once, without following redirects, and then found in memory", async () => {
    expect(await find("k1")).toBe("k1");
    nowMs += REFRESH_AFTER_MS;
    expect(await find("k1")).toBe("k1");
    expect(fetches).toHaveLength(1);
    expect(fetches[0]?.url).toBe("https://idp.example.net/jwks");
    expect(fetches[0]?.init).toMatchObject({ redirect: "manual" });
    expect(fetches[0]?.init.headers).not.toHaveProperty("authorization");
  });

  it("cost one fetch for a thousand unknown kids, one after the other or at once", async () => {
    expect(await find("k1")).toBe("k1");
    for (let i = 0; i < 500; i++) {
      nowMs += 20;
      expect(await find(`junk-${i}`)).toBe("unknown_key");
    }
    const junk = Array.from({ length: 500 }, (_, i) => find(`more-junk-${i}`));
    expect(new Set(await Promise.all(junk))).toEqual(new Set(["unknown_key"]));
    expect(fetches).toHaveLength(1);
  });

  it("cost one fetch for many requests in a cold isolate, all of which get their key", async () => {
    // A hundred waiters share one clock: none of their naps may count for the others.
    sleepAdvances = false;
    answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return keySet(first);
    };
    const found = await Promise.all(Array.from({ length: 100 }, () => find("k1")));
    expect(new Set(found)).toEqual(new Set(["k1"]));
    expect(fetches).toHaveLength(1);
  });

  it("are asked for again for an unknown kid once the cooldown is over", async () => {
    expect(await find("k2")).toBe("unknown_key");
    answer = () => keySet(first, second);
    nowMs += COOLDOWN_MS - 1;
    expect(await find("k2")).toBe("unknown_key");
    nowMs += 1;
    expect(await find("k2")).toBe("k2");
    expect(fetches).toHaveLength(2);
  });

  it("are taken over from a request that was cancelled while it fetched", async () => {
    let fetching = 0;
    answer = () => (fetching++ === 0 ? new Promise<Response>(() => {}) : keySet(first));
    void find("k1");
    await Promise.resolve();
    expect(await find("k1")).toBe("k1");
    expect(fetches).toHaveLength(2);
    expect(nowMs - 1_800_000_000_000).toBeGreaterThan(FETCH_TIMEOUT_MS);
  });

  it("are not overwritten by an answer that comes in late", async () => {
    let late = (_response: Response) => {};
    answer = () =>
      fetches.length === 1 ? new Promise<Response>((resolve) => (late = resolve)) : keySet(second);
    const stuck = find("k1");
    await Promise.resolve();
    expect(await find("k2")).toBe("k2");
    late(keySet(first));
    expect(await stuck).toBe("unknown_key");
    expect(await find("k2")).toBe("k2");
  });

  it("verify for an hour without an answer, then not at all, and again once there is one", async () => {
    expect(await find("k1")).toBe("k1");
    answer = () => new Response("down", { status: 500 });
    nowMs += MAX_KEYS_AGE_MS;
    expect(await find("k1")).toBe("k1");
    nowMs += 1;
    expect(await find("k1")).toBe("issuer_keys_unavailable");
    expect(fetches).toHaveLength(2);
    answer = () => keySet(first);
    expect(await find("k1")).toBe("issuer_keys_unavailable");
    nowMs += RETRY_AFTER_MS;
    expect(await find("k1")).toBe("k1");
    expect(fetches).toHaveLength(3);
  });

  it("stop verifying when the issuer takes them out", async () => {
    expect(await find("k1")).toBe("k1");
    answer = () => keySet(second);
    nowMs += REFRESH_AFTER_MS + 1;
    expect(await find("k1")).toBe("unknown_key");
    expect(await find("k2")).toBe("k2");
  });

  it("are renewed behind a request that can be answered without", async () => {
    expect(await find("k1")).toBe("k1");
    answer = () => keySet(second);
    nowMs += REFRESH_AFTER_MS + 1;
    const behind: Promise<unknown>[] = [];
    const waitUntil = (work: Promise<unknown>) => void behind.push(work);
    expect(await find("k1", issuer, waitUntil)).toBe("k1");
    expect(await find("k1", issuer, waitUntil)).toBe("k1");
    await Promise.all(behind);
    expect(behind).toHaveLength(1);
    expect(await find("k1", issuer, waitUntil)).toBe("unknown_key");
  });

  it("stay the same objects when they did not change, so that verified tokens stay verified", async () => {
    const before = await remote.find(issuer, "k1", "ES256");
    if (!before.ok) throw new Error("not found");
    expect(remote.holds(issuer, before.value.key)).toBe(true);
    nowMs += REFRESH_AFTER_MS + 1;
    expect(remote.holds(issuer, before.value.key)).toBe(false);
    answer = () => keySet(second, first);
    expect(await find("k2")).toBe("k2");
    expect(remote.holds(issuer, before.value.key)).toBe(true);
    answer = () => keySet(second);
    nowMs += REFRESH_AFTER_MS + 1;
    expect(await find("k2")).toBe("k2");
    expect(remote.holds(issuer, before.value.key)).toBe(false);
  });

  it("do not stay good for an algorithm that the issuer names no more", async () => {
    const { alg: _any, ...unnamed } = first.jwk;
    answer = () => Response.json({ keys: [unnamed] });
    const found = await remote.find(issuer, "k1", "ES256");
    const key = found.ok ? found.value.key : expect.unreachable();
    expect(remote.holds(issuer, key)).toBe(true);
    answer = () => Response.json({ keys: [{ ...unnamed, alg: "ES384" }] });
    nowMs += REFRESH_AFTER_MS + 1;
    expect(await find("k1")).toBe("unknown_key");
    expect(remote.holds(issuer, key)).toBe(false);
  });

  it("are kept apart by issuer and address", async () => {
    const other = { ...issuer, id: "other", jwks_uri: "https://other.example.net/jwks" };
    answer = (url) => keySet(url.includes("other") ? second : first);
    expect(await find("k1")).toBe("k1");
    expect(await find("k2", other)).toBe("k2");
    expect(await find("k1", other)).toBe("unknown_key");
    const moved = { ...issuer, jwks_uri: "https://idp.example.net/new" };
    answer = () => keySet(second);
    expect(await find("k1", moved)).toBe("unknown_key");
    expect(await find("k1")).toBe("k1");
    const ofFirst = await remote.find(issuer, "k1", "ES256");
    expect(ofFirst.ok && remote.holds(other, ofFirst.value.key)).toBe(false);
  });

  const text =
    (body: string, init?: ResponseInit): Answer =>
    () =>
      new Response(body, init);
  it.each<[string, Answer]>([
    ["a redirect", text("", { status: 302, headers: { location: "https://evil.example/jwks" } })],
    ["an error with a good body", () => Response.json({ keys: [first.jwk] }, { status: 500 })],
    ["a part with a good body", () => Response.json({ keys: [first.jwk] }, { status: 206 })],
    ["no content", () => new Response(null, { status: 204 })],
    ["an empty body", text("")],
    ["HTML", text("<!doctype html><p>Sign in</p>", { headers: { "content-type": "text/html" } })],
    ["an empty object", text("{}")],
    ["a list", text("[]")],
    ["null", text("null")],
    ["keys that are no list", text('{"keys":{}}')],
    ["keys twice", text('{"keys":[],"keys":[]}')],
    ["bytes that are not UTF-8", () => new Response(new Uint8Array([0x7b, 0xff, 0x7d]))],
    ["33 keys", () => Response.json({ keys: Array.from({ length: 33 }, () => first.jwk) })],
    ["a failing connection", () => Promise.reject(new TypeError("connection refused"))],
  ])("are not taken from %s", async (_name, bad) => {
    answer = bad;
    expect(await find("k1")).toBe("issuer_keys_unavailable");
    expect(logged).toHaveLength(1);
    answer = () => keySet(first);
    nowMs += RETRY_AFTER_MS;
    expect(await find("k1")).toBe("k1");
  });

  it("are cut off at 64 KiB while they are read, and taken just below", async () => {
    const chunk = new Uint8Array(1024).fill(0x20);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length;
        controller.enqueue(chunk);
      },
    });
    answer = () => new Response(endless);
    expect(await find("k1")).toBe("issuer_keys_unavailable");
    expect(sent).toBeLessThan(MAX_JWKS_BYTES + 8 * chunk.length);
    expect(logged[0]).toContain("over 65536 bytes");
    const json = JSON.stringify({ keys: [first.jwk] });
    answer = () => new Response(json.padEnd(MAX_JWKS_BYTES, " "));
    nowMs += RETRY_AFTER_MS;
    expect(await find("k1")).toBe("k1");
  });

  it("come with the limit of time on the whole fetch", async () => {
    await find("k1");
    const { signal } = fetches[0]?.init ?? {};
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(signal?.aborted).toBe(false);
  });
});
