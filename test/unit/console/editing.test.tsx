import { describe, expect, it } from "vitest";
import { consequencesOf, filledFrom, readClientEdit } from "../../../src/console/client-editing.ts";
import { ConfirmClientEdit, EditClient } from "../../../src/console/edit-client.tsx";
import { changesOf, patchOf } from "../../../src/console/editing.ts";
import {
  endpointConsequences,
  endpointFilled,
  readEndpointEdit,
  readSlack,
} from "../../../src/console/endpoint-editing.ts";
import type { ClientView, EndpointView } from "../../../src/console/operator-wire.ts";
import { NOW, VISITOR } from "./samples.ts";
import { world } from "./world.ts";

const CLIENT: ClientView = {
  ...{ id: "cli_1", name: "deployer", auth_method: "client_secret", grant_types: ["client_credentials"] },
  ...{ scopes: ["orders:read", "orders:write"], roles: ["robot"], introspects: [], revision: 7 },
  ...{ created_at: NOW, created_by: "corp|olivia", disabled: false },
};
const KEYED: ClientView = {
  ...{ ...CLIENT, auth_method: "private_key_jwt" },
  jwks: { keys: [{ kty: "OKP", crv: "Ed25519", x: "abc", kid: "k1" }] },
};
const html = async (children: object) => String(await children);

/** The form of a client with some fields filled in otherwise. */
function edited(client: ClientView, fields: Record<string, string | string[]> = {}): URLSearchParams {
  const form = filledFrom(client);
  for (const [name, values] of Object.entries(fields)) {
    form.delete(name);
    for (const value of [values].flat()) form.append(name, value);
  }
  return form;
}

describe("an edit", () => {
  it("is what differs, whatever the order of lists", () => {
    const before = { a: ["x", "y"], b: "one", c: true, d: ["z"] };
    expect(patchOf(before, { a: ["y", "x"], b: "one", c: true, d: ["z"], e: undefined, f: false })).toEqual(
      {},
    );
    expect(patchOf(before, { a: ["y"], b: "two", c: false, d: [], e: null, f: "new" })).toEqual({
      ...{ a: ["y"], b: "two", c: false, d: [], f: "new" },
    });
  });

  it("is told by the names that people know", () => {
    expect(changesOf({ a: ["x"], b: true }, { a: [], b: false, c: "new" }, { a: "Things" })).toEqual([
      { what: "Things", before: ["x"], after: [] },
      { what: "b", before: ["yes"], after: [] },
      { what: "c", before: [], after: ["new"] },
    ]);
  });
});

