import { describe, expect, it } from "vitest";
import { AskForm } from "../../../src/console/ask-form.tsx";
import { AskPage } from "../../../src/console/ask-page.tsx";
import { BulkDenial } from "../../../src/console/bulk-denial.tsx";
import { DetectionPage } from "../../../src/console/detection-page.tsx";
import { DetectionsPage } from "../../../src/console/detections-page.tsx";
import { FiringsPage } from "../../../src/console/firings-page.tsx";
import { GiveBack } from "../../../src/console/give-back.tsx";
import { Inbox } from "../../../src/console/inbox-page.tsx";
import { page } from "../../../src/console/page.tsx";
import { PasskeyPage } from "../../../src/console/passkey-page.tsx";
import { RequestPage } from "../../../src/console/request-page.tsx";
import { problem } from "../../../src/protocol/problem.ts";
import {
  NOW,
  sampleDetection,
  sampleFiring,
  sampleGrant,
  sampleRequest,
  sampleRule,
  VISITOR,
} from "./samples.ts";

/** What people and programs write where others read it. */
const HOSTILE = [
  "<script>alert(1)</script>",
  "</p><img src=x onerror=alert(1)>",
  '"><svg onload=alert(1)>',
  "' onmouseover='alert(1)",
  '" autofocus onfocus="alert(1)',
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "</textarea><script>alert(1)</script>",
  "</title><script>alert(1)</script>",
  "<!--",
  "]]><x>",
  "&lt;b&gt; &amp;quot;",
  "$&$1$$",
  "../../session/sign-out?x=1#y",
  "//evil.example/%2e%2e/?done=approved",
  '=HYPERLINK("https://evil.example")',
  "line one\nline two",
  "\u202egnp.exe",
  "\u0000\u001b[31m",
  "𝕳\ud800",
];

