import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, hold, read, review, type ShownRequest } from "../support/access.ts";
import { bodyOf, type Person } from "../support/deployment.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { APPROVER_SCOPES } from "../support/test-policy.ts";

type Link = { url: string; approver: string; expires_at: number };

let stand: Stand;
let mailer: Person;

beforeAll(async () => {
  stand = await standUp();
  mailer = await stand.gate.newPerson([], ["links:create"]);
});

afterAll(() => stand?.stop());

const linksOf = (id: string, token: string, json: object) =>
  stand.gate.call(`/v1/access-requests/${id}/links`, { token, json });

/** A link with which bob decides, as a mail gateway has it made. */
async function linkFor(id: string, members: object = {}): Promise<Link> {
  const json = { approver: "bob", roles: ["approver"], ...members };
  return bodyOf(await linksOf(id, mailer.token, json), 201);
}

async function decide(url: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { method: "POST", body: new URLSearchParams(form), headers });
  return { status: answer.status, page: await answer.text() };
}

async function open(url: string, method = "GET") {
  const answer = await fetch(url, { method });
  return { status: answer.status, headers: answer.headers, page: await answer.text() };
}

describe("an approval link", () => {
  it("shows on GET what is asked, with nothing that runs, and decides on POST, once", async () => {
    const { gate, requester } = stand;
    const justification = `<script>alert(1)</script> & "quoted"`;
    const { id } = await ask(gate, requester.token, { justification });
    const link = await linkFor(id);
    // Scanners of mail and chat open links, again and again, and nothing comes of it.
    for (const method of ["GET", "HEAD", "GET"]) expect((await open(link.url, method)).status).toBe(200);
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });

    const { page, headers } = await open(link.url);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot;");
    expect(page).not.toContain("<script");
    expect(page).toContain("You decide as bob");
    expect(Object.fromEntries(headers)).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-robots-tag": "noindex, nofollow",
      "content-security-policy": expect.stringMatching(
        /^default-src 'none'; style-src 'nonce-[\w-]{43}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
      ),
    });

    const decided = await decide(link.url, { outcome: "approve", comment: "fine\r\nby me" });
    expect(decided).toMatchObject({ status: 200, page: expect.stringContaining("The request is approved.") });
    const after = await read(gate, id);
    expect(after).toMatchObject({
      state: "approved",
      reviews: [{ approver: "bob", comment: "fine\nby me", via: `link:${mailer.id}` }],
    });
    for (const again of [
      await open(link.url),
      await decide(link.url, { outcome: "approve", comment: "fine\r\nby me" }),
      await decide(link.url, { outcome: "deny" }),
    ]) {
      expect(again).toMatchObject({ status: 410, page: expect.stringContaining("This link was used") });
    }
    expect(await read(gate, id)).toEqual(after);
    // The key is in no log line and stored nowhere in plain.
    const key = link.url.slice(link.url.lastIndexOf("/") + 1);
    expect(stand.runtime.logs.join("\n")).not.toContain(key);
  });

  it("of two clicks at once one counts", async () => {
    const { gate, requester } = stand;
    const { id } = await ask(gate, requester.token);
    const { url } = await linkFor(id);
    const outcomes = ["approve", "deny", "approve", "deny", "approve", "deny"];
    const answers = await Promise.all(outcomes.map((outcome) => decide(url, { outcome })));
    const { state, reviews } = await read(gate, id);
    expect(reviews).toHaveLength(1);
    expect(["approved", "denied"]).toContain(state);
    for (const { status, page } of answers) {
      expect([200, 409, 410]).toContain(status);
      if (status === 200) expect(page).toContain(`The request is ${state}.`);
    }
  });

  it("is dead once somebody has decided, at its end, and where a character of it is another", async () => {
    const { gate, requester, approver } = stand;
    const [decided, short] = await Promise.all([ask(gate, requester.token), ask(gate, requester.token)]);
    const [late, brief] = await Promise.all([
      linkFor(decided.id),
      linkFor(short.id, { expires_in_seconds: 1 }),
    ]);
    bodyOf(await review(gate, approver.token, decided.id, { outcome: "deny" }), 201);
    expect(await decide(late.url, { outcome: "approve" })).toMatchObject({
      status: 410,
      page: expect.stringContaining("denied already"),
    });
    expect((await open(late.url)).status).toBe(410);

    await sleep(brief.expires_at * 1000 - Date.now());
    expect((await decide(brief.url, { outcome: "approve" })).status).toBe(410);
    const forged = `${brief.url.slice(0, -1)}${brief.url.endsWith("A") ? "B" : "A"}`;
    for (const url of [forged, `${gate.issuer}/v1/links/v1.AAAA.BBBB`, `${gate.issuer}/v1/links/x`]) {
      expect((await open(url)).status, url).toBe(404);
      expect((await decide(url, { outcome: "approve" })).status, url).toBe(404);
    }
    expect(await read(gate, short.id)).toMatchObject({ state: "pending", reviews: [] });
  });

  it("decides nothing from another site's form, with another body, or for whom the rule does not name", async () => {
    const { gate, requester } = stand;
    const { id } = await ask(gate, requester.token);
    const { url } = await linkFor(id);
    for (const site of ["cross-site", "same-site"]) {
      expect((await decide(url, { outcome: "approve" }, { "sec-fetch-site": site })).status).toBe(403);
    }
    const bodies: Record<string, string>[] = [
      {},
      { outcome: "maybe" },
      { outcome: "approve", scope: "orders:write" },
    ];
    for (const form of bodies) expect((await decide(url, form)).status).toBe(400);
    const nobody = await linkFor(id, { approver: "eve", roles: ["visitor"] });
    expect(await decide(nobody.url, { outcome: "approve" })).toMatchObject({ status: 403 });
    expect(await read(gate, id)).toMatchObject({ state: "pending", reviews: [] });
    expect((await decide(url, { outcome: "approve" }, { "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  it("decides about more time for a grant, where it is made for that", async () => {
    const { gate, requester } = stand;
    const held = await hold(gate, stand, { duration_seconds: 600 });
    const json = { duration_seconds: 60, justification: "not done yet" };
    const asked = await gate.call(`/v1/grants/${held.grant}/extend`, { token: requester.token, json });
    const { extensions } = bodyOf<{ extensions: { id: string }[] }>(asked, 201);
    const extension = extensions[0]!.id;
    const bob = { approver: "bob", roles: ["approver"] };
    expect((await linksOf(held.request, mailer.token, bob)).status).toBe(409);
    expect((await linksOf(held.request, mailer.token, { ...bob, extension: "ext_x" })).status).toBe(404);
    const { url } = await linkFor(held.request, { extension });
    const { page } = await open(url);
    expect(page).toContain("60 seconds more");
    expect(page).toContain("not done yet");
    expect(await decide(url, { outcome: "approve" })).toMatchObject({ status: 200 });
    expect((await decide(url, { outcome: "deny" })).status).toBe(410);
    expect(await read(gate, held.request)).toMatchObject({
      extensions: [{ state: "approved", reviews: [{ approver: "bob", via: `link:${mailer.id}` }] }],
      grant: { state: "active", access_expiry: held.expiresAt + 60 },
    });
  });

  it("is made by who has the scope for it, or for oneself; never to one's own request", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token);
    const self = { approver: approver.id, roles: ["approver"] };
    expect((await linksOf(id, approver.token, self)).status).toBe(201);
    expect((await linksOf(id, approver.token, { ...self, approver: "bob" })).status).toBe(403);
    expect((await linksOf(id, approver.token, { ...self, roles: ["approver", "admin"] })).status).toBe(403);
    expect((await linksOf(id, requester.token, self)).status).toBe(403);
    expect((await linksOf(id, mailer.token, { approver: requester.id })).status).toBe(403);
    const both = await gate.newPerson(["developer"], ["links:create", "requests:create", "requests:read"]);
    const own = await ask(gate, both.token);
    expect((await linksOf(own.id, both.token, { approver: "bob" })).status).toBe(403);
    expect((await linksOf(own.id, mailer.token, { approver: "bob" })).status).toBe(201);
    expect((await linksOf("req_00000000000000000000000000", mailer.token, { approver: "bob" })).status).toBe(
      404,
    );
    expect((await linksOf("nonsense", mailer.token, { approver: "bob" })).status).toBe(404);
  });
});