describe("the form of a client", () => {
  it("that is sent as it was changes nothing, and says so", () => {
    for (const client of [CLIENT, KEYED, { ...CLIENT, dpop_bound_access_tokens: true }])
      expect(readClientEdit(edited(client), client)).toMatchObject({ error: { code: "invalid_body" } });
  });

  it.each([
    [{ name: "other" }, { name: "other" }],
    [{ scopes: "orders:read" }, { scopes: ["orders:read"] }],
    [{ scopes: "orders:write,x orders:read" }, { scopes: ["orders:write,x", "orders:read"] }],
    [{ roles: "" }, { roles: [] }],
    [{ introspects: "https://api.example" }, { introspects: ["https://api.example"] }],
    [{ grant_type: ["refresh_token"] }, { grant_types: ["refresh_token"] }],
    [{ auth_method: "client_secret_basic" }, { auth_method: "client_secret_basic" }],
    [{ dpop: "true" }, { dpop_bound_access_tokens: true }],
    [{ tls: "true" }, { tls_client_certificate_bound_access_tokens: true }],
  ])("with %j changes %j and no more", (fields, patch) => {
    expect(readClientEdit(edited(CLIENT, fields), CLIENT)).toEqual({ ok: true, value: patch });
  });

  it.each([
    [CLIENT, { name: " " }, "name"],
    [CLIENT, { grant_type: [] }, "how it gets tokens"],
    [KEYED, { jwks: "" }, "one of the two"],
    [KEYED, { jwks_uri: "https://keys.example/jwks" }, "one of the two"],
    [KEYED, { jwks: "[1]" }, "no JSON object"],
  ])("is not taken without what is needed: %#", (client, fields, says) => {
    const read = readClientEdit(edited(client, fields), client);
    expect(read).toMatchObject({ ok: false, error: { detail: expect.stringContaining(says) } });
  });

  it("moves from keys to their address, and never from keys to a secret", () => {
    const moved = edited(KEYED, { jwks: "", jwks_uri: "https://keys.example/jwks" });
    expect(readClientEdit(moved, KEYED)).toEqual({
      ok: true,
      value: { jwks_uri: "https://keys.example/jwks", jwks: null },
    });
    const secret = edited(KEYED, { auth_method: "client_secret", name: "x" });
    expect(readClientEdit(secret, KEYED)).toEqual({ ok: true, value: { name: "x" } });
  });

  it("says of each change what it means, and nothing of one that means nothing", async () => {
    const says = (patch: object) => consequencesOf(CLIENT, patch).join(" ");
    expect(says({ name: "x", scopes: [...CLIENT.scopes, "more"] })).toBe("");
    expect(says({ scopes: ["orders:read"] })).toContain("keep what they have until they end");
    expect(says({ roles: [] })).toContain("keep what they have until they end");
    expect(says({ auth_method: "client_secret_post" })).toContain("another way");
    expect(says({ dpop_bound_access_tokens: true })).toContain("no token any more");
    expect(says({ dpop_bound_access_tokens: false })).toBe("");
    const page = await html(
      <ConfirmClientEdit client={CLIENT} patch={{ scopes: ["new"] }} visitor={VISITOR} mayRevoke={true} />,
    );
    expect(page.match(/badge bad">removed/g)).toHaveLength(2);
    expect(page.match(/badge waiting">new/g)).toHaveLength(1);
    expect(page).toContain("/console/revocations/new?client_id=cli_1");
    expect(
      await html(
        <EditClient client={KEYED} visitor={VISITOR} filled={filledFrom(KEYED)} problem={undefined} />,
      ),
    ).not.toContain("Sends its secret");
  });
});

describe("a client that is edited", () => {
  const scope = "clients:write";
  const answers = { "GET /v1/clients/cli_1": CLIENT, "PATCH /v1/clients/cli_1": { ...CLIENT, revision: 8 } };

  it("is changed after a page that says how, as it was when the page was made", async () => {
    const { send, asked } = world({ scope, answers });
    const form = edited(CLIENT, { scopes: "orders:read" });
    const page = await send("/console/clients/cli_1/edit", Object.fromEntries(form));
    expect(page.status).toBe(200);
    expect(asked.every(({ method }) => method === "GET")).toBe(true);
    const patch = JSON.stringify({ scopes: ["orders:read"] });
    expect(await page.text()).toContain(`name="patch" value="${patch.replaceAll('"', "&quot;")}"`);
    const done = await send("/console/clients/cli_1/change", { patch, revision: "7" });
    expect(done.headers.get("location")).toBe("/console/clients/cli_1?done=client-changed");
    expect(asked.at(-1)).toMatchObject({ method: "PATCH", body: patch, ifMatch: '"7"' });
  });

  it("that somebody else changed meanwhile is shown as it is now, and nothing is changed", async () => {
    const { send, asked } = world({ scope, answers });
    const form = edited(CLIENT, { scopes: "orders:read", revision: "6" });
    const late = await send("/console/clients/cli_1/edit", Object.fromEntries(form));
    expect(late.status).toBe(412);
    const text = await late.text();
    expect(text).toContain("Somebody changed it meanwhile");
    expect(text).toContain('value="orders:read orders:write"');
    expect(asked.every(({ method }) => method === "GET")).toBe(true);
    const failed = Response.json({ code: "precondition_failed", detail: "no" }, { status: 412 });
    const other = world({ scope, answers: { ...answers, "PATCH /v1/clients/cli_1": failed } });
    const refused = await other.send("/console/clients/cli_1/change", { patch: "{}", revision: "7" });
    expect(refused.status).toBe(412);
    expect(await refused.text()).toContain("Somebody changed it meanwhile");
  });
});

describe("an endpoint of Slack", () => {
  it("is read from lines of people, each once", () => {
    const form = (approvers: string) =>
      readSlack(new URLSearchParams({ bot_token: "xoxb-1", channel: " C1 ", signing_secret: "", approvers }));
    expect(form("U1 corp|bob approver, lead\r\n\r\nU2 corp|ann\n")).toEqual({
      ok: true,
      value: {
        ...{ bot_token: "xoxb-1", channel: "C1" },
        approvers: {
          U1: { subject: "corp|bob", roles: ["approver", "lead"] },
          U2: { subject: "corp|ann", roles: [] },
        },
      },
    });
    for (const wrong of ["U1", "U1 corp|bob\nU1 corp|ann"])
      expect(form(wrong)).toMatchObject({ ok: false, error: { code: "invalid_body" } });
    const odd = form("__proto__ corp|bob");
    expect(JSON.stringify(odd.ok && odd.value)).toContain('"approvers":{"__proto__":{"subject":"corp|bob"');
  });

  it("never shows a secret again that was typed, not where the form is refused either", async () => {
    const { send } = world({ scope: "webhooks:write" });
    const answer = await send("/console/webhooks/new/slack", {
      ...{
        url: "https://hooks.slack.com/x",
        events: "*",
        bot_token: "xoxb-s3cret",
        signing_secret: "5ecret",
      },
      ...{ approvers: "U1", nonce: "n" },
    });
    expect(answer.status).toBe(400);
    const text = await answer.text();
    expect(text).toContain("one person a line");
    expect(text).not.toMatch(/s3cret|5ecret/);
  });
});

describe("the form of an endpoint", () => {
  const endpoint: EndpointView = {
    ...{ id: "whe_1", url: "https://x.example/hook", events: ["grant.*", "revocation.*"], enabled: true },
    ...{ description: "chat", created_at: NOW, revision: 3, signature: "hmac" },
  };
  const read = (fields: Record<string, string>) => {
    const form = endpointFilled(endpoint);
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    return readEndpointEdit(form, endpoint);
  };

  it("changes what differs, and takes a description away", () => {
    expect(read({})).toMatchObject({ error: { code: "invalid_body" } });
    expect(read({ events: "revocation.* grant.*" }).ok).toBe(false);
    expect(read({ events: "grant.*" })).toEqual({ ok: true, value: { events: ["grant.*"] } });
    expect(read({ description: "" })).toEqual({ ok: true, value: { description: null } });
    expect(read({ url: "https://y.example/" })).toEqual({ ok: true, value: { url: "https://y.example/" } });
  });

  it("says what that means", () => {
    expect(endpointConsequences(endpoint, { events: ["grant.*"] }).join()).toContain(
      "not told of those any more",
    );
    expect(endpointConsequences(endpoint, { url: "https://y.example/" }).join()).toContain("new address");
    expect(endpointConsequences(endpoint, { events: ["*", ...endpoint.events], description: null })).toEqual(
      [],
    );
  });

  it("is sent chosen deliveries again, and none where none is chosen", async () => {
    const answers = { "POST /v1/webhook-endpoints/whe_1/redeliver": { redelivered: 1, remaining: 0 } };
    const { send, asked } = world({ scope: "webhooks:write", answers });
    const sent = await send("/console/webhooks/whe_1/redeliver", { delivery: "dlv_1" });
    expect(sent.headers.get("location")).toBe("/console/webhooks/whe_1?done=sent-again");
    expect(JSON.parse(asked.at(-1)!.body)).toEqual({ deliveries: ["dlv_1"] });
    expect((await send("/console/webhooks/whe_1/redeliver", {})).status).toBe(400);
    expect((await send("/console/webhooks/whe_1/again", { since: "soon" })).status).toBe(400);
    expect(asked).toHaveLength(1);
  });
});
