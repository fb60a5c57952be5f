import { createHash, createPublicKey, type JsonWebKey, randomBytes, verify } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Request as MiniflareRequest, Response as MiniflareResponse } from "miniflare";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { freePort } from "../../src/local/ports.ts";
import { clientToken, type Person } from "../support/deployment.ts";
import { answerOf, bodyText, openRaw, type RawRequest, sendRaw } from "../support/raw-request.ts";
import type { Answering } from "../support/recording-origin.ts";
import { type Stand, standUp } from "../support/stand.ts";
import type { testPolicy } from "../support/test-policy.ts";

const TIMEOUT_MS = 700;
const MEBIBYTE = 1024 * 1024;
const HUGE_HEADERS = `HTTP/1.1 200 OK\r\nX-Huge: ${"a".repeat(MEBIBYTE)}\r\nContent-Length: 0\r\n\r\n`;

let stand: Stand;
let token: string;
let machine: Person;
const serviceAsked: MiniflareRequest[] = [];

async function policyFrom(policy: ReturnType<typeof testPolicy>) {
  const { demo } = policy.origins;
  const nobody = `http://127.0.0.1:${await freePort(22_000)}`;
  const access = { roles: ["machine"] };
  const identity_headers = ["subject", "scope", "grant"];
  return {
    ...policy,
    origins: {
      demo: { ...demo, timeout_ms: TIMEOUT_MS },
      dead: { ...demo, url: nobody, timeout_ms: TIMEOUT_MS },
      signed: { ...demo, timeout_ms: TIMEOUT_MS, message_signature: true },
      beside: { audience: demo.audience, service: "ORDERS", timeout_ms: TIMEOUT_MS },
    },
    routes: [
      ...policy.routes,
      { id: "any", path: "/any/**", origin: "demo", access, identity_headers },
      { id: "pass", path: "/pass/**", origin: "demo", access, authorization: "pass" },
      { id: "signed", path: "/signed/**", origin: "signed", access },
      { id: "beside", path: "/beside/**", origin: "beside", access, identity_headers },
      { id: "dead", path: "/dead/**", origin: "dead", access },
    ],
  };
}

beforeAll(async () => {
  const orders = async (request: MiniflareRequest) => {
    serviceAsked.push(request);
    return new MiniflareResponse(`beside got ${await request.text()}`, { headers: { "x-from": "service" } });
  };
  stand = await standUp(policyFrom, undefined, () => ({ services: { ORDERS: orders } }));
  machine = await stand.gate.newPerson(["machine"], []);
  token = await clientToken(stand.gate.issuer, machine, ORIGIN_AUDIENCE);
});
afterEach(() => stand.origin.answerWith());
afterAll(() => stand?.stop());

function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(`${stand.gate.issuer}${path}`, { redirect: "manual", ...init, headers });
}

/** The same over a raw connection, with the token in front of the other fields. */
function raw({ headers = [], ...rest }: RawRequest): RawRequest {
  return { ...rest, headers: [["Authorization", `Bearer ${token}`], ...headers] };
}

async function problemOf(response: Response) {
  return { status: response.status, body: await response.json() };
}

