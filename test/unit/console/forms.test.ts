import { describe, expect, it } from "vitest";
import { world } from "./world.ts";

const SCOPE = [
  ...["requests:create", "requests:read", "requests:review", "grants:read", "grants:revoke", "keys:rotate"],
  ...["revocations:read", "revocations:write", "policy:read", "policy:write", "clients:write"],
  ...["webhooks:read", "webhooks:write", "remediation:read", "remediation:write", "decisions:read"],
  ...["audit:read", "metrics:read"],
].join(" ");
const { routes } = world({ scope: SCOPE });
const pathsOf = (method: string) => [
  ...new Set(routes.filter((each) => each.method === method).map(({ path }) => addressOf(path))),
];
/** `:act{rotate|delete}` stands for its first word, every other name for an id. */
function addressOf(path: string): string {
  return path
    .replaceAll(/:\w+\{\[0-9\][^/]*\}/g, "1")
    .replaceAll(/:\w+\{(\w+)[^}]*\}/g, "$1")
    .replaceAll(/:\w+/g, "x_1");
}
const POSTS = pathsOf("POST");
const GETS = pathsOf("GET").filter((path) => !path.includes("/assets/"));

const FOREIGN: [string, Record<string, string>, Record<string, string>][] = [
  ["of another site", {}, { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
  [
    "of another site, in a browser that tells its origin only",
    {},
    { "sec-fetch-site": "", origin: "https://evil.example" },
  ],
  [
    "of a neighbour under the same domain",
    {},
    { "sec-fetch-site": "same-site", origin: "https://app.gate.example" },
  ],
  ["of a page without an origin", {}, { "sec-fetch-site": "", origin: "null" }],
  ["that says nothing of where it is from", {}, { "sec-fetch-site": "", origin: "" }],
  ["without the session's token", { csrf_token: "" }, {}],
  ["with another session's token", { csrf_token: "A".repeat(43) }, {}],
];

describe("every form of the console", () => {
  it("is among those that are tried here", () => {
    expect(POSTS.length).toBeGreaterThan(40);
    for (const each of ["/console/revocations", "/console/clients/x_1/delete", "/console/webhooks/x_1/again"])
      expect(POSTS).toContain(each);
  });

  it.each(POSTS)(
    "%s is refused where it is not from a page of this session, and asks nothing",
    async (path) => {
      for (const [what, form, headers] of FOREIGN) {
        const { send, asked } = world({ scope: SCOPE });
        const answer = await send(path, { reason: "r", comment: "c", body: "{}", ...form }, headers);
        expect([what, answer.status, asked]).toEqual([what, 403, []]);
      }
    },
  );

  it.each(POSTS)("%s is taken from one", async (path) => {
    const { send, asked } = world({ scope: SCOPE });
    const answer = await send(path, { reason: "r", comment: "c" });
    expect(await answer.text()).not.toMatch(/Another site made this|This page is from another session/);
    // Either it went on to the control plane, or it says what is missing in the form.
    expect(asked.length > 0 || answer.status === 400 || answer.status === 404).toBe(true);
  });

  it.each(GETS)("%s, which a link opens, changes nothing", async (path) => {
    const { open, asked } = world({ scope: SCOPE });
    await open(path);
    const changes = asked.filter(
      ({ method, path: to }) => method !== "GET" && !/[?&]dry_run=true\b|^\/v1\/policy\/check$/.test(to),
    );
    expect(changes).toEqual([]);
  });
});
