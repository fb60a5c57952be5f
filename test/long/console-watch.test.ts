import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { addAuthenticator, complaintsOf, describeInChromium, faultsOfPage } from "../support/chromium.ts";
import { type ConsoleStand, standUpConsole } from "../support/console-stand.ts";
import { bodyOf, type Client, clientToken } from "../support/deployment.ts";

/** Pages are looked at in each size and scheme, which takes its time on a busy machine. */
const LOOKING_MS = 240_000;
/** Isolates tell after seconds, and the machine may be busy. */
const TOLD_WITHIN_MS = 60_000;

/** One rule is held for a person, one acts, one is in the shadow. */
const REMEDIATION = {
  rules: [
    {
      ...{ id: "too-much", when: "token_overused", max_cut: 0, cooldown_seconds: 0 },
      actions: [{ kind: "revoke", target: "token" }, { kind: "notify" }],
    },
    {
      ...{ id: "forgers", when: "token_tampered" },
      actions: [{ kind: "block_address", seconds: 600 }],
    },
    {
      ...{ id: "shared", when: "token_many_addresses", shadow: true },
      actions: [{ kind: "step_up", target: "token" }],
    },
  ],
};

let stand: ConsoleStand;
let machine: Client;
const path = (below: string) => `${stand.issuer}/console${below}`;