/** Elements with the names of their attributes, in order: what a text must not change. */
function skeleton(html: string): string[] {
  return Array.from(
    html.matchAll(/<(!?\/?[a-z][a-z0-9]*)((?:[^>"]|"[^"]*")*)>/gi),
    ([, name, attributes]) => {
      const names = Array.from(attributes!.matchAll(/([^\s="]+)(?:="[^"]*")?/g), ([, each]) => each);
      return [name, ...names].join(" ");
    },
  );
}

/** Addresses that the page leads to. */
function addresses(html: string): string[] {
  return Array.from(html.matchAll(/ (?:href|src|action)="([^"]*)"/g), ([, each]) => each!);
}

/** Every page of the room, with this text wherever somebody else's text goes. */
async function render(text: string): Promise<string> {
  const visitor = { ...VISITOR, subject: text };
  const review = { id: "evt_1", approver: text, outcome: "deny" as const, reviewed_at: NOW, stage: 1 };
  const request = sampleRequest({
    ...{
      requester: text,
      client_id: text,
      actors: [text],
      resource: text,
      justification: text,
      ticket: text,
    },
    ...{ rule: text, awaiting: { roles: [text], subjects: [text], count: 2 } },
    id: text,
    reviews: [{ ...review, comment: text, via: text }],
    grant: sampleGrant({ state: "revoked", revoked_at: NOW, revoked_by: text, revoke_reason: text }),
  });
  const standing = {
    grants: [sampleGrant({ resource: text, scope: "x" })],
    requests: [{ ...request, id: `${text}2`, state: "denied" as const }],
  };
  const filled = new URLSearchParams({ comment: text, duration: text });
  const wrong = problem("invalid_body", text, { faults: [text, text] });
  const refusal = { problem: wrong, filled, form: "review" as const };
  const rule = sampleRule({ id: text, resource: text, scopes: [text, "x"], ticket: { prefixes: [text] } });
  const scope = text.replaceAll(/\s/g, "_");
  const own = { ...request, scope, grant: sampleGrant({ access_request: text, resource: text, scope }) };
  const props = { visitor, now: NOW, version: "v", issuer: "https://gate.example", highRisk: true };
  const body = (
    <>
      <Inbox
        {...props}
        highRisk={new Set([text])}
        items={[request, request]}
        standings={new Map([[text, standing]])}
        cursor={text}
        next={text}
      />
      <RequestPage {...props} request={request} standing={standing} />
      <RequestPage {...props} request={{ ...request, requester: "other" }} standing={{}} refusal={refusal} />
      <RequestPage {...props} request={own} standing={{}} refusal={{ ...refusal, form: "extend" }} />
      <BulkDenial requests={[request]} visitor={visitor} />
      <AskPage
        {...props}
        grants={[own.grant]}
        requests={[request]}
        rules={[rule]}
        query={{ cursor: text, rules: text }}
        next={{ requests: text, rules: text }}
      />
      <AskForm rule={rule} visitor={visitor} issuer={text} nonce={text} filled={filled} problem={wrong} />
      <PasskeyPage
        passkeys={[{ id: text, name: text, created_at: NOW }]}
        visitor={visitor}
        now={NOW}
        problem={wrong}
      />
      <GiveBack grant={own.grant} visitor={visitor} now={NOW} />
    </>
  );
  const watching = watchingPages(text);
  return String(await page({ title: text, visitor, done: text, now: NOW, children: [body, watching] }));
}

/** What operators look at: ids, addresses and reasons that others chose. */
function watchingPages(text: string) {
  const about = { sub: text, jti: text, address: text, route: text };
  const outcomes = [
    { rule_id: text, outcome: "held", remediation_id: "rmd_1" },
    { rule_id: text, outcome: text, remediation_id: "rmd_2" },
  ];
  const detection = sampleDetection({ id: text, about, facts: { countries: text }, outcomes });
  const action = { kind: "shrink_scope", on: { sub: text }, scopes: [text], result: text };
  const ended = { at: NOW, by: text, reason: text };
  const fired = { rule_id: text, detection_id: text, actions: [action] };
  const confirmations = [{ actor: text, at: NOW, comment: text }];
  const held = sampleFiring({ ...fired, state: "held", held: { until: NOW + 60, needed: 3, confirmations } });
  const undone = sampleFiring({ ...fired, id: "rmd_2", state: "undone", ended });
  const visitor = { ...VISITOR, scopes: new Set(["remediation:write"]) };
  const wrong = problem("conflict", text);
  const props = { now: NOW, version: "v" };
  return (
    <>
      <DetectionsPage
        {...props}
        held={[held]}
        moreHeld={true}
        detections={[detection]}
        query={{ kind: text, sub: text, jti: text, address: text, cursor: text }}
        next={text}
      />
      <DetectionPage
        {...props}
        detection={detection}
        firings={[held, undone]}
        visitor={visitor}
        refusal={wrong}
      />
      <FiringsPage
        firings={[held, undone]}
        now={NOW}
        query={{ state: text, rule: text, cursor: text }}
        next={text}
      />
    </>
  );
}

describe("text of others", () => {
  it.each(HOSTILE)("changes nothing of the page but its text: %j", async (text) => {
    const [benign, hostile] = [await render("plain"), await render(text)];
    expect(skeleton(hostile)).toEqual(skeleton(benign));
    expect(skeleton(benign).length).toBeGreaterThan(200);
    for (const each of addresses(hostile))
      expect(each).toMatch(/^(?:\/console(?:\/|\?|$)|\/session\/sign-out$|#main$)/);
  });

  it("is found as it was written", async () => {
    expect(await render("a <b> & \"c\" 'd'")).toContain("a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  });

  it("of an address is never shown as what was done", async () => {
    const { title, visitor, now } = { title: "x", visitor: VISITOR, now: NOW };
    const html = (done: string) => Promise.resolve(page({ title, visitor, now, done })).then(String);
    expect(await html("approved")).toContain("Approved.");
    for (const done of ["Approved by the CEO", "toString", "__proto__", "constructor"])
      expect(await html(done)).not.toContain('role="status"');
  });
});
