import { describe, expect, it } from "vitest";
import { isStripped, requestKindOf } from "../../../src/edge/header-names.ts";
import {
  clientResponse,
  headersForOrigin,
  type OwnHeaders,
  withClientBytes,
} from "../../../src/edge/headers.ts";
import { FORGED_NAMES, HARMLESS_NAMES, spellings } from "../../support/corpus/header-names.ts";

const OWN: OwnHeaders = {
  requestId: "r-1",
  scheme: "https",
  host: "api.example.com",
  passAuthorization: false,
};

function forwarded(client: Record<string, string> | [string, string][], own: Partial<OwnHeaders> = {}) {
  const { fields } = headersForOrigin(new Headers(client), { ...OWN, ...own });
  // As `fetch` reads them.
  return Object.fromEntries(new Headers(fields));
}

/** Its question marks stand for bytes that cannot be read. */
class UnreadHeaders extends Headers {
  override get(name: string): string | null {
    return super.get(name)?.replaceAll("?", "\ufffd") ?? null;
  }

  override forEach(each: (value: string, name: string, parent: Headers) => void): void {
    super.forEach((value, name) => {
      each(value.replaceAll("?", "\ufffd"), name, this);
    });
  }
}

const OURS = { "x-request-id": "r-1", "x-forwarded-proto": "https", "x-forwarded-host": "api.example.com" };

describe("headers for the origin", () => {
  it("never holds a client's spelling of an identity, routing or forwarding header", () => {
    let tried = 0;
    const wrong: string[] = [];
    for (const name of FORGED_NAMES) {
      for (const spelling of spellings(name)) {
        tried++;
        const headers = forwarded({ [spelling]: "admin", accept: "*/*" });
        const { accept, ...rest } = headers;
        if (accept !== "*/*" || JSON.stringify(rest) !== JSON.stringify(sorted(OURS))) wrong.push(spelling);
      }
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(600);
  });

  it("strips a repeated header wholly", () => {
    const twice: [string, string][] = [
      ["X-Portcullis-Subject", "a"],
      ["x_portcullis_subject", "b"],
      ["X-PORTCULLIS-SUBJECT", "c"],
    ];
    expect(forwarded(twice)).toEqual(OURS);
    expect(forwarded(twice, { subject: "demo|alice" })).toEqual({
      ...OURS,
      "x-portcullis-subject": "demo|alice",
    });
  });

  it.each([...HARMLESS_NAMES, "content-length", "cf-connecting-ip", "dpop"])("passes %s on", (name) => {
    expect(isStripped(name)).toBe(false);
    expect(forwarded({ [name]: "v" })).toMatchObject({ [name]: "v" });
  });

  it("strips what is for one connection only, and what Connection names", () => {
    expect(
      forwarded({
        connection: "close, X-Hop, authorization , @bad name",
        "keep-alive": "timeout=5",
        te: "trailers",
        trailer: "x",
        "transfer-encoding": "chunked",
        "proxy-connection": "close",
        upgrade: "h2c",
        "http2-settings": "x",
        expect: "100-continue",
        host: "evil.example",
        "x-hop": "secret",
        "x-kept": "1",
      }),
    ).toEqual({ ...OURS, "x-kept": "1" });
  });

  it("cannot be made to drop our own headers by Connection", () => {
    const headers = forwarded(
      {
        connection:
          "x-portcullis-assertion, x-request-id, x-forwarded-for, x-forwarded-host, x-portcullis-subject",
        "cf-connecting-ip": "203.0.113.9",
      },
      { assertion: "a.b.c", subject: "s", scope: "r w", grant: "grt_1" },
    );
    expect(headers).toEqual({
      ...OURS,
      "cf-connecting-ip": "203.0.113.9",
      "x-forwarded-for": "203.0.113.9",
      "x-portcullis-assertion": "a.b.c",
      "x-portcullis-subject": "s",
      "x-portcullis-scope": "r w",
      "x-portcullis-grant": "grt_1",
    });
  });

  it("passes Authorization on only where the route says so, and Proxy-Authorization never", () => {
    const client = { authorization: "Bearer a.b.c", "proxy-authorization": "Basic x" };
    expect(forwarded(client)).toEqual(OURS);
    expect(forwarded(client, { passAuthorization: true })).toEqual({
      ...OURS,
      authorization: "Bearer a.b.c",
    });
  });

  it("says where the request came from once, whatever the client says", () => {
    expect(
      forwarded({ "x-forwarded-for": "1.1.1.1", forwarded: "for=1.1.1.1", "x-real-ip": "1.1.1.1" }),
    ).toEqual(OURS);
  });

  it("is as sure of a name that came before, and of one among more names than are remembered", () => {
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 1_000; n++) expect(requestKindOf(`x-made-up-${n}`)).toBe("passed");
      expect(requestKindOf("x-user")).toBe("stripped");
      expect(requestKindOf("x_late.spelling")).toBe("passed");
      expect(requestKindOf("x_portcullis.late")).toBe("stripped");
      expect(requestKindOf(`x-portcullis-${"a".repeat(100)}`)).toBe("stripped");
    }
  });

  it("passes on a field that came twice, and takes no field for a property of an object", () => {
    const twice: [string, string][] = [
      ["x-own", "a"],
      ["X-Own", "b"],
      ["__proto__", "p"],
      ["constructor", "c"],
    ];
    expect(Object.entries(headersForOrigin(new Headers(twice), OWN).fields).sort()).toEqual([
      ["__proto__", "p"],
      ["constructor", "c"],
      ["x-forwarded-host", OURS["x-forwarded-host"]],
      ["x-forwarded-proto", OURS["x-forwarded-proto"]],
      ["x-own", "a, b"],
      ["x-request-id", OURS["x-request-id"]],
    ]);
  });

  it("keeps the bytes of a value that is not UTF-8, and of nothing that was changed or is ours", () => {
    // Such a value reads as U+FFFD.
    const client = new Headers({ accept: "*/*", cookie: "a=1" });
    const read = headersForOrigin(client, OWN);
    expect(withClientBytes(read, client)).toBe(read.fields);
    const unread = new UnreadHeaders({
      "x-name": "caf?",
      accept: "*/*",
      cookie: "__Host-portcullis-session=?; a=1",
      "x-forwarded-host": "?",
      "x-user": "?",
    });
    const copy = withClientBytes(headersForOrigin(unread, OWN), unread);
    expect(copy).toBeInstanceOf(Headers);
    expect(Object.fromEntries(copy as Headers)).toEqual({
      ...{ "x-name": "caf?", accept: "*/*", cookie: "a=1" },
      ...OURS,
    });
  });

  it("carries a WebSocket handshake on", () => {
    const handshake = {
      connection: "Upgrade",
      upgrade: "WebSocket",
      "sec-websocket-key": "x",
      "sec-websocket-version": "13",
    };
    expect(forwarded(handshake)).toMatchObject({ upgrade: "websocket", "sec-websocket-key": "x" });
  });
});

