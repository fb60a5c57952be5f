import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { bodyToForward, forward, initOf, originUrl } from "../../../src/edge/forward.ts";
import { readTarget } from "../../../src/edge/target.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

let server: Server;
let base: string;
let handler: Handler;
let seen: string[];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    void handler(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

beforeEach(() => {
  seen = [];
  handler = (_request, response) => void response.end("ok");
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function forwardTo(
  url: string,
  { method, headers }: Pick<Request, "method" | "headers">,
  body: Request["body"],
  timeoutMs = 2_000,
) {
  const init = initOf(method, headers, body);
  return forward({ url, init, service: { fetch }, timeoutMs, requestId: "r" });
}

function send(path: string, init: RequestInit = {}, timeoutMs = 2000) {
  const request = new Request(`https://api.example.com${path}`, {
    ...init,
    ...(init.body ? { duplex: "half" } : {}),
  } as RequestInit);
  const target = readTarget(request.url);
  if (!target.ok) throw new Error(target.error);
  return forwardTo(originUrl({ url: base }, target.value), request, request.body, timeoutMs);
}

describe("forwarding", () => {
  it.each([
    "/",
    "/?",
    "/a/b/?x=1&y=%2F%2e",
    "/caf%c3%a9",
    "/%F0%9F%98%80?q=%zz",
    "/a%20b/100%25/@me:x,y=z!$&'()*+",
    "/users/%40me?next=//evil/../x;y",
    "/.../..x",
  ])("sends %s as it was decided on", async (path) => {
    const answer = await send(path);
    expect(answer.ok).toBe(true);
    expect(seen).toEqual([`GET ${path}`]);
  });

  it("appends to the origin's address with and without a slash at its end", () => {
    const target = { scheme: "https", host: "api.example.com:8443", path: "/a", search: "?b" } as const;
    expect(originUrl({ url: "http://o:1/" }, target)).toBe("http://o:1/a?b");
    expect(originUrl({ url: "http://o:1" }, { ...target, search: "" })).toBe("http://o:1/a");
  });

  it("asks a service under the host that the client asked", () => {
    const target = { scheme: "https", host: "api.example.com:8443", path: "/a", search: "?b" } as const;
    expect(originUrl({}, target)).toBe("https://api.example.com:8443/a?b");
  });

  it("streams the answer: its start arrives before its end is written", async () => {
    let finish = () => {};
    handler = (_request, response) => {
      response.write("first");
      finish = () => void response.end("last");
    };
    const answer = await send("/stream");
    if (!answer.ok) throw new Error(answer.error);
    const reader = answer.value.body!.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await reader.read()).value)).toBe("first");
    finish();
    expect(decoder.decode((await reader.read()).value)).toBe("last");
    expect((await reader.read()).done).toBe(true);
  });

  it("streams the request: the origin reads its start before its end is sent", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const chunks: string[] = [];
    handler = async (request, response) => {
      for await (const chunk of request) {
        chunks.push(String(chunk));
        if (chunks.length === 1)
          void writer.write(new TextEncoder().encode("second")).then(() => writer.close());
      }
      response.end(chunks.join("|"));
    };
    void writer.write(new TextEncoder().encode("first"));
    const answer = await send("/upload", { method: "POST", body: readable });
    if (!answer.ok) throw new Error(answer.error);
    expect(await answer.value.text()).toBe("first|second");
  });

  it.each([204, 304])("gives a %i without a body", async (status) => {
    handler = (_request, response) => void response.writeHead(status, { etag: '"x"' }).end();
    const answer = await send("/none");
    if (!answer.ok) throw new Error(answer.error);
    const response = answer.value;
    expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([
      status,
      '"x"',
      "",
    ]);
  });

  it("answers HEAD, and passes over an interim answer", async () => {
    handler = (request, response) => {
      response.writeEarlyHints({ link: "</x>; rel=preload" });
      response.writeHead(200, { "content-length": "5", "x-method": String(request.method) }).end();
    };
    const answer = await send("/head", { method: "HEAD" });
    if (!answer.ok) throw new Error(answer.error);
    const response = answer.value;
    expect([response.status, response.headers.get("x-method"), await response.text()]).toEqual([
      200,
      "HEAD",
      "",
    ]);
  });

  it("leaves a redirect to the client", async () => {
    handler = (_request, response) => void response.writeHead(307, { location: "/elsewhere" }).end();
    const answer = await send("/redirect", { method: "POST", body: "x" });
    expect(answer).toMatchObject({ ok: true, value: { status: 307 } });
    expect(seen).toEqual(["POST /redirect"]);
  });

  it("gives its timer nothing to keep: the runtime has what a timer calls long after it was cleared", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    try {
      expect((await send("/x", {}, 4_321)).ok).toBe(true);
      const own = timers.mock.calls.filter(([, ms]) => ms === 4_321);
      // A function of ours would hold the request with it.
      expect(own.map(([call]) => String(call))).toEqual([expect.stringContaining("[native code]")]);
    } finally {
      timers.mockRestore();
    }
  });

  it("gives up on an origin that sends no headers in time, and does not try again", async () => {
    handler = () => {};
    const started = performance.now();
    expect(await send("/slow", {}, 100)).toEqual({ ok: false, error: "origin_timeout" });
    expect(performance.now() - started).toBeLessThan(1500);
    expect(seen).toEqual(["GET /slow"]);
  });

  it("lets a body take longer than the time for its headers", async () => {
    handler = (_request, response) => {
      response.write("start ");
      setTimeout(() => response.end("end"), 300);
    };
    const answer = await send("/long", {}, 100);
    if (!answer.ok) throw new Error(answer.error);
    expect(await answer.value.text()).toBe("start end");
  });

  it("tells an origin that cannot be reached, or hangs up, without trying again", async () => {
    handler = (request) => void request.socket.destroy();
    expect(await send("/hangup", { method: "POST", body: "x" })).toEqual({
      ok: false,
      error: "origin_unreachable",
    });
    expect(seen).toEqual(["POST /hangup"]);
    const request = new Request("https://api.example.com/");
    const refused = await forwardTo("http://127.0.0.1:1/", request, null);
    expect(refused).toEqual({ ok: false, error: "origin_unreachable" });
  });

  it("sends no body with GET and HEAD, and does not blame the origin for it", async () => {
    const request = (method: string, body: ReadableStream | null, headers = {}) =>
      ({ method, body, headers: new Headers(headers) }) as unknown as Request;
    const sent = async (asked: Request) => {
      const body = bodyToForward(asked);
      if (!body.ok) return body;
      return forwardTo(`${base}/x`, { method: asked.method, headers: new Headers() }, body.value);
    };
    const bytes = () => new Blob(["abc"]).stream();
    for (const method of ["GET", "HEAD"]) {
      expect(await sent(request(method, bytes()))).toEqual({ ok: false, error: "request_body" });
    }
    expect(seen).toEqual([]);
    expect((await sent(request("POST", bytes()))).ok).toBe(true);
    expect((await sent(request("GET", null))).ok).toBe(true);
    const empty = request("GET", new Blob([]).stream(), { "content-length": "0" });
    expect((await sent(empty)).ok).toBe(true);
    expect(seen).toEqual(["POST /x", "GET /x", "GET /x"]);
  });
});
