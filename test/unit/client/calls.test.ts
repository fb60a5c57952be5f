import { describe, expect, it } from "vitest";
import { PortcullisError, PortcullisProblem, PortcullisUnreachable } from "../../../src/client/portcullis.ts";
import { FaultyDeployment, ISSUER, refusal, TOKEN } from "../../support/faulty-deployment.ts";

const ok = (body: unknown = {}) => Response.json(body);
const BROKEN = new TypeError("fetch failed");

/** What a promise is rejected with. */
async function faultOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (fault) {
    return fault;
  }
  throw new Error("it was not refused");
}

describe("a call", () => {
  it("is sent as the contract says", async () => {
    const deployment = new FaultyDeployment([], () => ok());
    const { accessRequests, policy, grants } = deployment.client();
    await accessRequests.create({ resource: "orders", scope: "orders:read", justification: "x" });
    await grants.list({ state: "active", limit: 2 }).page();
    await accessRequests.get("req_1", { waitSeconds: 30 });
    await policy.put({ routes: [] }, { ifMatch: 3 });
    await accessRequests.list({ reviewable: true }).page();
    const [created, listed, waited, put, reviewable] = deployment.sent;
    expect(created).toMatchObject({ method: "POST", url: `${ISSUER}/v1/access-requests` });
    expect(JSON.parse(created!.body)).toEqual({
      resource: "orders",
      scope: "orders:read",
      justification: "x",
    });
    expect(created!.headers.get("content-type")).toBe("application/json");
    expect(created!.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
    expect(created!.headers.get("idempotency-key")).toMatch(/^[0-9a-f-]{36}$/);
    expect(listed).toMatchObject({ method: "GET", path: "/v1/grants?state=active&limit=2", body: "" });
    expect(listed!.headers.get("idempotency-key")).toBeNull();
    expect(waited!.headers.get("prefer")).toBe("wait=30");
    expect(put).toMatchObject({ method: "PUT", path: "/v1/policy" });
    expect(put!.headers.get("if-match")).toBe('"3"');
    expect(reviewable!.path).toBe("/v1/access-requests?reviewable=true");
  });

  it("goes where its id says, and nowhere else", async () => {
    const deployment = new FaultyDeployment([], () => ok());
    const { grants } = deployment.client();
    await grants.get("a/../b?c#d e");
    expect(deployment.sent[0]?.url).toBe(`${ISSUER}/v1/grants/a%2F..%2Fb%3Fc%23d%20e`);
    for (const id of ["", ".", "..", undefined, null]) {
      expect(await faultOf(grants.get(id as string)), String(id)).toBeInstanceOf(PortcullisError);
    }
    expect(deployment.sent).toHaveLength(1);
  });

  it("needs no token where the operation is open, and takes its other answer for one", async () => {
    const readiness = { ready: false, checks: [] };
    const deployment = new FaultyDeployment([Response.json(readiness, { status: 503 })]);
    expect(await deployment.client().health.ready()).toEqual(readiness);
    expect(deployment.sent[0]?.headers.get("authorization")).toBeNull();
  });

  it("is nothing where the answer is empty", async () => {
    const deployment = new FaultyDeployment([new Response(null, { status: 204 })]);
    expect(await deployment.client().keys.list()).toBeUndefined();
  });

  it("is text where the answer is", async () => {
    const deployment = new FaultyDeployment([new Response("portcullis_log_seq 42\n")]);
    expect(await deployment.client().metrics.read()).toBe("portcullis_log_seq 42\n");
  });
});

describe("a refusal", () => {
  it("is a problem with its code, its request and what else it says", async () => {
    const body = { code: "insufficient_scope", title: "T", detail: "D", status: 403, scope: "grants:read" };
    const answer = Response.json(body, { status: 403, headers: { "x-request-id": "dec_7" } });
    const fault = await faultOf(new FaultyDeployment([answer]).client().grants.get("grt_1"));
    expect(fault).toBeInstanceOf(PortcullisProblem);
    expect(fault).toMatchObject({
      ...{ code: "insufficient_scope", status: 403, title: "T", detail: "D", requestId: "dec_7" },
      ...{ members: { scope: "grants:read" }, message: "T: D" },
    });
  });

  it("of something that is no Portcullis is told apart", async () => {
    for (const answer of [
      new Response("<h1>Bad gateway</h1>", { status: 403 }),
      Response.json(["x"], { status: 404 }),
      new Response(null, { status: 302, headers: { location: "https://elsewhere.example" } }),
    ]) {
      const deployment = new FaultyDeployment([answer]);
      expect(await faultOf(deployment.client().grants.get("grt_1"))).toMatchObject({
        name: "PortcullisUnreachable",
        status: answer.status,
      });
      expect(deployment.sent).toHaveLength(1);
    }
  });

  it("never quotes what was sent", async () => {
    const quoting = new TypeError(`Headers.append: "Bearer ${TOKEN}" is an invalid header value.`);
    const deployment = new FaultyDeployment([], quoting);
    const { revocations } = deployment.client();
    const fault = await faultOf(revocations.create({ match: { jti: "secret-jti" }, reason: "x" }));
    expect(fault).toBeInstanceOf(PortcullisUnreachable);
    const told = JSON.stringify(fault, Object.getOwnPropertyNames(fault));
    expect(told).not.toContain(TOKEN);
    expect(told).not.toContain("secret-jti");
    expect((fault as Error).cause).toBeUndefined();
    expect(told).toContain("https://auth.example.com could not be reached");
    for (const { url } of deployment.sent) expect(url).not.toContain(TOKEN);
  });

  it("of a token that no header can hold does not quote it", async () => {
    for (const token of [`${TOKEN}\n`, `${TOKEN} x`, "", "tök"]) {
      const deployment = new FaultyDeployment([], () => ok());
      const fault = await faultOf(deployment.client({ token }).grants.get("grt_1"));
      expect(String(fault)).toContain("The access token is not one");
      expect(String(fault)).not.toContain(TOKEN);
      expect(deployment.sent).toHaveLength(0);
    }
  });
});

describe("repeating", () => {
  it("is done for what only reads, with growing pauses, until it is answered", async () => {
    const fates = [
      BROKEN,
      refusal(503, "unavailable"),
      new Response("x", { status: 502 }),
      ok({ id: "grt_1" }),
    ];
    const deployment = new FaultyDeployment(fates);
    expect(await deployment.client().grants.get("grt_1")).toEqual({ id: "grt_1" });
    expect(deployment.sent).toHaveLength(4);
    expect(deployment.pauses).toEqual([125, 250, 500]);
  });

  it("ends after three, with the last fault", async () => {
    const deployment = new FaultyDeployment([], () => refusal(503, "stale"));
    expect(await faultOf(deployment.client().grants.get("grt_1"))).toMatchObject({ code: "stale" });
    expect(deployment.sent).toHaveLength(4);
    const once = new FaultyDeployment([], BROKEN);
    expect(await faultOf(once.client({ retries: 0 }).grants.get("grt_1"))).toBeInstanceOf(
      PortcullisUnreachable,
    );
    expect(once.sent).toHaveLength(1);
  });

  it("of a creation is the same creation: one key for all attempts, another for another call", async () => {
    const deployment = new FaultyDeployment([BROKEN, refusal(500, "internal"), ok({}), ok({}), ok({})]);
    const { revocations } = deployment.client();
    const body = { match: { jti: "tok_1" }, reason: "x" };
    await revocations.create(body);
    await revocations.create(body);
    await revocations.create(body, {}, { idempotencyKey: "mine" });
    const keys = deployment.sent.map(({ headers }) => headers.get("idempotency-key"));
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[3]).not.toBe(keys[0]);
    expect(keys[4]).toBe("mine");
  });

  it("is not done for what could happen twice", async () => {
    for (const fate of [BROKEN, refusal(503, "unavailable", { "retry-after": "1" })]) {
      const deployment = new FaultyDeployment([], fate);
      const { accessRequests, policy, clients } = deployment.client();
      for (const work of [
        accessRequests.review("req_1", { outcome: "approve" }),
        policy.put({}, { ifMatch: 1 }),
        clients.rotateSecret("cli_1"),
        clients.delete("cli_1"),
      ]) {
        await faultOf(work);
      }
      expect(deployment.sent).toHaveLength(4);
      expect(deployment.pauses).toEqual([]);
    }
  });

  it("is not done where the answer would be the same", async () => {
    for (const [status, code] of [
      [400, "invalid_request"],
      [403, "forbidden"],
      [404, "not_found"],
      [409, "conflict"],
    ] as const) {
      const deployment = new FaultyDeployment([refusal(status, code)]);
      expect(await faultOf(deployment.client().grants.get("grt_1"))).toMatchObject({ code });
      expect(deployment.sent).toHaveLength(1);
    }
  });

  it("waits as long as the answer asks, and not at all where that is too long", async () => {
    const patient = new FaultyDeployment([refusal(429, "too_many_requests", { "retry-after": "7" }), ok()]);
    await patient.client().grants.get("grt_1");
    expect(patient.pauses).toEqual([7_000]);
    const asked = refusal(429, "too_many_requests", { "retry-after": "3600" });
    const never = new FaultyDeployment([asked]);
    const fault = await faultOf(never.client().grants.get("grt_1"));
    expect(fault).toMatchObject({ code: "too_many_requests", retryAfterSeconds: 3600 });
    expect(never.pauses).toEqual([]);
  });

  it("takes a body that breaks off for no answer", async () => {
    const half = new Response(
      new ReadableStream({
        pull(stream) {
          stream.enqueue(new TextEncoder().encode('{"id":'));
          stream.error(new Error("reset"));
        },
      }),
    );
    const deployment = new FaultyDeployment([half, ok({ id: "grt_1" })]);
    expect(await deployment.client().grants.get("grt_1")).toEqual({ id: "grt_1" });
    expect(deployment.sent).toHaveLength(2);
  });
});