describe("cookies of ours", () => {
  it.each([
    ["__Host-portcullis-session=x", undefined],
    ["a=1; __Host-portcullis-session=x; b=2", "a=1; b=2"],
    ["__host-PORTCULLIS-Session=x; a=1", "a=1"],
    ["__Host-portcullis-sign-in-abc=x; __Host-portcullis-hand-over=y; a=1", "a=1"],
    ["portcullis-session=x; __Host-portcullis=y", "portcullis-session=x; __Host-portcullis=y"],
  ])("never reach an origin, whatever the route passes on: %s", (cookie, expected) => {
    expect(forwarded({ cookie }).cookie).toBe(expected);
    expect(forwarded({ cookie }, { passAuthorization: true }).cookie).toBe(expected);
  });

  it("are not set by an origin, which sets its own", () => {
    const headers = new Headers();
    for (const line of [
      "a=1; Path=/",
      "__Host-portcullis-session=x; Path=/",
      "__HOST-Portcullis-x=1",
      "b=2",
    ]) {
      headers.append("set-cookie", line);
    }
    expect(clientResponse(new Response("", { headers }), "r").headers.getSetCookie()).toEqual([
      "a=1; Path=/",
      "b=2",
    ]);
  });
});

describe("the origin's answer for the client", () => {
  it("loses hop-by-hop and Connection-named fields and anything in our name", async () => {
    const answer = clientResponse(
      new Response("body", {
        status: 201,
        headers: {
          connection: "x-secret",
          "x-secret": "1",
          "keep-alive": "timeout=5",
          "X-Portcullis-Subject": "admin",
          x_portcullis_grant: "grt_1",
          "x-request-id": "theirs",
          "x-kept": "1",
          "content-type": "text/plain",
        },
      }),
      "r-1",
    );
    expect(answer.status).toBe(201);
    expect(Object.fromEntries(answer.headers)).toEqual({
      "content-type": "text/plain",
      "x-kept": "1",
      "x-request-id": "r-1",
    });
    expect(await answer.text()).toBe("body");
  });

  it("keeps each cookie a field of its own, and answers without a body", () => {
    const headers = new Headers();
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2, c");
    for (const status of [204, 205, 304]) {
      const answer = clientResponse(new Response(null, { status, headers }), "r-1");
      expect(answer.status).toBe(status);
      expect(answer.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2, c"]);
    }
  });
});

function sorted(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)));
}
