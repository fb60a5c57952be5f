import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { WebhookEvent } from "../../../src/webhooks/event.ts";
import { isResponseUrl } from "../../../src/webhooks/slack-click.ts";
import { escapeMrkdwn, slackAccepts, slackMessage } from "../../../src/webhooks/slack-message.ts";
import { slackSchema } from "../../../src/webhooks/slack-schema.ts";
import { SlackSecretBox } from "../../../src/webhooks/slack-settings.ts";
import { verifySlack } from "../../../src/webhooks/slack-signature.ts";

const NOW = 1_800_000_000;
const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
const BODY = "payload=%7B%7D";

const sign = (timestamp: string, body = BODY, secret = SECRET) =>
  `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex")}`;

describe("Slack's signature", () => {
  const check = (timestamp: string | null, signature: string | null, body = BODY, now = NOW) =>
    verifySlack({ timestamp, signature, body }, SECRET, now);

  it("is the one of Slack's own documentation", async () => {
    const body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    expect((await check("1531420618", signature, body, 1531420618)).ok).toBe(true);
    expect((await check("1531420618", signature, `${body}&`, 1531420618)).ok).toBe(false);
  });

  it.each([
    [0, true],
    [-300, true],
    [300, true],
    [-301, "too_old"],
    [301, "too_new"],
  ])("of %i seconds from now: %s", async (offset, expected) => {
    const timestamp = String(NOW + offset);
    const result = await check(timestamp, sign(timestamp));
    expect(result.ok || result.error).toBe(expected);
  });

  const at = String(NOW);
  const refusals: [string, string | null, string | null, string][] = [
    ["no timestamp", null, sign(at), "missing"],
    ["no signature", at, null, "missing"],
    ["another version", at, sign(at).replace("v0", "v1"), "malformed"],
    ["capital digits", at, sign(at).toUpperCase(), "malformed"],
    ["a cut one", at, sign(at).slice(0, -2), "malformed"],
    ["a timestamp that is no number", "now", sign("now"), "malformed"],
    ["another secret's", at, sign(at, BODY, "another"), "mismatch"],
    ["another body's", at, sign(at, "payload="), "mismatch"],
    ["another moment's", at, sign(String(NOW - 1)), "mismatch"],
  ];
  it.each(refusals)("is refused: %s", async (_name, timestamp, signature, error) => {
    expect(await check(timestamp, signature)).toEqual({ ok: false, error });
  });
});

describe("response_url", () => {
  it.each([
    "https://hooks.slack.com/actions/T1/1/x",
    "https://HOOKS.SLACK.COM/actions/T1/1/x",
    "https://hooks.slack.com:443/actions/T1/1/x",
  ])("may be %s", (url) => expect(isResponseUrl(url, false)).toBe(true));

  it.each([
    "http://hooks.slack.com/actions",
    "https://hooks.slack.com:8443/actions",
    "https://hooks.slack.com.evil.example/actions",
    "https://hooks.slack.com@evil.example/actions",
    "https://user:pw@hooks.slack.com/actions",
    "https://evil.example/hooks.slack.com",
    "https://slack.com/actions",
    "https://169.254.169.254/latest",
    "http://127.0.0.1:8080/",
    "http://localhost/",
    "//hooks.slack.com/actions",
    "file:///etc/passwd",
    "",
  ])("may not be %s", (url) => expect(isResponseUrl(url, false)).toBe(false));

  it("may be a double of Slack on a local deployment only", () => {
    expect(isResponseUrl("http://127.0.0.1:8080/actions", true)).toBe(true);
    expect(isResponseUrl("http://127.0.0.1.evil.example/actions", true)).toBe(false);
    expect(isResponseUrl("http://10.0.0.1/actions", true)).toBe(false);
  });
});

