import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { demoPolicy } from "../../src/local/demo-policy.ts";
import { describeInChromium, faultsOfPage } from "../support/chromium.ts";
import { type ConsoleStand, standUpConsole } from "../support/console-stand.ts";
import { bodyOf } from "../support/deployment.ts";

/** Each page with the scopes of which one opens it. Those of one thing answer 404 where it is not to be known of. */
const PAGES: readonly (readonly [path: string, ...anyOf: string[]])[] = [
  ["/inbox/deny", "requests:review"],
  // One sees one's own.
  ["/grants", "grants:read", "requests:read"],
  ["/grants/grt_x/revoke", "grants:revoke"],
  ["/revocations", "revocations:read"],
  ["/revocations/propagation", "revocations:read"],
  ["/revocations/new", "revocations:write"],
  ["/revocations/rev_x", "revocations:read"],
  ["/revocations/rev_x/confirm", "revocations:write"],
  ["/revocations/rev_x/lift", "revocations:write"],
  ["/keys", "keys:rotate"],
  ["/keys/rotate", "keys:rotate"],
  ["/policy", "policy:read"],
  ["/policy/edit", "policy:write"],
  ["/policy/versions/1", "policy:read"],
  ["/policy/versions/1/activate", "policy:write"],
  ["/clients", "clients:write"],
  ["/clients/new", "clients:write"],
  ["/clients/cli_x/edit", "clients:write"],
  ["/webhooks", "webhooks:read"],
  ["/webhooks/new", "webhooks:write"],
  ["/webhooks/new/slack", "webhooks:write"],
  ["/webhooks/whe_x", "webhooks:read"],
  ["/webhooks/whe_x/edit", "webhooks:write"],
  ["/webhooks/whe_x/again", "webhooks:write"],
  ["/traffic", "metrics:read"],
  ["/detections", "remediation:read"],
  ["/detections/firings", "remediation:read"],
  ["/detections/det_x", "remediation:read"],
  ["/why", "decisions:read", "policy:read"],
  ["/why/dec_x", "decisions:read"],
  ["/audit", "audit:read"],
  ["/audit/0", "audit:read"],
  ["/passkeys", "requests:review", "revocations:write", "remediation:write"],
];

const { roles } = demoPolicy({ identityProvider: "", origin: "" } as never) as unknown as {
  roles: Record<"developer" | "approver" | "operator", { scopes: string[] }>;
};
/** Sees everything that can be read, and changes nothing. */
const AUDITOR = [
  ...[
    "requests:read",
    "requests:read_all",
    "grants:read",
    "revocations:read",
    "policy:read",
    "webhooks:read",
  ],
  ...["audit:read", "metrics:read", "remediation:read", "decisions:read"],
];

let stand: ConsoleStand;
const path = (below: string) => `${stand.issuer}/console${below}`;

describeInChromium("each role", { timeout: 240_000 }, () => {
  beforeAll(async () => {
    stand = await standUpConsole((policy) => ({ ...policy, roles: { ...policy.roles, ...roles } }));
  });
  afterAll(() => stand?.stop());

  it.each([
    ["alice", "developer", roles.developer.scopes],
    ["bob", "approver", roles.approver.scopes],
    ["olivia", "operator", roles.operator.scopes],
  ] as const)(
    "%s, %s, sees the pages of that role and is refused the others by a page",
    async (person, _role, scopes) => {
      for (const javaScriptEnabled of [true, false]) {
        const page = await stand.signedIn(person, { javaScriptEnabled });
        await seesExactly(page, scopes);
      }
    },
  );

  it("an auditor sees what there is, and no page has a button that would change anything", async () => {
    const { gate } = stand;
    // What there is to be done with each of these, others are offered.
    const request = bodyOf<{ id: string }>(
      await gate.call("/v1/access-requests", {
        token: stand.requester.token,
        json: { resource: "orders", scope: "orders:read", duration_seconds: 600, justification: "a test" },
      }),
      201,
    );
    const approved = await gate.call(`/v1/access-requests/${request.id}/reviews`, {
      token: stand.approver.token,
      json: { outcome: "approve" },
    });
    bodyOf(approved, 201);
    const revocation = bodyOf<{ id: string }>(
      await gate.asOperator("/v1/revocations", {
        json: { match: { sub: "corp|mallory" }, reason: "a test" },
      }),
      201,
    );
    const json = { url: "https://hooks.example.com/x", events: ["*"] };
    const endpoint = bodyOf<{ id: string }>(await gate.asOperator("/v1/webhook-endpoints", { json }), 201);
    await becomesAuditor("approver");
    const page = await stand.signedIn("bob");
    await seesExactly(page, AUDITOR);
    for (const below of [
      `/access-requests/${request.id}`,
      `/grants/${request.id.replace("req_", "grt_")}`,
      `/revocations/${revocation.id}`,
      `/webhooks/${endpoint.id}`,
    ]) {
      expect([below, (await page.goto(path(below)))?.status()]).toEqual([below, 200]);
      expect([below, await buttonsOf(page)]).toEqual([below, []]);
    }
    await page.goto(path("/revocations/new"));
    expect(await faultsOfPage(page, "refused-role", "every")).toEqual([]);
  });
});

/** Opens every page, and follows every link of the navigation. */
async function seesExactly(page: Page, scopes: readonly string[]): Promise<void> {
  const reads = !scopes.some((scope) => /:(?:create|review|write|revoke|rotate)$/.test(scope));
  for (const [below, ...anyOf] of PAGES) {
    const answer = await page.goto(path(below));
    const may = anyOf.some((scope) => scopes.includes(scope));
    const isOne = /_x\b/.test(below);
    const expected = may ? (isOne ? [404] : [200, 400]) : [403];
    expect([below, expected, expected.includes(answer!.status()) || answer!.status()]).toEqual([
      below,
      expected,
      true,
    ]);
    const heading = await page.getByRole("heading", { level: 1 }).innerText();
    expect([below, heading === "This is not yours to do"]).toEqual([below, !may]);
    if (!may) await page.getByText("quote it when you ask for help").waitFor();
    if (reads || !may) expect([below, await buttonsOf(page)]).toEqual([below, []]);
  }
  await page.goto(path("/"));
  const links = await page
    .locator("nav[aria-label=Console] li a")
    .evaluateAll((all) => all.map((a) => a.getAttribute("href")!));
  expect(links.length).toBeGreaterThan(0);
  for (const link of links)
    expect([link, (await page.goto(stand.issuer + link))?.status()]).toEqual([link, 200]);
}

/** What a page would send that is more than a question: "why" is asked by a form, as a token goes in its body. */
function buttonsOf(page: Page): Promise<string[]> {
  return page
    .locator("form[method=post]:not([action='/console/why']) button, a.button.danger")
    .evaluateAll((all) => all.map((each) => each.textContent ?? ""));
}

async function becomesAuditor(role: keyof typeof roles): Promise<void> {
  type Policy = { version: number; document: { roles: object } };
  const { version, document } = bodyOf<Policy>(await stand.gate.asOperator("/v1/policy"), 200);
  const put = await stand.gate.asOperator("/v1/policy", {
    method: "PUT",
    headers: { "if-match": `"${version}"` },
    json: { ...document, roles: { ...document.roles, [role]: { scopes: AUDITOR } } },
  });
  bodyOf(put, 200);
}
