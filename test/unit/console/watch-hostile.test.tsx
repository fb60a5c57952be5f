import { describe, expect, it } from "vitest";
import type { AuditRecord } from "../../../src/client/contract.ts";
import { AuditPage } from "../../../src/console/audit-page.tsx";
import { AuditRecordPage } from "../../../src/console/audit-record-page.tsx";
import { DecisionView } from "../../../src/console/decision-view.tsx";
import { DetectionPage } from "../../../src/console/detection-page.tsx";
import { DetectionsPage } from "../../../src/console/detections-page.tsx";
import { FiringsPage } from "../../../src/console/firings-page.tsx";
import { page } from "../../../src/console/page.tsx";
import { TrafficPage } from "../../../src/console/traffic-page.tsx";
import { AskWhy, WhyPage } from "../../../src/console/why-page.tsx";
import { problem } from "../../../src/protocol/problem.ts";
import { addresses, HOSTILE, skeleton } from "./hostile.ts";
import { NOW, sampleDecision, sampleDetection, sampleFiring, sampleTraffic, VISITOR } from "./samples.ts";

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

/** Names of routes and reasons, ids of tokens, and what is filled in. */
function decisionPages(text: string) {
  const reasons = { [text]: 2 };
  const { since } = sampleTraffic();
  const traffic = sampleTraffic({
    series: [{ at: since, allow: 1, refuse: 2, reasons }],
    routes: [{ route: text, allow: 0, refuse: 2, reasons }],
    tokens: [{ iss: text, jti: text, refused: 2 }],
  });
  const decision = sampleDecision({
    ...{ decision_id: text, reason: text, route: text, origin: text, method: text, origin_fault: text },
    checks: [{ check: "scopes", outcome: "failed", demand: { missing: [text], [text]: text }, reason: text }],
    remedies: [{ kind: "scope", missing: [text], any_of: [text] }],
    token: { iss: text, sub: text, kid: text, jti: text, client_id: text, grant: text, session: text },
    unverified: { iss: text, kid: text, jti: text },
    ...{ address: text, country: text },
  });
  const query = { outcome: text, reason: text, route: text, sub: text, jti: text, cursor: text };
  const filled = new URLSearchParams({ method: text, url: text, token: text, headers: text });
  const refusal = problem("invalid_body", text, { faults: [text, text] });
  return (
    <>
      <TrafficPage traffic={traffic} range="hour" route={text} seesDecisions={true} />
      <DecisionView decision={decision} now={NOW} />
      <AskWhy visitor={VISITOR} filled={filled} refusal={refusal} />
      <WhyPage
        {...{ decisions: [decision], mayExplain: true, visitor: VISITOR, now: NOW, query, next: text }}
      />
    </>
  );
}

/** Names, reasons and ids that are recorded. */
function auditPages(text: string) {
  const record: AuditRecord = {
    ...{ seq: 4, id: text, at: NOW, type: "grant.revoked", source: text, call: text, request_id: text },
    ...{ actor: { subject: text, client_id: `${text}2`, actors: [text] }, about: text, reason: text },
    from: { country: text, address: text },
    data: { resource: text },
    erased: [text as never],
  };
  const proof = {
    ...{ seq: 4, size: 9, leaf_hash: text, root_hash: text, hashes: [text], checkpoint: text },
  };
  const query = { type: text, actor: text, about: text, request_id: text };
  return (
    <>
      <AuditPage
        {...{ records: [record], now: NOW, next: text }}
        query={{ ...query, since: text, until: text, cursor: text }}
      />
      <AuditRecordPage record={record} proof={proof} fault={text} now={NOW} />
    </>
  );
}

async function render(text: string): Promise<string> {
  const props = { title: "Watching", visitor: VISITOR, now: NOW };
  return String(
    await page({ ...props, children: [watchingPages(text), decisionPages(text), auditPages(text)] }),
  );
}

describe("text of others on the pages for watching", () => {
  it.each(HOSTILE)("changes nothing of the page but its text: %j", async (text) => {
    const [benign, hostile] = [await render("plain"), await render(text)];
    expect(skeleton(hostile)).toEqual(skeleton(benign));
    expect(skeleton(benign).length).toBeGreaterThan(200);
    for (const each of addresses(hostile))
      expect(each).toMatch(/^(?:\/console(?:\/|\?|$)|\/session\/sign-out$|#main$)/);
  });
});
