import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SocketOrigin } from "../support/socket-origin.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { newKey, signToken, type TestKey } from "../support/token-factory.ts";

const ISSUER = "https://idp.example.com";
const AUDIENCE = "https://gate.example.com";
/** What the gate adds to the `exp` of another issuer's token, whose clock is not ours. */
const TOLERANCE_SECONDS = 30;
/** How much later than promised a test may notice: two processes on a busy machine. */
const NOTICE_MS = 1_000;
const TICK_MS = 50;

let stand: Stand;
let sockets: SocketOrigin;
let key: TestKey;
let made = 0;

beforeAll(async () => {
  key = await newKey("ES256", "staff-1");
  sockets = await SocketOrigin.start();
  stand = await standUp((policy) => {
    const access = { scopes: ["live"] };
    const staff = {
      ...{ id: "staff", issuer: ISSUER, audience: AUDIENCE, algorithms: ["ES256"] },
      ...{ jwks: { keys: [key.jwk] }, claims: { scopes: "scope" } },
    };
    return {
      ...policy,
      issuers: [...policy.issuers, staff],
      origins: { ...policy.origins, sockets: { ...policy.origins.demo, url: sockets.url } },
      routes: [
        ...policy.routes,
        { id: "live", path: "/live/**", origin: "demo", access },
        { id: "sockets", path: "/sockets/**", origin: "sockets", access },
      ],
    };
  });
});
beforeEach(() => stand.origin.answerWith());
afterAll(async () => {
  await stand?.stop();
  await sockets?.close();
});

/** A token of the trusted issuer that is accepted for so many seconds. */
async function newToken(seconds = 600): Promise<{ token: string; jti: string; endsAtMs: number }> {
  const jti = `tok_open_${++made}`;
  const endsAt = Math.floor(Date.now() / 1000) + seconds;
  const claims = {
    ...{ iss: ISSUER, aud: AUDIENCE, sub: "alice", client_id: "web", jti, scope: "live" },
    ...{ iat: endsAt - 700, exp: endsAt - TOLERANCE_SECONDS },
  };
  const header = { alg: key.alg, kid: key.kid, typ: "at+jwt" };
  return { token: await signToken(key, header, claims), jti, endsAtMs: endsAt * 1000 };
}

/** The origin writes until the connection ends. */
function tickForever(contentType: string): void {
  stand.origin.answerWith((_request, response) => {
    response.writeHead(200, { "content-type": contentType });
    const timer = setInterval(() => response.write("data: tick\n\n"), TICK_MS);
    response.on("close", () => clearInterval(timer));
  });
}

class Reading {
  chunks = 0;
  /** How the body came to its end, and when. */
  readonly end: Promise<{ how: "ended" | "broken"; atMs: number }>;
  readonly #response: Response;

  constructor(response: Response) {
    this.#response = response;
    this.end = this.#read();
  }

