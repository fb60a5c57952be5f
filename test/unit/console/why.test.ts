import { describe, expect, it } from "vitest";
import {
  checkText,
  demandText,
  readExplain,
  remedyText,
  withoutQuery,
} from "../../../src/console/explaining.ts";
import { CHECKS } from "../../../src/protocol/decision-trace.ts";
import { sampleDecision } from "./samples.ts";
import { world } from "./world.ts";

const TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln";
const SCOPES = "decisions:read policy:read";
const { at: _at, surface: _surface, method: _method, token: _token, ...TRACE } = sampleDecision();
const ANSWERS = {
  "GET /v1/decisions": { items: [sampleDecision()], next_cursor: "dec_8" },
  "GET /v1/decisions/dec_9": sampleDecision(),
  "POST /v1/explain": TRACE,
};

const why = (answers: Record<string, unknown> = ANSWERS, scope = SCOPES) => world({ scope, answers });

describe("a decision that was taken", () => {
  it("is found by its id", async () => {
    const { open } = why();
    const found = await open("/console/why?id=+dec_9+");
    expect(found.status).toBe(303);
    expect(found.headers.get("location")).toBe("/console/why/dec_9");
    const text = await (await open("/console/why/dec_9")).text();
    expect(text).toContain("GET was refused");
    expect(text).toContain("Send a token with the scope orders:write.");
    expect(text.indexOf("The token is genuine")).toBeLessThan(text.indexOf("It has the scopes"));
    expect(text).toContain("missing: orders:write");
  });

  it("is found in the list, which keeps its filters from page to page", async () => {
    const { open, asked } = why();
    const text = await (await open("/console/why?reason=scope_missing&sub=corp%7Cann")).text();
    expect(asked.at(-1)!.path).toBe("/v1/decisions?reason=scope_missing&sub=corp%7Cann&limit=50");
    expect(text).toContain('href="/console/why/dec_9"');
    expect(text).toContain('href="/console/why?reason=scope_missing&amp;sub=corp%7Cann&amp;cursor=dec_8"');
  });

  it("is not looked for, for who may only ask", async () => {
    const { open, asked } = why(ANSWERS, "policy:read");
    const text = await (await open("/console/why")).text();
    expect(asked).toEqual([]);
    expect(text).toContain('name="token"');
    expect(text).not.toContain('name="id"');
    expect(await (await why(ANSWERS, "decisions:read").open("/console/why")).text()).not.toContain(
      'name="token"',
    );
  });
});

describe("a token that is asked about", () => {
  const form = {
    ...{ method: "POST", url: "https://api.example/orders?access_token=abc", token: `Bearer ${TOKEN}` },
    headers: `x-trace: 1\r\ncookie: a=${TOKEN}`,
  };

  it("is sent in the body, and neither it nor a header or a query is shown again", async () => {
    const { send, asked } = why();
    const answer = await send("/console/why", form);
    expect(answer.status).toBe(200);
    expect(JSON.parse(asked.at(-1)!.body)).toEqual({
      ...{ method: "POST", url: form.url, token: TOKEN },
      headers: { "x-trace": "1", cookie: `a=${TOKEN}` },
    });
    expect(asked.at(-1)!.path).toBe("/v1/explain");
    const text = await answer.text();
    expect(text).toContain("POST https://api.example/orders");
    for (const secret of [TOKEN, "access_token", "x-trace"]) expect(text).not.toContain(secret);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("is not shown again either where the form is refused", async () => {
    const refusal = Response.json({ code: "invalid_body", detail: "url: is no address" }, { status: 400 });
    for (const bad of [
      why({ ...ANSWERS, "POST /v1/explain": refusal }).send("/console/why", form),
      why().send("/console/why", { ...form, headers: `Authorization Bearer ${TOKEN}` }),
      why().send("/console/why", { ...form, url: " " }),
    ]) {
      const answer = await bad;
      expect(answer.status).toBe(400);
      const text = await answer.text();
      expect(text).toContain('role="alert"');
      for (const secret of [TOKEN, "access_token", "x-trace"]) expect(text).not.toContain(secret);
    }
  });
});

describe("what is read of the form", () => {
  const read = (form: Record<string, string>) => readExplain(new URLSearchParams(form));

  it("is what the control plane takes, with what was left empty left out", () => {
    expect(read({ url: " https://a/b ", method: "", token: "", headers: "\n" })).toEqual({
      ok: true,
      value: { method: "GET", url: "https://a/b" },
    });
  });

  it("is refused by line, where a header is none", () => {
    const bad = read({ url: "https://a/", headers: "a: b\nno header" });
    expect(!bad.ok && bad.error.detail).toBe("Headers: line 2 is not “Name: value”.");
  });
});

describe("a decision in words", () => {
  it("has words for every check", () => {
    for (const check of CHECKS) expect(checkText(check)).toMatch(/^[A-Z]/);
    expect(checkText("a_new_one")).toBe("a new one");
  });

  it("says what is asked for", () => {
    expect(demandText({ any_of: ["a", "b"], max_age_seconds: 60, none: undefined })).toBe(
      "any of: a, b; max age seconds: 60",
    );
    expect(demandText()).toBe("");
  });

  it("says what would change it", () => {
    expect(remedyText({ kind: "scope", missing: ["a"], any_of: ["b", "c"] })).toBe(
      "Send a token with the scope a, and one of b, c.",
    );
    expect(remedyText({ kind: "sign_in", acr_values: ["mfa"], max_age_seconds: 300 })).toBe(
      "Sign in again with mfa, at most 5 min before.",
    );
    expect(remedyText({ kind: "grant", resource: "orders" })).toContain("access to orders");
    expect(remedyText({ kind: "method", allow: ["GET", "HEAD"] })).toBe("Use GET or HEAD.");
  });

  it("shows of an address neither query nor user", () => {
    expect(withoutQuery("https://ann:pw@a.example/b?c=d#e")).toBe("https://a.example/b");
    expect(withoutQuery("https://a.example/b@c")).toBe("https://a.example/b@c");
  });
});
