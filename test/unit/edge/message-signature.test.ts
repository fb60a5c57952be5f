import { createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { AUDIENCE, EdgeWorld, policyOf } from "../../support/edge-world.ts";
import { newKey } from "../../support/token-factory.ts";

const ORIGIN = { url: "https://origin.internal", audience: AUDIENCE, timeout_ms: 200 };
const ROUTES = [
  { path: "/orders/**", access: { scopes: ["orders:read"] } },
  { path: "/public/**", access: "public" },
];

let world: EdgeWorld;

const worldWith = (origin: object) => EdgeWorld.create(policyOf(ROUTES, { origins: { orders: origin } }));

beforeEach(async () => {
  world = await worldWith({ ...ORIGIN, message_signature: true });
});

/** RFC 9421 §2 and §3.2 from the text of the RFC: what an origin would do, with nothing of ours. */
function readSignature(request: Request) {
  const input = /^portcullis=(\((.*?)\);.*)$/.exec(request.headers.get("signature-input") ?? "");
  const signature = /^portcullis=:([A-Za-z0-9+/=]+):$/.exec(request.headers.get("signature") ?? "");
  if (!input || !signature) throw new Error("there is no signature under the label");
  const { host, pathname, search } = new URL(request.url);
  const derived: Record<string, string> = {
    "@method": request.method,
    "@authority": host,
    "@path": pathname,
    "@query": search || "?",
  };
  const names = [...input[2]!.matchAll(/"([^"]+)"/g)].map(([, name]) => name!);
  const lines = names.map((name) => `"${name}": ${derived[name] ?? request.headers.get(name)}`);
  const parameters = Object.fromEntries(
    [...input[1]!.matchAll(/;(\w+)=("[^"]*"|\d+)/g)].map(([, name, value]) => [name, JSON.parse(value!)]),
  );
  const base = [...lines, `"@signature-params": ${input[1]}`].join("\n");
  return { names, parameters, base, signature: Buffer.from(signature[1]!, "base64") };
}

function isGood(request: Request, jwk: object, base = readSignature(request).base): boolean {
  const key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
  const { signature } = readSignature(request);
  const hash = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  return verify(hash, Buffer.from(base), { key, dsaEncoding: "ieee-p1363" }, signature);
}

const received = () => world.originCalls.at(-1)!;

describe("the message signature for an origin", () => {
  it("covers what is asked for and the assertion, by the key of the assertion", async () => {
    const token = await world.token();
    await world.call("/orders/1?x=%2F&y='z'", { token });
    const { names, parameters } = readSignature(received());
    expect(names).toEqual(["@method", "@authority", "@path", "@query", "x-portcullis-assertion"]);
    expect(parameters).toEqual({
      created: world.nowMs / 1000,
      keyid: world.keys.assertion.kid,
      alg: "ecdsa-p256-sha256",
      tag: "portcullis",
    });
    expect(isGood(received(), world.keys.assertion.jwk)).toBe(true);
    expect(isGood(received(), world.keys.own.jwk)).toBe(false);
  });

  it("fits no other method, host, path, query or assertion", async () => {
    await world.call("/orders/1?x=1", { token: await world.token() });
    const { base } = readSignature(received());
    const others = [
      base.replace('"@method": GET', '"@method": PUT'),
      base.replace("origin.internal", "other.internal"),
      base.replace("/orders/1", "/orders/2"),
      base.replace("?x=1", "?x=2"),
      base.replace('"x-portcullis-assertion": ', '"x-portcullis-assertion": a'),
      base.replace(/created=\d+/, "created=1"),
    ];
    expect(new Set(others).size).toBe(6);
    for (const other of others) expect(isGood(received(), world.keys.assertion.jwk, other)).toBe(false);
    expect(isGood(received(), world.keys.assertion.jwk, base)).toBe(true);
  });

  it("is there without an assertion on a public route, and without a query", async () => {
    expect((await world.call("/public/x", { method: "POST", body: "b" })).status).toBe(200);
    const { names, base } = readSignature(received());
    expect(names).toEqual(["@method", "@authority", "@path", "@query"]);
    expect(base).toContain('"@query": ?\n');
    expect(isGood(received(), world.keys.assertion.jwk)).toBe(true);
  });

  it("takes the place of what a client signed with, and is left out where the origin does not ask", async () => {
    const headers = { signature: "sig1=:AAAA:", "signature-input": 'sig1=("@method");created=1' };
    await world.call("/orders/1", { token: await world.token(), headers });
    expect(isGood(received(), world.keys.assertion.jwk)).toBe(true);
    world = await worldWith(ORIGIN);
    await world.call("/orders/1", { token: await world.token() });
    expect([received().headers.get("signature"), received().headers.get("signature-input")]).toEqual([
      null,
      null,
    ]);
    await world.call("/orders/1", { token: await world.token(), headers });
    expect(received().headers.get("signature")).toBe(headers.signature);
  });

  it.each([
    ["EdDSA", "ed25519"],
    ["RS256", "rsa-v1_5-sha256"],
  ] as const)("is made with a key of %s as with one of ES256", async (alg, name) => {
    const key = await newKey(alg, "other-1");
    Object.assign(world.keys, { assertion: key });
    Object.assign(world, {
      assertionKey: async () => ({ ok: true, value: { ...key, key: key.privateKey } }),
    });
    await world.call("/orders/1", { token: await world.token() });
    expect(readSignature(received()).parameters).toMatchObject({ keyid: "other-1", alg: name });
    expect(isGood(received(), key.jwk)).toBe(true);
  });

  it("refuses where nothing can be signed: an origin that wants a signature gets no request without", async () => {
    world.assertionKeyDown = true;
    const answer = await world.call("/public/x");
    expect([answer.status, world.lastReason, world.originCalls]).toEqual([503, "assertion_unavailable", []]);
  });
});