  static async open(token: string): Promise<Reading> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${stand.gate.issuer}/live/x`, { headers });
    expect(response.status).toBe(200);
    return new Reading(response);
  }

  async #read(): Promise<{ how: "ended" | "broken"; atMs: number }> {
    try {
      for await (const _ of this.#response.body!) this.chunks++;
      return { how: "ended", atMs: Date.now() };
    } catch {
      return { how: "broken", atMs: Date.now() };
    }
  }
}

async function grows(reading: Reading): Promise<void> {
  const before = reading.chunks;
  await expect.poll(() => reading.chunks, { timeout: 10_000 }).toBeGreaterThan(before + 2);
}

async function openSocket(token: string, protocols: string[] = []): Promise<WebSocket> {
  const url = `${stand.gate.issuer.replace("http", "ws")}/sockets/x`;
  // Node's own option: browsers cannot send a header here.
  const options = { protocols, headers: { authorization: `Bearer ${token}` } };
  const socket = new WebSocket(url, options as never) as WebSocket;
  socket.binaryType = "arraybuffer";
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("the handshake was refused")));
  });
  return socket;
}

async function echo(socket: WebSocket, sent: string | ArrayBuffer): Promise<unknown> {
  const back = once(socket as never, "message") as Promise<[{ data: unknown }]>;
  socket.send(sent);
  return (await back)[0].data;
}

function closing(socket: WebSocket): Promise<{ code: number; reason: string; atMs: number }> {
  return new Promise((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason, atMs: Date.now() }));
  });
}

function cutsOf(jti: string): Record<string, unknown>[] {
  const lines = stand.runtime.logs.filter((line) => line.includes('"gate.cut"'));
  return lines.map((line) => JSON.parse(line)).filter((line) => line.jti === jti);
}

describe("a connection that is open when its token is revoked", () => {
  it("is cut within the bound, whatever it carries; those of other tokens go on", async () => {
    const [revoked, kept] = [await newToken(), await newToken()];
    const socket = await openSocket(revoked.token);
    const keptSocket = await openSocket(kept.token);
    expect(await echo(socket, "hello")).toBe("hello");
    const closed = closing(socket);
    tickForever("text/event-stream");
    const events = await Reading.open(revoked.token);
    const keptEvents = await Reading.open(kept.token);
    tickForever("application/octet-stream");
    const download = await Reading.open(revoked.token);
    await Promise.all([events, keptEvents, download].map(grows));

    const receipt = await stand.gate.revoke({ iss: ISSUER, jti: revoked.jti });
    const latestMs = receipt.effective_by.bounded * 1000 + NOTICE_MS;
    const ends = await Promise.all([closed, events.end, download.end]);
    for (const { atMs } of ends) expect(atMs).toBeLessThan(latestMs);
    expect(ends[0]).toMatchObject({ code: 1008, reason: "the access has ended" });
    expect(ends[1].how).toBe("ended");
    // Half of a file must not look like all of it.
    expect(ends[2].how).toBe("broken");
    expect(sockets.closedWith).toContain(1008);

    await grows(keptEvents);
    expect(await echo(keptSocket, "still here")).toBe("still here");
    const cuts = cutsOf(revoked.jti);
    expect(cuts.map(({ reason }) => reason)).toEqual(Array(3).fill("token_revoked"));
    expect(cuts.map(({ route }) => route).toSorted()).toEqual(["live", "live", "sockets"]);
    expect(cutsOf(kept.jti)).toEqual([]);
    keptSocket.close();
  });
});

describe("a connection that is open when its token's time is over", () => {
  it("is cut at that moment, and not before", async () => {
    const short = await newToken(4);
    const socket = await openSocket(short.token);
    const closed = closing(socket);
    tickForever("text/event-stream");
    const events = await Reading.open(short.token);
    for (const { atMs } of [await closed, await events.end]) {
      expect(atMs).toBeGreaterThanOrEqual(short.endsAtMs);
      expect(atMs).toBeLessThan(short.endsAtMs + NOTICE_MS);
    }
    expect((await closed).code).toBe(1008);
    expect(cutsOf(short.jti).map(({ reason }) => reason)).toEqual(["token_expired", "token_expired"]);
  });
});

describe("what is left alone", () => {
  it("is a WebSocket's content, its protocol and the way it is closed", async () => {
    const { token } = await newToken();
    const socket = await openSocket(token, ["chat", "other"]);
    expect(socket.protocol).toBe("chat");
    expect(await echo(socket, "grüße")).toBe("grüße");
    const bytes = new Uint8Array([0, 255, 7]);
    expect(new Uint8Array((await echo(socket, bytes.buffer)) as ArrayBuffer)).toEqual(bytes);
    const handshake = sockets.handshakes.at(-1)!;
    expect(handshake.authorization).toBeUndefined();
    expect(handshake["x-portcullis-assertion"]).toMatch(/^eyJ/);
    const closed = closing(socket);
    socket.close(4001, "enough");
    expect(await closed).toMatchObject({ code: 4001 });
    await expect.poll(() => sockets.closedWith).toContain(4001);
  });

  it("is a WebSocket without a token: it is refused, and the origin hears nothing", async () => {
    const before = sockets.handshakes.length;
    await expect(openSocket("not-a-token")).rejects.toThrow("refused");
    expect(sockets.handshakes.length).toBe(before);
  });

  it("is an origin whose client has left: it is not written to any more", async () => {
    const { token } = await newToken();
    const gone = Promise.withResolvers<void>();
    stand.origin.answerWith((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
      const timer = setInterval(() => response.write("data: tick\n\n"), TICK_MS);
      response.on("close", () => {
        clearInterval(timer);
        gone.resolve();
      });
    });
    const client = new AbortController();
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${stand.gate.issuer}/live/x`, { headers, signal: client.signal });
    await response.body!.getReader().read();
    client.abort();
    await Promise.race([gone.promise, sleep(10_000).then(() => Promise.reject(new Error("it goes on")))]);
  });
});