describe("Prefer: wait", () => {
  const waiting = (id: string, token: string, prefer: string) =>
    stand.gate.call(`/v1/access-requests/${id}`, { token, headers: { prefer } });

  it("is answered when the request is decided, not when the time is up", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token);
    const started = Date.now();
    const waits = Promise.all(Array.from({ length: 20 }, () => waiting(id, requester.token, "wait=45")));
    await sleep(500);
    bodyOf(await review(gate, approver.token, id), 201);
    for (const answer of await waits) {
      expect(answer).toMatchObject({ status: 200, body: { state: "approved", grant: { state: "active" } } });
      expect(answer.headers.get("preference-applied")).toBe("wait=45");
    }
    expect(Date.now() - started).toBeLessThan(20_000);
    // Decided already: at once.
    expect((await waiting(id, requester.token, "wait=45")).body).toMatchObject({ state: "approved" });
    expect(Date.now() - started).toBeLessThan(25_000);
  });

  it("is answered at the review deadline, which nobody sees but the clock", async () => {
    const { gate, requester } = stand;
    const { id, review_deadline } = await ask(gate, requester.token, {
      resource: "quick",
      scope: "quick:read",
    });
    const answer = await waiting(id, requester.token, "wait=45");
    expect(answer).toMatchObject({ status: 200, body: { state: "expired" } });
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(review_deadline);
    expect(Date.now() / 1000 - review_deadline).toBeLessThan(20);
  });

  it("is answered as it is when the time is up, is at most a minute, and gives nobody more than they may see", async () => {
    const { gate, requester } = stand;
    const { id } = await ask(gate, requester.token);
    const started = Date.now();
    const answer = await waiting(id, requester.token, 'respond-async, wait="1"');
    expect(answer).toMatchObject({ status: 200, body: { state: "pending" } });
    expect(answer.headers.get("preference-applied")).toBe("wait=1");
    expect(Date.now() - started).toBeGreaterThanOrEqual(950);
    expect((await waiting(id, mailer.token, "wait=1")).status).toBe(403);
    const stranger = await gate.newPerson([], ["requests:read"]);
    expect((await waiting(id, stranger.token, "wait=30")).status).toBe(404);
    const plain = await gate.call(`/v1/access-requests/${id}`, requester);
    expect(plain.headers.has("preference-applied")).toBe(false);
    const cancelled = waiting(id, requester.token, "wait=3600");
    await gate.call(`/v1/access-requests/${id}/cancel`, { method: "POST", ...requester });
    expect((await cancelled).headers.get("preference-applied")).toBe("wait=60");
  });
});