describe("an origin that fails", () => {
  it("is a 502 where it cannot be reached or hangs up, and nothing of it is told", async () => {
    const refused = await problemOf(await call("/dead/x"));
    expect(refused).toMatchObject({ status: 502, body: { code: "bad_origin" } });
    expect(JSON.stringify(refused.body)).not.toMatch(/ECONN|refused|:22\d\d\d/i);
    stand.origin.answerWith(({ message }) => message.socket.destroy());
    expect(await problemOf(await call("/any/x"))).toMatchObject({
      status: 502,
      body: { code: "bad_origin" },
    });
    stand.origin.answerWith();
    expect((await call("/any/x")).status).toBe(200);
  });

  it("is a 504 within its time limit where it does not answer; a body may take longer", async () => {
    stand.origin.answerWith(() => {});
    const began = Date.now();
    expect(await problemOf(await call("/any/x"))).toMatchObject({
      status: 504,
      body: { code: "origin_timeout" },
    });
    expect(Date.now() - began).toBeGreaterThanOrEqual(TIMEOUT_MS - 20);
    expect(Date.now() - began).toBeLessThan(TIMEOUT_MS + 1_500);

    stand.origin.answerWith(async (_request, response) => {
      response.writeHead(200).write("early ");
      await sleep(TIMEOUT_MS * 1.5);
      response.end("late");
    });
    expect(await (await call("/any/x")).text()).toBe("early late");
  });

  it("is asked once, whatever it does and whatever the method, and its fault tells no secret", async () => {
    const faults: [string, number, Answering][] = [
      ["hangs up at once", 502, ({ message }) => message.socket.destroy()],
      ["answers with what is no HTTP", 502, ({ message }) => message.socket.end("nonsense\r\n\r\n")],
      ["ends within its headers", 502, ({ message }) => message.socket.end("HTTP/1.1 200 OK\r\nX-A: ")],
      ["answers with huge headers", 502, ({ message }) => message.socket.end(HUGE_HEADERS)],
      ["never answers", 504, () => {}],
    ];
    for (const [what, status, answering] of faults) {
      stand.origin.answerWith(answering);
      for (const method of ["GET", "POST"]) {
        const before = stand.origin.received.length;
        const began = Date.now();
        const answer = await problemOf(
          await call("/any/x?secret=1", { method, ...(method === "POST" ? { body: "once" } : {}) }),
        );
        expect(answer.status, `${method} ${what}`).toBe(status);
        expect(Date.now() - began).toBeLessThan(TIMEOUT_MS + 1_500);
        expect(JSON.stringify(answer.body)).not.toMatch(/eyJ|Bearer|secret=1|127\.0\.0\.1:\d{4,5}\/any/);
        expect(stand.origin.received.length - before, `${method} ${what}`).toBe(1);
      }
    }
    stand.origin.answerWith();
    expect((await call("/any/x")).status).toBe(200);
  });

  it("is seen to have failed where it breaks off in the middle of a body", async () => {
    for (const fields of [{}, { "content-length": "1000" }]) {
      stand.origin.answerWith((_request, response) => {
        response.writeHead(200, fields).write("half of it", () => setTimeout(() => response.destroy(), 20));
      });
      const response = await call("/any/x");
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow();
    }
    stand.origin.answerWith((_request, response) => response.writeHead(200).end("all of it"));
    expect(await (await call("/any/x")).text()).toBe("all of it");
  });
});

