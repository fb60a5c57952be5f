import { describe, expect, it } from "vitest";
import { assetPath } from "../../../src/console/assets.ts";
import { NOW, sampleGrant, sampleRequest } from "./samples.ts";
import { world } from "./world.ts";

const REVIEWED = { "POST /v1/access-requests/req_1/reviews": sampleRequest({ state: "approved" }) };

describe("who opens a page", () => {
  it("is sent to sign in, and back to where they wanted", async () => {
    const { open, asked } = world();
    for (const cookie of ["", "over"]) {
      const answer = await open("/console/inbox?cursor=req_9", { cookie });
      expect(answer.status).toBe(303);
      expect(answer.headers.get("location")).toBe(
        "/session/sign-in?return_to=%2Fconsole%2Finbox%3Fcursor%3Dreq_9",
      );
    }
    expect(asked).toEqual([]);
  });

  it("is told so where the session cannot be asked", async () => {
    expect((await world().open("/console/inbox", { cookie: "broken" })).status).toBe(503);
  });

  it("sees the places that their scopes open, and no others", async () => {
    const approver = await (await world().open("/console/inbox")).text();
    expect(approver).toContain('href="/console/inbox" aria-current="page"');
    const nobody = await world({ scope: "" }).open("/console");
    expect(nobody.status).toBe(200);
    expect(await nobody.text()).not.toContain('href="/console/inbox"');
  });

  it("asks the control plane with the session's own token", async () => {
    const { open, asked } = world();
    await open("/console/inbox");
    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /v1/access-requests?reviewable=true&limit=20",
      "GET /v1/access-rules?reviewable=true&limit=200",
    ]);
    for (const { authorization } of asked) expect(authorization).toMatch(/^Bearer e30\./);
  });

  it("gets the control plane's refusal as a page, with the id that the log has", async () => {
    const refusal = Response.json(
      { code: "insufficient_scope", detail: "This call needs the scope requests:read.", status: 403 },
      { status: 403 },
    );
    const answer = await world({ answers: { "GET /v1/access-requests": refusal } }).open("/console/inbox");
    expect(answer.status).toBe(403);
    const text = await answer.text();
    expect(text).toContain("This call needs the scope requests:read.");
    expect(text).toContain("dec_1");
    const after = await world({ answers: { "GET /v1/access-requests": refusal } }).open(
      "/console/inbox?done=approved",
    );
    expect(await after.text()).not.toContain("Approved.");
  });

  it("gets 404 for a page that there is not, and no name of a file opens another", async () => {
    const { open } = world();
    expect((await open("/console/nothing")).status).toBe(404);
    expect((await open("/console/assets/..%2f..%2fsecrets", { cookie: "" })).status).toBe(404);
    expect((await open(assetPath("console.js"), { cookie: "" })).status).toBe(200);
  });
});

describe("a page with a form", () => {
  it.each([
    ["/console/revocations/new", "revocations:read", "revocations:write"],
    ["/console/revocations/rev_1/lift", "revocations:read", "revocations:write"],
    ["/console/webhooks/whe_1/delete", "webhooks:read", "webhooks:write"],
    ["/console/grants/grt_1/revoke", "grants:read", "grants:revoke"],
    ["/console/policy/edit", "policy:read", "policy:write"],
    ["/console/clients/new", "audit:read", "clients:write"],
    ["/console/why", "audit:read", "decisions:read or policy:read"],
  ])("%s says to who has %s only that it takes %s, and asks nothing", async (path, scope, needed) => {
    const { open, send, asked } = world({ scope });
    for (const answer of [await open(path), await send(path, {})]) {
      expect(answer.status).toBe(403);
      expect(await answer.text()).toContain(`This takes the scope ${needed}`);
    }
    expect(asked).toEqual([]);
    const [first = ""] = needed.split(" or ");
    expect((await world({ scope: first }).open(path)).status).not.toBe(403);
  });
});