describeInChromium("watching", { timeout: LOOKING_MS }, () => {
  beforeAll(async () => {
    stand = await standUpConsole((policy) => ({
      ...policy,
      routes: [
        ...policy.routes,
        { id: "things", path: "/things/**", origin: "demo", access: { scopes: ["things:read"] } },
      ],
      detections: {
        token_overused: { threshold: 301, window_seconds: 60 },
        token_tampered: { threshold: 5, window_seconds: 60 },
        token_many_addresses: { threshold: 10, window_seconds: 3600 },
      },
      remediation: REMEDIATION,
      revocations: { confirm_above: 1000, confirm_with_passkey: true },
    }));
    machine = await stand.gate.newClient({ scopes: ["things:read"] });
  });
  afterAll(() => stand?.stop());

  it("shows what was noticed, and lets a person confirm, give up and take back", async () => {
    const olivia = await stand.signedIn("olivia");
    const complaints = complaintsOf(olivia, stand.own);
    await olivia.goto(path("/detections"));
    await olivia.getByRole("heading", { name: "Nothing was noticed" }).waitFor();
    expect(await faultsOfPage(olivia, "detections-empty")).toEqual([]);

    const [first, second] = [await token(), await token()];
    await Promise.all([use(first, 420), use(second, 420)]);
    await use(first, 12, (n) => `198.51.100.${n}`);
    await use(forged(first), 6, () => "192.0.2.66");
    await seen(["token_overused", "token_overused", "token_many_addresses", "token_tampered"]);

    await olivia.goto(path("/detections"));
    const held = olivia.getByRole("region", { name: "Waits for you" });
    expect(await held.getByRole("article").count()).toBe(2);
    expect(await faultsOfPage(olivia, "detections", "every")).toEqual([]);

    await held.getByRole("link").first().click();
    expect(await faultsOfPage(olivia, "detection-held", "every")).toEqual([]);
    await olivia.getByLabel("Comment").fill("seen the traffic");
    const act = olivia.getByRole("button", { name: "Let it act: will cut 1 live token of ours" });
    await act.click();
    // Whoever has no passkey yet is told what to do, and nothing is sent.
    await olivia.getByRole("alert").filter({ hasText: "confirmed with a passkey" }).waitFor();
    expect(await faultsOfPage(olivia, "detection-passkey")).toEqual([]);
    await act.click();
    await olivia.getByRole("alert").filter({ hasText: "You have no passkey yet" }).waitFor();
    const unconfirmed = await stand.gate.asOperator("/v1/remediations?state=held");
    const [waits] = bodyOf<{ items: { id: string }[] }>(unconfirmed, 200).items;
    const plainly = await stand.gate.asOperator(`/v1/remediations/${waits!.id}/confirm`, { json: {} });
    expect(plainly).toMatchObject({ status: 403, body: { code: "passkey_required" } });
    await addAuthenticator(olivia);
    await olivia.goto(path("/passkeys"));
    await olivia.getByLabel("Name").fill("this device");
    await olivia.getByRole("button", { name: "Add a passkey" }).click();
    await said(olivia, "The passkey is added.");
    await olivia.goto(path("/detections"));
    await held.getByRole("link").first().click();
    await olivia.getByLabel("Comment").fill("seen the traffic");
    await act.click();
    await olivia.getByRole("alert").filter({ hasText: "confirmed with a passkey" }).waitFor();
    expect(await olivia.getByLabel("Comment").inputValue()).toBe("seen the traffic");
    await act.click();
    await said(olivia, "Confirmed: it acts.");
    await olivia.getByText("holds everywhere by").waitFor();
    expect(await faultsOfPage(olivia, "detection-acted", "every")).toEqual([]);
    const { jti } = await confirmed();
    const [cut, left] = jtiOf(first) === jti ? [first, second] : [second, first];
    await untilStatus(cut, 401);
    expect(await status(left)).toBe(200);

    await olivia.getByLabel("Why it is taken back").fill("it was a load test");
    await olivia.getByRole("button", { name: "Take back what can be taken back" }).click();
    await said(olivia, "Taken back");
    expect(await faultsOfPage(olivia, "detection-undone")).toEqual([]);
    await untilStatus(cut, 200);
    // The challenge of somebody without a passkey is refused, which the page says.
    expect(complaints.splice(0).filter((each) => !each.includes("/passkeys/challenges"))).toEqual([]);

    // The other one is given up, without scripts.
    const plain = await stand.signedIn("olivia", { javaScriptEnabled: false });
    await plain.goto(path("/detections"));
    await plain.getByRole("region", { name: "Waits for you" }).getByRole("link").click();
    await plain.getByText("Give it up instead").click();
    await plain.getByLabel("Why it is given up").fill("also a load test");
    await plain.getByRole("button", { name: "Give it up" }).click();
    await said(plain, "Given up.");
    expect(await status(left)).toBe(200);

    await plain.goto(path("/detections/firings?state=shadow"));
    await plain.getByRole("row", { name: /shared.*another sign-in/ }).waitFor();
    await olivia.goto(path("/detections/firings"));
    expect(await olivia.getByRole("row").count()).toBe(5);
    expect(await faultsOfPage(olivia, "firings", "every")).toEqual([]);
    await olivia.goto(path("/detections"));
    await olivia.getByLabel("Kind").selectOption("token_tampered");
    await olivia.getByRole("button", { name: "Filter" }).click();
    expect(await olivia.getByRole("row").count()).toBe(2);
    await olivia.getByRole("link", { name: "Token tampered" }).click();
    await olivia.getByText("192.0.2.66").first().waitFor();
    expect(complaints).toEqual([]);
  });

  it("shows decisions over time and why each was taken, and asks about a token that is not shown again", async () => {
    const olivia = await stand.signedIn("olivia");
    const complaints = complaintsOf(olivia, stand.own);
    await olivia.goto(path("/traffic?route=nothing"));
    await olivia.getByRole("heading", { name: "No decision in this time" }).waitFor();
    expect(await faultsOfPage(olivia, "traffic-empty")).toEqual([]);
    const held = await token();
    await use(held, 20);
    const refused = await stand.gate.call("/orders/1", { token: held });
    expect(refused.status).toBe(403);
    const { decision_id } = refused.body as { decision_id: string };
    const counted = () => stand.gate.asOperator(`/v1/decisions/${decision_id}`);
    await expect.poll(async () => (await counted()).status, { timeout: TOLD_WITHIN_MS }).toBe(200);

    await olivia.goto(path("/traffic"));
    await olivia.getByText("As a table").click();
    expect(await faultsOfPage(olivia, "traffic", "every")).toEqual([]);
    for (const range of ["6-hours", "day", "week", "month"]) {
      await olivia.getByLabel("Time", { exact: true }).selectOption(range);
      await olivia.getByRole("button", { name: "Filter" }).click();
      await olivia.getByRole("heading", { name: "Decisions over time" }).waitFor();
    }
    await olivia.getByRole("link", { name: "scope missing" }).click();
    expect(await olivia.getByRole("link", { name: "scope missing" }).count()).toBeGreaterThan(0);
    expect(await faultsOfPage(olivia, "why", "every")).toEqual([]);
    await olivia.getByLabel("Decision", { exact: true }).fill(decision_id);
    await olivia.getByRole("button", { name: "Why?" }).click();
    await olivia.getByText("Send a token with the scope orders:read.").waitFor();
    expect(await faultsOfPage(olivia, "why-decision", "every")).toEqual([]);
    expect(complaints).toEqual([]);

    for (const javaScriptEnabled of [true, false]) {
      const page = await stand.signedIn("olivia", { javaScriptEnabled });
      await page.goto(path("/why"));
      await page.getByText("Ask what the gate would do").click();
      if (javaScriptEnabled) expect(await faultsOfPage(page, "why-form", "every")).toEqual([]);
      await page.getByLabel("Address").fill(`${stand.issuer}/orders/1?a=b`);
      await page.getByLabel("Access token").fill(held);
      await page.getByLabel("Further headers").fill("no header");
      await page.getByRole("button", { name: "Ask", exact: true }).click();
      await page.getByRole("alert").waitFor();
      expect(await page.content()).not.toContain(held);
      if (javaScriptEnabled) expect(await faultsOfPage(page, "why-refused")).toEqual([]);
      await page.getByLabel("Access token").fill(held);
      await page.getByRole("button", { name: "Ask", exact: true }).click();
      await page.getByText("Send a token with the scope orders:read.").waitFor();
      expect(await page.content()).not.toContain(held);
      expect(page.url()).toBe(path("/why"));
      if (javaScriptEnabled) expect(await faultsOfPage(page, "why-explained")).toEqual([]);
    }
    expect(stand.runtime.logs.join("\n")).not.toContain(held);
  });

  it.each([true, false])("shows who changed what, with a proof that holds (scripts: %s)", async (scripts) => {
    const olivia = await stand.signedIn("olivia", { javaScriptEnabled: scripts });
    const complaints = complaintsOf(olivia, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (scripts) expect(await faultsOfPage(olivia, name, looks)).toEqual([]);
    };
    const { id } = bodyOf<{ id: string }>(
      await stand.gate.asOperator("/v1/revocations", {
        json: { match: { jti: "tok_x" }, reason: "audit me" },
      }),
      201,
    );
    const recorded = async () => {
      const answer = await stand.gate.asOperator("/v1/audit/events?type=revocation.created&limit=1");
      return JSON.stringify(answer.body);
    };
    await expect.poll(recorded, { timeout: TOLD_WITHIN_MS }).toContain(id);
    await olivia.goto(path("/audit"));
    await looked("audit", "every");
    await olivia.getByLabel("What").selectOption("revocation.created");
    await olivia.getByRole("button", { name: "Filter" }).click();
    await olivia
      .getByRole("row", { name: /audit me/ })
      .first()
      .getByRole("link")
      .click();
    await olivia.getByText(/is in the log of \d+ records/).waitFor();
    await olivia.getByText("Audit path and checkpoint").click();
    await looked("audit-record", "every");
    await olivia.goto(path("/audit?about=nobody-at-all"));
    await olivia.getByRole("heading", { name: "Nothing is recorded" }).waitFor();
    await looked("audit-empty");
    const download = olivia.waitForEvent("download");
    await olivia.getByRole("link", { name: "NDJSON" }).click();
    expect((await download).suggestedFilename()).toBe("audit-ndjson.ndjson");
    expect(await (await download).failure()).toBeNull();
    expect(complaints).toEqual([]);
  });

  it("tells a person before a browser why a page is refused, and a script as ever", async () => {
    const page = await stand.signedIn("alice");
    const complaints = complaintsOf(page, stand.own);
    expect((await page.goto(`${stand.issuer}/orders/1`))?.status()).toBe(401);
    await page.getByRole("heading", { name: "You have to sign in for this" }).waitFor();
    expect(await faultsOfPage(page, "refused", "every")).toEqual([]);
    expect((await page.goto(`${stand.issuer}/no/such/page`))?.status()).toBe(404);
    expect(complaints).toEqual([]);
    const answer = await stand.gate.call("/orders/1");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  it("is for who may, and nobody else", async () => {
    const alice = await stand.signedIn("alice");
    for (const name of ["Detections", "Traffic", "Why", "Audit"])
      expect(await alice.getByRole("link", { name }).count()).toBe(0);
    for (const page of [
      "/detections",
      "/detections/firings",
      "/traffic",
      "/why/dec_1",
      "/audit",
      "/audit/0",
      "/audit/export",
    ])
      expect((await alice.goto(path(page)))?.status()).toBe(403);
  });
});

async function said(page: Page, text: string): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}

function token(): Promise<string> {
  return clientToken(stand.gate.issuer, machine, ORIGIN_AUDIENCE);
}

async function status(token: string, from = "192.0.2.1"): Promise<number> {
  return (await stand.gate.call("/things/1", { token, headers: { "cf-connecting-ip": from } })).status;
}

/** Many requests, a few at a time. */
async function use(token: string, times: number, from: (n: number) => string = () => "192.0.2.1") {
  for (let done = 0; done < times; done += 10) {
    const some = Array.from({ length: Math.min(10, times - done) }, (_, n) => status(token, from(done + n)));
    await Promise.all(some);
  }
}

async function untilStatus(token: string, wanted: number): Promise<void> {
  await expect.poll(() => status(token), { timeout: TOLD_WITHIN_MS }).toBe(wanted);
}

/** Until exactly these are listed. */
async function seen(kinds: string[]): Promise<void> {
  const listed = async () => {
    const answer = await stand.gate.asOperator("/v1/detections");
    return bodyOf<{ items: { kind: string }[] }>(answer, 200)
      .items.map(({ kind }) => kind)
      .sort();
  };
  await expect.poll(listed, { timeout: TOLD_WITHIN_MS }).toEqual(kinds.sort());
}

/** Whom the firing that was confirmed is for. */
async function confirmed(): Promise<{ jti: string }> {
  type Firing = {
    held?: { confirmations: { actor: string; comment: string }[] };
    actions: { on: { jti: string } }[];
  };
  const answer = await stand.gate.asOperator("/v1/remediations?state=acted&rule=too-much");
  const [firing] = bodyOf<{ items: Firing[] }>(answer, 200).items;
  expect(firing!.held!.confirmations).toMatchObject([{ actor: "demo|olivia", comment: "seen the traffic" }]);
  return firing!.actions[0]!.on;
}

function jtiOf(token: string): string {
  return (JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as { jti: string }).jti;
}

/** With a signature that never holds. */
function forged(token: string): string {
  const [header, claims, signature = ""] = token.split(".");
  return `${header}.${claims}.${signature.slice(0, 10)}${signature[10] === "A" ? "B" : "A"}${signature.slice(11)}`;
}