describe("events of a request", () => {
  /** Reads server-sent events as a client does, until the stream ends or enough came. */
  async function events(id: string, token: string, enough: number, lastEventId?: string) {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    };
    const response = await fetch(`${stand.gate.issuer}/v1/access-requests/${id}/events`, { headers });
    if (!response.ok) return { status: response.status, seen: [] };
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const seen: { id: string; type: string; state: string }[] = [];
    let text = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const parts = text.split("\n\n");
      text = parts.pop()!;
      for (const part of parts) {
        const fields = Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s, 2)));
        if (!fields.data) continue;
        const data = JSON.parse(fields.data) as { type: string; access_request: ShownRequest };
        expect(data.type).toBe(fields.event);
        seen.push({ id: fields.id!, type: fields.event!, state: data.access_request.state });
      }
      if (seen.length >= enough) break;
    }
    return { status: 200, seen };
  }

  it("come as they happen, end with the request, and go on after the one that was seen last", async () => {
    const { gate, requester, approver } = stand;
    const { id } = await ask(gate, requester.token);
    const reading = events(id, requester.token, 3);
    await sleep(300);
    const approved = bodyOf<ShownRequest>(
      await review(gate, approver.token, id, { duration_seconds: 2 }),
      201,
    );
    const { seen } = await reading;
    expect(seen.map(({ type }) => type)).toEqual([
      "access_request.created",
      "access_request.approved",
      "grant.activated",
    ]);
    expect(seen.map(({ state }) => state)).toEqual(["pending", "approved", "approved"]);
    // Reconnected: what was missed, then the end of the grant, then the end of the stream.
    const rest = await events(id, requester.token, Number.POSITIVE_INFINITY, seen[1]!.id);
    expect(rest.seen.map(({ type }) => type)).toEqual(["grant.activated", "grant.expired"]);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(approved.grant!.access_expiry);
    // An id that nobody knows: everything.
    const all = await events(id, requester.token, Number.POSITIVE_INFINITY, "evt_unknown");
    expect(all.seen).toHaveLength(4);
    const stranger = await gate.newPerson(["approver"], ["requests:read"]);
    expect((await events(id, stranger.token, 1)).status).toBe(404);
    const may = await gate.newPerson(["approver"], APPROVER_SCOPES);
    expect((await events(id, may.token, 1)).status).toBe(200);
  });
});