describe("a message", () => {
  const request = {
    ...{ id: "req_1", state: "pending", requester: "demo|ann", resource: "orders", scope: "orders:read" },
    ...{ duration_seconds: 60, justification: "because" },
  };
  const event = (access_request: object, type: WebhookEvent["type"] = "access_request.created") => ({
    ...{ id: "evt_1", type, timestamp: "2026-01-01T00:00:00Z" },
    data: { access_request: access_request as never },
  });
  const bob = { UBOB: { subject: "bob", roles: [] } };
  const actions = (
    access_request: object,
    approvers: typeof bob | object = bob,
    type?: WebhookEvent["type"],
  ) => {
    const message = slackMessage(
      event(access_request, type),
      "whe_1",
      { approvers: approvers as typeof bob },
      "https://i",
    );
    return JSON.stringify(message)
      .match(/"action_id":"\w+"/g)
      ?.map((text) => text.slice(13, -1));
  };

  it("has buttons that decide only where the rule and the endpoint let chat decide", () => {
    expect(actions({ ...request, decide_in_chat: true })).toEqual(["review_approve", "review_deny", "open"]);
    expect(actions(request)).toEqual(["open"]);
    expect(actions({ ...request, decide_in_chat: true }, {})).toEqual(["open"]);
  });

  it("has them in every stage, and none that decide on what is asked after the decision", () => {
    const chat = { ...request, decide_in_chat: true };
    for (const type of ["access_request.stage_passed", "access_request.reminder_due"] as const) {
      expect(actions(chat, bob, type)).toEqual(["review_approve", "review_deny", "open"]);
    }
    for (const type of ["grant.extension_requested", "break_glass.review_due"] as const) {
      expect(actions({ ...chat, state: "approved" }, bob, type)).toEqual(["open"]);
    }
  });

  it("of what happened later has no buttons, and one of something else says what it is", () => {
    const settings = { approvers: bob };
    const denied = slackMessage(
      { ...event(request), type: "access_request.denied" },
      "whe_1",
      settings,
      "https://i",
    );
    expect(JSON.stringify(denied)).not.toContain("action_id");
    const other = { ...event(request), type: "revocation.created" as const, data: {} };
    expect(slackMessage(other, "whe_1", { ...settings, channel: "C1" }, "https://i")).toEqual({
      channel: "C1",
      text: "revocation.created",
    });
  });

  it("has nothing in it that Slack would read as a mention, a link or a line of ours", () => {
    const hostile = {
      ...request,
      requester: "<@U1>",
      justification: `a\r\nb & <!here> ${"x".repeat(2_000)}`,
    };
    const text = JSON.stringify(slackMessage(event(hostile), "whe_1", { approvers: {} }, "https://i"));
    expect(text).toContain("&lt;@U1&gt;");
    expect(text).toContain("a b &amp; &lt;!here&gt;");
    expect(text).not.toContain("<");
    expect(text.length).toBeLessThan(2_000);
    expect(escapeMrkdwn("&lt;")).toBe("&amp;lt;");
  });

  it("shows what nobody would see: a name that only looks like another one, a text that is turned around", () => {
    const hostile = { ...request, requester: "corp|al\u200bice", justification: "read\u202eevorppa" };
    const text = JSON.stringify(slackMessage(event(hostile), "whe_1", { approvers: {} }, "https://i"));
    expect(text).toContain("corp|al[U+200B]ice");
    expect(text).toContain("read[U+202E]evorppa");
    expect(text).not.toMatch(/[\u200b\u202e]/);
  });

  it("was posted where Slack says ok", () => {
    expect(slackAccepts('{"ok":true,"ts":"1"}')).toBe(true);
    expect(slackAccepts(' { "ok" : true }')).toBe(true);
    for (const body of ['{"ok":false}', "", "ok", '{"error":"x","ok":true', '{"ok":"true"}']) {
      expect(slackAccepts(body), body).toBe(false);
    }
  });
});

describe("settings", () => {
  it("are whole, or refused", () => {
    const approvers = { U123: { subject: "bob", roles: ["approver"] } };
    for (const good of [
      {},
      { bot_token: "xoxb-1", channel: "C123" },
      { signing_secret: SECRET, approvers },
      { signing_secret: SECRET, bot_token: "xoxb-1", channel: "C123", approvers },
    ]) {
      expect(slackSchema.safeParse(good).success, JSON.stringify(good)).toBe(true);
    }
    for (const bad of [
      { bot_token: "xoxb-1" },
      { channel: "C123" },
      { approvers },
      { signing_secret: SECRET, approvers: { bob: { subject: "bob" } } },
      { signing_secret: "short" },
      { bot_token: "xoxb 1", channel: "C123" },
      { bot_token: "xoxb-1", channel: "#general" },
      { token: "x" },
    ]) {
      expect(slackSchema.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
  });

  it("keep their secrets sealed, each endpoint's for itself", async () => {
    const box = new SlackSecretBox({ PORTCULLIS_SECRET: "dGVzdC1zZWNyZXQtb25seS1mb3ItdGhlLXRlc3RzLTAx" });
    const secrets = { signing_secret: SECRET, bot_token: "xoxb-1" };
    const stored = await box.seal("whe_1", { ...secrets, channel: "C1", approvers: {} });
    expect(JSON.stringify(stored)).not.toContain(SECRET);
    expect(JSON.stringify(stored)).not.toContain("xoxb-1");
    expect(await box.open("whe_1", stored)).toEqual(secrets);
    expect(await box.open("whe_2", stored)).toBeUndefined();
  });
});
