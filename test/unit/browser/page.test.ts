import { html } from "hono/html";
import { expect, it } from "vitest";
import { page } from "../../../src/browser/page.ts";
import { redirect } from "../../../src/browser/redirect.ts";

it("is not framed, cached, indexed or scripted, and its forms stay here", async () => {
  const answer = await page("Title", html`<p>${"<script>x</script>"}</p>`, { cookies: ["a=1", "b=2"] });
  const policy = answer.headers.get("content-security-policy")!;
  for (const directive of [
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]) {
    expect(policy.split("; ")).toContain(directive);
  }
  expect(policy).not.toMatch(/script-src|unsafe/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("x-robots-tag")).toBe("noindex, nofollow");
  // With `no-referrer` its own forms would have the origin `null`.
  expect(answer.headers.get("referrer-policy")).toBe("same-origin");
  expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(await answer.text()).toContain("<p>&lt;script&gt;x&lt;/script&gt;</p>");
});

it("lets a form lead on to a provider that is named, and to nobody else", async () => {
  const answer = await page("T", html``, { formTo: ["https://idp.example.com"] });
  expect(answer.headers.get("content-security-policy")).toContain(
    "form-action 'self' https://idp.example.com;",
  );
});

it("a redirect is followed by a GET, is not cached, and tells nobody where it came from", () => {
  const answer = redirect("https://app.example.com/", ["a=1"]);
  expect(answer.status).toBe(303);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    location: "https://app.example.com/",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "set-cookie": "a=1",
  });
});