describe("what is passed through", () => {
  it("streams down: the first byte comes before the last is made", async () => {
    let finish = () => {};
    stand.origin.answerWith((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
      finish = () => response.end("data: last\n\n");
    });
    const response = await call("/any/events");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe("data: first\n\n");
    finish();
    expect((await reader.read()).value).toBe("data: last\n\n");
    expect((await reader.read()).done).toBe(true);
  });

  it("streams up: the origin reads the first byte before the last is sent", async () => {
    const reading = Promise.withResolvers<IncomingMessage>();
    stand.origin.answerWith(({ message }, response) => {
      reading.resolve(message);
      message.on("end", () => response.end("done"));
    });
    const sending = openRaw(stand.gate.issuer, raw({ method: "POST", path: "/any/upload" }));
    const answer = answerOf(sending);
    sending.write("first");
    const atOrigin = (await reading.promise)[Symbol.asyncIterator]();
    expect(String((await atOrigin.next()).value)).toBe("first");
    sending.end("last");
    expect(String((await atOrigin.next()).value)).toBe("last");
    expect((await atOrigin.next()).done).toBe(true);
    expect(await bodyText(await answer)).toBe("done");
  });

  it("carries a large body whole in both directions", async () => {
    const sent = randomBytes(16 * MEBIBYTE);
    stand.origin.answerWith(({ message }, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      message.pipe(response);
    });
    const response = await call("/any/echo", { method: "PUT", body: sent });
    const back = Buffer.from(await response.arrayBuffer());
    expect(digest(back)).toBe(digest(sent));
  });

  it("leaves status, redirects, validators and encodings to client and origin", async () => {
    const { origin } = stand;
    origin.answerWith(({ message }, response) => {
      if (message.headers["if-none-match"] === '"v1"') response.writeHead(304, { etag: '"v1"' }).end();
      else response.writeHead(200, { etag: '"v1"', "content-length": "4" }).end("body");
    });
    const unchanged = await call("/any/x", { headers: { "if-none-match": '"v1"' } });
    expect([unchanged.status, unchanged.headers.get("etag"), await unchanged.text()]).toEqual([
      304,
      '"v1"',
      "",
    ]);
    const head = await call("/any/x", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "4", ""]);
    expect(origin.received.at(-1)!.method).toBe("HEAD");

    origin.answerWith((_request, response) => response.writeHead(204).end());
    const empty = await call("/any/x", { method: "DELETE" });
    expect([empty.status, await empty.text()]).toEqual([204, ""]);

    const before = origin.received.length;
    const elsewhere = "http://127.0.0.1:9/metadata?x=1";
    for (const status of [301, 302, 303, 307, 308]) {
      origin.answerWith((_request, response) => response.writeHead(status, { location: elsewhere }).end());
      const redirect = await call("/any/x");
      expect([redirect.status, redirect.headers.get("location")]).toEqual([status, elsewhere]);
    }
    expect(origin.received.length).toBe(before + 5);

    origin.answerWith((_request, response) => response.writeHead(503, { "retry-after": "7" }).end("not now"));
    const failing = await call("/any/x");
    expect([failing.status, failing.headers.get("retry-after"), await failing.text()]).toEqual([
      503,
      "7",
      "not now",
    ]);

    const zipped = gzipSync("zipped");
    origin.answerWith((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(zipped),
    );
    const encoded = await sendRaw(
      stand.gate.issuer,
      raw({ path: "/any/x", headers: [["Accept-Encoding", "gzip"]] }),
    );
    expect(encoded.headers["content-encoding"]).toBe("gzip");
    expect(
      (await encoded.toArray()).reduce((all, part) => Buffer.concat([all, part]), Buffer.alloc(0)),
    ).toEqual(zipped);
  });

  it("hands ranges and the trace on as they are", async () => {
    const { origin } = stand;
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const range = { range: "bytes=2-4", "if-range": '"v1"', traceparent, tracestate: "vendor=1" };
    origin.answerWith((_request, response) =>
      response.writeHead(206, { "content-range": "bytes 2-4/9", "content-length": "3" }).end("cde"),
    );
    const part = await call("/any/x", { headers: range });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
      206,
      "bytes 2-4/9",
      "cde",
    ]);
    expect(origin.received.at(-1)!.message.headers).toMatchObject(range);
    origin.answerWith((_request, response) =>
      response.writeHead(416, { "content-range": "bytes */9", "content-length": "0" }).end(),
    );
    const beyond = await call("/any/x", { headers: { range: "bytes=20-" } });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */9"]);
  });

  it("gives an answer with trailers whole, without them: the platform has none for a Worker", async () => {
    stand.origin.answerWith((_request, response) => {
      response.writeHead(200, { trailer: "x-checksum" }).write("part ");
      response.addTrailers({ "x-checksum": "1" });
      response.end("whole");
    });
    const answer = await sendRaw(stand.gate.issuer, raw({ path: "/any/x", headers: [["TE", "trailers"]] }));
    expect(await bodyText(answer)).toBe("part whole");
    expect([answer.headers.trailer, answer.trailers]).toEqual([undefined, {}]);
    const asked = stand.origin.received.at(-1)!.headers.map(([name]) => name.toLowerCase());
    expect(asked).not.toContain("te");
  });

  it("goes to a service binding without the network, as the client asked it", async () => {
    const before = stand.origin.received.length;
    const answer = await call("/beside/x?y=%2F", { method: "POST", body: "a body" });
    expect([answer.status, answer.headers.get("x-from"), await answer.text()]).toEqual([
      200,
      "service",
      "beside got a body",
    ]);
    expect(answer.headers.get("x-request-id")).toMatch(/^dec_/);
    const [asked] = serviceAsked;
    expect(asked!.url).toBe(`${stand.gate.issuer}/beside/x?y=%2F`);
    expect(asked!.headers.get("x-portcullis-subject")).toBe(machine.id);
    expect(asked!.headers.get("authorization")).toBeNull();
    expect(stand.origin.received.length).toBe(before);
  });

  it("is signed for an origin that wants it, by a key of the published set", async () => {
    stand.origin.answerWith();
    expect((await call("/signed/x?a='b'&c=%2F", { method: "PUT", body: "x" })).status).toBe(200);
    const { method, url, message } = stand.origin.received.at(-1)!;
    const [path, query] = url.split("?");
    const parameters = String(message.headers["signature-input"]).replace(/^portcullis=/, "");
    const signature = String(message.headers.signature).replace(/^portcullis=:(.*):$/, "$1");
    // RFC 9421 §2.5, of what arrived.
    const base = [
      `"@method": ${method}`,
      `"@authority": ${message.headers.host}`,
      `"@path": ${path}`,
      `"@query": ?${query}`,
      `"x-portcullis-assertion": ${message.headers["x-portcullis-assertion"]}`,
      `"@signature-params": ${parameters}`,
    ].join("\n");
    const { keys } = (await (await fetch(`${stand.gate.issuer}/.well-known/jwks.json`)).json()) as {
      keys: (JsonWebKey & { kid: string })[];
    };
    const jwk = keys.find(({ kid }) => parameters.includes(`keyid="${kid}"`))!;
    const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" } as const;
    const isGood = (text: string) =>
      verify("sha256", Buffer.from(text), key, Buffer.from(signature, "base64"));
    expect(isGood(base)).toBe(true);
    expect(isGood(base.replace("PUT", "GET"))).toBe(false);
  });

  it("takes out of an answer what speaks in the gate's name or is for one connection only", async () => {
    stand.origin.answerWith((_request, response) => {
      response.sendDate = false;
      response.writeHead(200, [
        ...[
          "X-Portcullis-Subject",
          "forged",
          "x_portcullis_grant",
          "forged",
          "X-Portcullis-Assertion",
          "forged",
        ],
        ...[
          "Connection",
          "close, X-Once",
          "X-Once",
          "forged",
          "Keep-Alive",
          "timeout=9",
          "Proxy-Authenticate",
          "Basic",
        ],
        ...["X-Request-Id", "forged", "Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Own", "kept"],
      ]);
      response.end("ok");
    });
    const response = await call("/any/x");
    expect(JSON.stringify([...response.headers])).not.toContain("forged");
    expect(response.headers.has("keep-alive") && response.headers.get("keep-alive")?.includes("9")).toBe(
      false,
    );
    expect(response.headers.get("x-request-id")).toMatch(/^dec_/);
    expect(response.headers.get("x-own")).toBe("kept");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });
});