describe("time", () => {
  it("is up after the timeout, for each attempt", async () => {
    const deployment = new FaultyDeployment(["silence", ok({ id: "grt_1" })]);
    expect(await deployment.client({ timeoutMs: 20 }).grants.get("grt_1")).toEqual({ id: "grt_1" });
    const silent = new FaultyDeployment([], "silence");
    const fault = await faultOf(silent.client({ retries: 0 }).grants.get("grt_1", { timeoutMs: 20 }));
    expect(fault).toMatchObject({ message: "https://auth.example.com did not answer within 20 ms." });
  });

  it("includes what the call itself waits for", async () => {
    const deployment = new FaultyDeployment([() => later(60, () => ok({ state: "pending" }))]);
    const { accessRequests } = deployment.client({ timeoutMs: 20, retries: 0 });
    expect(await accessRequests.get("req_1", { waitSeconds: 1 })).toEqual({ state: "pending" });
  });

  it("is the caller's to end: before, during the answer, and between attempts", async () => {
    const before = new FaultyDeployment([], () => ok());
    const reason = new Error("enough");
    const ended = AbortSignal.abort(reason);
    expect(await faultOf(before.client().grants.get("grt_1", { signal: ended }))).toBe(reason);
    expect(before.sent).toHaveLength(0);

    const during = new FaultyDeployment([], "silence");
    const controller = new AbortController();
    const waiting = faultOf(during.client().grants.get("grt_1", { signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 10);
    expect(await waiting).toBe(reason);
    expect(during.sent).toHaveLength(1);

    const between = new FaultyDeployment([], BROKEN);
    const other = new AbortController();
    // The client's own pause.
    const options = { signal: other.signal };
    const pausing = faultOf(
      between.client({ sleep: undefined as never, random: () => 1 }).grants.get("grt_1", options),
    );
    setTimeout(() => other.abort(reason), 20);
    expect(await pausing).toBe(reason);
    expect(between.sent).toHaveLength(1);
  });

  it("waits for a decision as long as it takes", async () => {
    const fates = ["pending", "pending", "approved"].map((state) => ok({ state }));
    const deployment = new FaultyDeployment(fates);
    expect(await deployment.client().accessRequests.decided("req_1")).toEqual({ state: "approved" });
    expect(deployment.sent.map(({ headers }) => headers.get("prefer"))).toEqual(Array(3).fill("wait=55"));
  });
});

describe("lists", () => {
  const pages = () => [
    ok({ items: [{ id: "c" }, { id: "b" }], next_cursor: "b" }),
    ok({ items: [{ id: "a" }], next_cursor: "a" }),
    ok({ items: [] }),
  ];

  it("are gone through page by page, as far as they are wanted", async () => {
    const deployment = new FaultyDeployment(pages());
    const seen: string[] = [];
    for await (const { id } of deployment.client().grants.list({ state: "active" })) seen.push(id);
    expect(seen).toEqual(["c", "b", "a"]);
    const paths = deployment.sent.map(({ path }) => path);
    expect(paths).toEqual(["", "&cursor=b", "&cursor=a"].map((more) => `/v1/grants?state=active${more}`));

    const stopped = new FaultyDeployment(pages());
    for await (const { id } of stopped.client().grants.list()) if (id === "c") break;
    expect(stopped.sent).toHaveLength(1);
  });

  it("give one page to whoever wants one", async () => {
    const deployment = new FaultyDeployment(pages());
    const page = await deployment.client().grants.list({ cursor: "z" }).page();
    expect(page).toEqual({ items: [{ id: "c" }, { id: "b" }], next_cursor: "b" });
    expect(deployment.sent.map(({ path }) => path)).toEqual(["/v1/grants?cursor=z"]);
  });
});

describe("where it calls", () => {
  it.each([
    "http://auth.example.com",
    "https://auth.example.com/base",
    "ftp://x",
    "nonsense",
    "https://a@x.example",
  ])("refuses %s", (issuer) =>
    expect(() => new FaultyDeployment([]).client({ issuer })).toThrow(PortcullisError),
  );

  it.each([
    "https://auth.example.com/",
    "http://localhost:8787",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
  ])("takes %s", (issuer) => expect(() => new FaultyDeployment([]).client({ issuer })).not.toThrow());
});

function later<T>(ms: number, make: () => T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(make()), ms));
}
