import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AskForm } from "../../../src/console/ask-form.tsx";
import { AskPage } from "../../../src/console/ask-page.tsx";
import { BulkDenial } from "../../../src/console/bulk-denial.tsx";
import { GiveBack } from "../../../src/console/give-back.tsx";
import { Inbox } from "../../../src/console/inbox-page.tsx";
import { page } from "../../../src/console/page.tsx";
import { PasskeyPage } from "../../../src/console/passkey-page.tsx";
import { RequestPage } from "../../../src/console/request-page.tsx";
import { problem } from "../../../src/protocol/problem.ts";
import { addresses, HOSTILE, skeleton } from "./hostile.ts";
import { NOW, sampleGrant, sampleRequest, sampleRule, VISITOR } from "./samples.ts";

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
      <RequestPage {...props} request={own} standing={undefined} refusal={{ ...refusal, form: "extend" }} />
      <BulkDenial requests={[request]} visitor={visitor} />
      <AskPage
        {...props}
        moreGrants={true}
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
  return String(await page({ title: text, visitor, done: text, now: NOW, children: body }));
}

const HERE = import.meta.dirname;
const SOURCE = `${HERE}/../../../src/console`;

describe("text of others", () => {
  it("is tried on every page that a route answers", () => {
    const textOf = (folder: string, files: string[]) =>
      files.map((file) => readFileSync(`${folder}/${file}`, "utf8")).join("\n");
    const componentsIn = (text: string) =>
      new Set(Array.from(text.matchAll(/<([A-Z]\w+)(?:\s+[{a-z]|\s*\/>)/g), ([, name]) => name!));
    const routes = readdirSync(SOURCE).filter((file) => /routes\.tsx$/.test(file));
    const answered = componentsIn(textOf(SOURCE, routes));
    const tried = componentsIn(
      textOf(HERE, ["hostile-text.test.tsx", "watch-hostile.test.tsx", "operator-pages.test.tsx"]),
    );
    // The first has no text of others; the second stands in pages that are tried.
    const others = ["Empty", "Command"];
    expect([...answered].filter((name) => !tried.has(name) && !others.includes(name))).toEqual([]);
    expect(answered.size).toBeGreaterThan(30);
  });

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

  it("that would not be seen is written out", async () => {
    const html = await render("al\u200bice\u202egnp.exe");
    expect(html).toContain("al[U+200B]ice[U+202E]gnp.exe");
    const seen = html.replaceAll(/<textarea[^>]*>[^<]*|<(?:[^>"]|"[^"]*")*>/g, "");
    expect(seen).not.toMatch(/[\u200b\u202e]/);
  });

  it("of an address is never shown as what was done", async () => {
    const { title, visitor, now } = { title: "x", visitor: VISITOR, now: NOW };
    const html = (done: string) => Promise.resolve(page({ title, visitor, now, done })).then(String);
    expect(await html("approved")).toContain("Approved.");
    for (const done of ["Approved by the CEO", "toString", "__proto__", "constructor"])
      expect(await html(done)).not.toContain('role="status"');
  });
});