describe("a page", () => {
  it("runs nothing but our own files, and is framed, kept and indexed by nobody", async () => {
    const answer = await world().open("/console/inbox");
    const policy = answer.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain("form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    expect(policy).not.toMatch(/unsafe|nonce|https?:|\*/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const text = await answer.text();
    expect(text).not.toMatch(/<style| style=| on[a-z]+=|<script(?![^>]* src=)/);
    expect(answer.headers.get("set-cookie")).toBeNull();
  });
});

describe("asking", () => {
  it("says where one has more grants than the page shows", async () => {
    const scope = "requests:create";
    const grants = { items: [sampleGrant()] };
    const page = async (more: object) => {
      const answers = { "GET /v1/grants": { ...grants, ...more } };
      return (await world({ scope, answers }).open("/console/ask")).text();
    };
    expect(await page({ next_cursor: "grt_1" })).toContain("You have more");
    expect(await page({})).not.toContain("You have more");
  });
});

describe("a request", () => {
  it.each([
    ["corp|alice", true],
    ["corp|bob", false],
  ])("of %s is shown with what helps to decide: %s", async (requester, helped) => {
    const answers = {
      "GET /v1/access-requests/req_1": sampleRequest({ requester, duration_seconds: 36_000 }),
    };
    const scope = "requests:read requests:read_all requests:review grants:read";
    const { open, asked } = world({ answers, scope });
    const text = await (await open("/console/access-requests/req_1")).text();
    expect(text.includes("They have not asked for this before.")).toBe(helped);
    expect(text.includes("Is for long: 10 h")).toBe(helped);
    expect(asked.some(({ path }) => path.startsWith("/v1/grants"))).toBe(helped);
  });
});

describe("a form", () => {
  const path = "/console/access-requests/req_1/reviews";

  it("is taken from a page of ours and of this session", async () => {
    const { send, asked } = world({ answers: REVIEWED });
    const answer = await send(path, { outcome: "approve", comment: "fine\r\nby me", from: "inbox" });
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe("/console/inbox?done=approved");
    expect(JSON.parse(asked.at(-1)!.body)).toEqual({ outcome: "approve", comment: "fine\nby me" });
  });

  it.each([
    ["of another site", {}, { "sec-fetch-site": "cross-site", origin: "https://evil.example" }, 403],
    ["that does not say where it is from", {}, { "sec-fetch-site": "", origin: "" }, 403],
    ["without the session's token", { csrf_token: "" }, {}, 403],
    ["with another session's token", { csrf_token: "A".repeat(43) }, {}, 403],
    ["as JSON", {}, { "content-type": "application/json" }, 415],
    ["as plain text", {}, { "content-type": "text/plain" }, 415],
  ])("%s changes nothing", async (_what, form, headers, status) => {
    const { send, asked } = world({ answers: REVIEWED });
    const present = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ""));
    const blank = Object.keys(headers).filter((name) => !(name in present));
    const answer = blank.length
      ? await world({ answers: REVIEWED }).open(path, { method: "POST", body: "outcome=approve" })
      : await send(path, { outcome: "approve", ...form }, present);
    expect(answer.status).toBe(status);
    expect(asked).toEqual([]);
  });

  it("that the control plane refuses is shown again, with what was filled in", async () => {
    const refusal = Response.json({ code: "conflict", detail: "Too late." }, { status: 409 });
    const answers = {
      "GET /v1/access-requests/req_1": sampleRequest(),
      [`POST ${path.replace("/console", "/v1")}`]: refusal,
    };
    const answer = await world({ answers }).send(path, { outcome: "approve", comment: "my words" });
    expect(answer.status).toBe(409);
    const text = await answer.text();
    expect(text).toContain("Too late.");
    expect(text).toContain("my words");
  });

  it("that needs a passkey is shown again, and asks for it", async () => {
    const revocation = {
      ...{ id: "rev_1", match: { sub: "corp|mallory" }, reason: "stolen", actor: "corp|olivia" },
      ...{ created_at: NOW, state: "awaiting_confirmation", history: [] },
    };
    const refusal = Response.json({ code: "passkey_required", detail: "Use your passkey." }, { status: 403 });
    const would_cut = { tokens: 2_000, grants: 0, subjects: 1, clients: 1 };
    const { send } = world({
      scope: "revocations:write",
      answers: {
        "GET /v1/revocations/rev_1": revocation,
        "POST /v1/revocations": { dry_run: true, would_cut, exact: true, sample: [] },
        "POST /v1/revocations/rev_1/confirm": refusal,
      },
    });
    const answer = await send("/console/revocations/rev_1/confirm", { comment: "seen" });
    expect(answer.status).toBe(403);
    const text = await answer.text();
    expect(text).toContain('data-passkey="revocation.confirm"');
    expect(text).toContain('name="revocation_id" value="rev_1"');
    expect(text).toContain("Cuts 2,000 live tokens");
  });
});