describe("what a client says about itself", () => {
  it("never reaches the origin as an identity, in whatever spelling and however often", async () => {
    const names = [
      ...["X-Portcullis-Subject", "X-PORTCULLIS-SUBJECT", "x_portcullis_subject", "X.Portcullis.Subject"],
      ...[
        "X-Portcullis_Grant",
        "X-Portcullis-Scope",
        "X-Portcullis-Assertion",
        "x_portcullis-assertion",
        "X-Portcullis-Anything",
      ],
      ...[
        "X-Forwarded-User",
        "X_Forwarded_User",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X_FORWARDED_PROTO",
        "Forwarded",
      ],
      ...[
        "Remote-User",
        "REMOTE_USER",
        "X-Remote-User",
        "X-Auth-Request-Email",
        "X-Authenticated-User",
        "X-User",
        "X_User_Id",
      ],
      ...[
        "X-Original-URL",
        "X_Original_URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Real-IP",
        "True-Client-IP",
      ],
      ...[
        "X-Request-Id",
        "X-Ms-Client-Principal",
        "X-Amzn-Oidc-Identity",
        "Ssl-Client-Verify",
        "Proxy-Authorization",
      ],
    ];
    const fields = names.map((name): [string, string] => [name, "forged"]);
    const repeated = [...fields, ...fields];
    // A field that Connection names is dropped on the way: it must not be ours.
    const connection: [string, string] = [
      "Connection",
      "keep-alive, X-Portcullis-Subject, X-Portcullis-Assertion",
    ];
    const kept: [string, string][] = [
      ["X-Custom", "kept"],
      ["Accept-Language", "de"],
      ["Cookie", "a=1"],
    ];
    const headers = [connection, ...repeated, ...kept];
    for (const path of ["/any/x", "/public/x"]) {
      const sent = path === "/any/x" ? raw({ path, headers }) : { path, headers };
      expect((await sendRaw(stand.gate.issuer, sent)).resume().statusCode, path).toBe(200);
      const { headers: received } = stand.origin.received.at(-1)!;
      expect(JSON.stringify(received), path).not.toContain("forged");
      const own = received
        .filter(([name]) => spelled(name).startsWith("x-portcullis-"))
        .map(([name]) => spelled(name));
      const expected = ["x-portcullis-assertion", "x-portcullis-scope", "x-portcullis-subject"];
      expect(own.toSorted(), path).toEqual(path === "/any/x" ? expected : []);
      expect(Object.fromEntries(received.map(([name, value]) => [spelled(name), value])), path).toMatchObject(
        {
          ...Object.fromEntries(kept.map(([name, value]) => [spelled(name), value])),
          "x-forwarded-host": new URL(stand.gate.issuer).host,
          "x-forwarded-proto": "http",
          "x-request-id": expect.stringMatching(/^dec_/),
        },
      );
    }
    const received = Object.fromEntries(
      stand.origin.received.at(-2)!.headers.map(([n, v]) => [spelled(n), v]),
    );
    expect(received["x-portcullis-subject"]).toBe(machine.id);
    const [, claims] = received["x-portcullis-assertion"]!.split(".");
    expect(JSON.parse(Buffer.from(claims!, "base64url").toString())).toMatchObject({ sub: machine.id });
  });

  it("keeps the token from the origin, unless the route passes it on", async () => {
    const authorization = () => {
      const fields = stand.origin.received
        .at(-1)!
        .headers.filter(([name]) => spelled(name) === "authorization");
      return fields.map(([, value]) => value);
    };
    await call("/any/x");
    expect(authorization()).toEqual([]);
    await call("/pass/x");
    expect(authorization()).toEqual([`Bearer ${token}`]);
  });
});

function spelled(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "-");
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
