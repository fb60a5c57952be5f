import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  addAuthenticator,
  complaintsOf,
  describeInChromium,
  faultsOfPage,
  SIZES,
} from "../support/chromium.ts";
import { type ConsoleStand, standUpConsole } from "../support/console-stand.ts";
import { bodyOf, clientToken, type Person } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { SoftwarePasskey } from "../support/software-passkey.ts";

const EMERGENCY_RULE = {
  ...{ id: "root", resource: "root", origin: "demo", scopes: ["root:use"], max_duration_seconds: 600 },
  ...{ requesters: { roles: ["developer"] }, stages: [{ roles: ["approver"], count: 2 }] },
  break_glass: { roles: ["developer"], reviewers: { roles: ["approver"] } },
};
const STRICT_RULE = {
  ...{ id: "ledger", resource: "ledgers/:name", origin: "demo", scopes: ["ledger:read", "ledger:write"] },
  ...{ requesters: { roles: ["developer"] }, stages: [{ roles: ["approver"] }, { roles: ["operator"] }] },
  ...{ justification_min_length: 20, ticket: { prefixes: ["OPS-"] }, max_total_seconds: 7200 },
  ...{ max_duration_seconds: 3600, max_uses: 100 },
};
const VAULT_RULE = {
  ...{ id: "vault", resource: "vault", origin: "demo", scopes: ["vault:open"], max_duration_seconds: 600 },
  ...{ requesters: { roles: ["developer"] }, stages: [{ roles: ["approver"] }], high_risk: true },
};
/** What a hostile requester writes. */
const HOSTILE = `"><script>document.title="owned"</script><img src=x onerror="document.title='owned'"> ' =1+1`;

/** By the number of the request. */
const OTHERS_SAY: Readonly<Record<number, string>> = {
  20: "w".repeat(1_500),
  21: "invoice\u202egpj.exe",
  22: HOSTILE,
};

/** Pages are looked at in each size and scheme, which takes its time on a busy machine. */
const LOOKING_MS = 240_000;

let stand: ConsoleStand;
let receiver: Receiver;
const path = (below: string) => `${stand.issuer}/console${below}`;

describeInChromium("the console", { timeout: LOOKING_MS }, () => {
  beforeAll(async () => {
    receiver = await Receiver.start();
    stand = await standUpConsole((policy) => ({
      ...policy,
      access_rules: [...policy.access_rules, EMERGENCY_RULE, STRICT_RULE, VAULT_RULE],
      revocations: { confirm_above: 1, confirm_with_passkey: true },
    }));
    await stand.gate.newEndpoint({ url: receiver.url });
  });
  afterAll(async () => {
    await stand?.stop();
    await receiver?.close();
  });

  it("shows an approver an empty inbox, then what is asked, and takes the decision", async () => {
    const page = await stand.signedIn("bob");
    const complaints = complaintsOf(page, stand.own);
    await page.goto(path("/inbox"));
    await page.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
    expect(await faultsOfPage(page, "inbox-empty")).toEqual([]);
    const id = await ask(stand.requester, { scope: "orders:read orders:write" });
    await page.getByRole("link", { name: /asks for orders/ }).waitFor();
    expect(await faultsOfPage(page, "inbox-one", "every")).toEqual([]);
    await page.getByRole("link", { name: /asks for orders/ }).click();
    await page.getByText("Give less").click();
    expect(await faultsOfPage(page, "request-pending", "every")).toEqual([]);
    await page.getByLabel("For how long").fill("five minutes");
    await page.getByLabel("Comment").fill("as we said");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("alert").waitFor();
    expect(await faultsOfPage(page, "request-refused")).toEqual([]);
    await page.getByLabel("For how long").fill("5 min");
    await page.getByLabel("orders:write").uncheck();
    await page.getByRole("button", { name: "Approve" }).click();
    await said(page, "Approved.");
    expect(await faultsOfPage(page, "request-approved")).toEqual([]);
    const read = await stand.gate.asOperator(`/v1/access-requests/${id}`);
    expect(bodyOf(read, 200)).toMatchObject({
      state: "approved",
      reviews: [{ comment: "as we said", duration_seconds: 300, scope: "orders:read" }],
      grant: { scope: "orders:read" },
    });
    expect(complaints).toEqual([]);
  });

  it.each([
    ["with scripts", true],
    ["without scripts", false],
  ])("lets somebody ask, wait, get more time and give back, %s", async (_how, javaScriptEnabled) => {
    const [alice, bob] = await Promise.all([
      stand.signedIn("alice", { javaScriptEnabled }),
      stand.signedIn("bob", { javaScriptEnabled }),
    ]);
    const complaints = complaintsOf(alice, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (javaScriptEnabled) expect(await faultsOfPage(alice, name, looks)).toEqual([]);
    };
    await alice.goto(path("/ask"));
    await looked("ask", "every");
    await alice.getByRole("link", { name: "ledgers/:name" }).click();
    await looked("ask-form", "every");
    await alice.getByLabel("Resource").fill("ledgers/main");
    await alice.getByLabel("ledger:read").check();
    await alice.getByLabel("Why").fill("the books of November do not add up");
    await alice.getByLabel("Ticket").fill("INC-1");
    await alice.getByRole("button", { name: "Ask for access" }).click();
    await alice.getByRole("alert").waitFor();
    await looked("ask-refused");
    await alice.getByLabel("Ticket").fill("OPS-1");
    await alice.getByRole("button", { name: "Ask for access" }).click();
    await said(alice, "Asked.");
    await looked("own-pending");
    const address = alice.url().split("?")[0]!;
    // The stages: an approver first, whose approval is counted, then somebody else.
    await bob.goto(address);
    await bob.getByRole("button", { name: "Approve" }).click();
    await said(bob, "recorded");
    const olivia = await stand.gate.newPerson(["operator"], ["requests:read", "requests:review"]);
    const api = address.replace(path(""), "").replace("/access-requests", "/v1/access-requests");
    await stand.gate.call(`${api}/reviews`, { token: olivia.token, json: { outcome: "approve" } });
    if (!javaScriptEnabled) await alice.goto(address);
    await alice.getByRole("heading", { name: /^Grant/ }).waitFor();
    await looked("own-granted", "every");
    await alice.getByText("Ask for more time").first().click();
    await alice.getByLabel("How much more").fill("10 min");
    await alice.getByLabel("Why").fill("the books of October do not add up either");
    await alice.getByRole("button", { name: "Ask for more time" }).click();
    await said(alice, "More time is asked for.");
    await looked("own-extension");
    await bob.goto(path("/inbox"));
    await bob.getByRole("link", { name: /asks for more time on ledgers\/main/ }).waitFor();
    await bob.getByRole("button", { name: "Deny the extension" }).click();
    await said(bob, "recorded");
    await alice.goto(address);
    await alice.getByRole("link", { name: "Give the access back" }).click();
    await looked("give-back", "every");
    await alice.getByRole("button", { name: "Give the access back" }).click();
    await said(alice, "Given back.");
    await looked("own-returned");
    expect(bodyOf(await stand.gate.asOperator(api), 200)).toMatchObject({
      ...{ state: "approved", ticket: "OPS-1", resource: "ledgers/main" },
      grant: { state: "revoked", revoked_by: "demo|alice", max_uses: 100 },
      extensions: [{ state: "denied" }],
    });
    await alice.goto(path("/ask"));
    await looked("ask-history");
    expect(complaints).toEqual([]);
  });

  it("goes through many requests by keys, and denies several at once with and without scripts", async () => {
    for (let i = 0; i < 23; i++)
      await ask(stand.requester, { justification: OTHERS_SAY[i] ?? `job ${i} failed` });
    const page = await stand.signedIn("bob");
    const complaints = complaintsOf(page, stand.own);
    await page.goto(path("/inbox"));
    expect(await page.locator("[data-item]").count()).toBe(20);
    expect(await page.title()).toBe("Inbox – Portcullis");
    await page.getByText(HOSTILE).waitFor();
    // What would not be seen is, and what is too long for the screen is broken.
    await page.getByText("invoice[U+202E]gpj.exe").waitFor();
    expect(await faultsOfPage(page, "inbox-many", "every")).toEqual([]);
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    const second = page.locator("[data-item]").nth(1);
    expect(await second.evaluate((item) => item.matches(":focus"))).toBe(true);
    await page.keyboard.press("d");
    expect(await second.locator("button", { hasText: "Deny" }).evaluate((b) => b.matches(":focus"))).toBe(
      true,
    );
    await page.keyboard.press("k");
    expect(
      await page
        .locator("[data-item]")
        .first()
        .evaluate((item) => item.matches(":focus")),
    ).toBe(true);
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    expect(await faultsOfPage(page, "inbox-keys")).toEqual([]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("a");
    await page.keyboard.press("Enter");
    await said(page, "Approved.");
    await page.getByRole("link", { name: "Next page" }).click();
    expect(await page.locator("[data-item]").count()).toBe(2);
    for (const javaScriptEnabled of [true, false]) {
      const bob = await stand.signedIn("bob", { javaScriptEnabled });
      await bob.goto(path("/inbox"));
      for (const n of [0, 1, 2]) await bob.getByLabel("Select, to deny").nth(n).check();
      await bob.getByRole("button", { name: "Deny the selected" }).click();
      await bob.getByText("3 requests will be denied").waitFor();
      if (javaScriptEnabled) expect(await faultsOfPage(bob, "bulk-deny", "every")).toEqual([]);
      await bob.getByLabel("Comment").fill("not today");
      await bob.getByRole("button", { name: "Deny 3 requests" }).click();
      await said(bob, "All of them are denied.");
    }
    const denied = await stand.gate.asOperator("/v1/access-requests?state=denied&resource=orders");
    const { items } = bodyOf<{ items: { reviews: { comment: string }[] }[] }>(denied, 200);
    expect(items.filter(({ reviews }) => reviews[0]?.comment === "not today")).toHaveLength(6);
    expect(complaints).toEqual([]);
  });

  it("takes an emergency, and has it reviewed", async () => {
    const [alice, bob] = await Promise.all([stand.signedIn("alice"), stand.signedIn("bob")]);
    await alice.goto(path("/ask/new?resource=root&scope=root:use"));
    await alice.getByLabel("Why").fill("production is down");
    await alice.getByLabel(/Take it now/).check();
    expect(await faultsOfPage(alice, "ask-emergency")).toEqual([]);
    await alice.getByRole("button", { name: "Ask for access" }).click();
    await said(alice, "The access rule itself has answered");
    await bob.goto(path("/inbox"));
    await bob.getByRole("link", { name: /took, in an emergency, root/ }).click();
    expect(await faultsOfPage(bob, "emergency-review")).toEqual([]);
    await bob.getByRole("button", { name: "It was not: end it" }).click();
    await said(bob, "recorded");
    await alice.reload();
    await alice.getByText("denied the emergency").waitFor();
  });

  it("has what is high-risk confirmed with a passkey, for exactly what is approved", async () => {
    const bob = await stand.signedIn("bob");
    const complaints = complaintsOf(bob, stand.own);
    await addAuthenticator(bob);
    const id = await ask(stand.requester, { resource: "vault", scope: "vault:open", duration_seconds: 300 });
    const api = `/v1/access-requests/${id}`;
    const token = stand.approver.token;
    const plain = await stand.gate.call(`${api}/reviews`, { token, json: { outcome: "approve" } });
    expect(plain).toMatchObject({ status: 403, body: { code: "passkey_required" } });
    expect(bodyOf(await stand.gate.asOperator(api), 200)).toMatchObject({ state: "pending", reviews: [] });
    const page = path(`/access-requests/${id}`);
    await bob.goto(page);
    expect(await faultsOfPage(bob, "high-risk")).toEqual([]);
    // Without a passkey nothing is sent.
    await bob.getByRole("button", { name: "Approve" }).click();
    await bob.getByRole("alert").filter({ hasText: "You have no passkey yet" }).waitFor();
    await bob.goto(path("/passkeys"));
    await bob.getByLabel("Name").fill("this device");
    await bob.getByRole("button", { name: "Add a passkey" }).click();
    await said(bob, "The passkey is added.");
    expect(await faultsOfPage(bob, "passkeys", "every")).toEqual([]);
    await bob.goto(page);
    await bob.getByText("Give less").click();
    await bob.getByLabel("For how long").fill("1 min");
    await bob.getByRole("button", { name: "Approve" }).click();
    await said(bob, "Approved.");
    await bob.getByText("confirmed with a passkey").waitFor();
    expect(bodyOf(await stand.gate.asOperator(api), 200)).toMatchObject({
      state: "approved",
      reviews: [{ approver: "demo|bob", duration_seconds: 60, passkey: expect.any(String) }],
    });
    const other = await ask(stand.requester, { resource: "vault", scope: "vault:open" });
    const denied = await stand.gate.call(`/v1/access-requests/${other}/reviews`, {
      ...{ token, json: { outcome: "deny" } },
    });
    expect(bodyOf(denied, 201)).toMatchObject({ state: "denied" });
    await bob.goto(path("/passkeys"));
    await bob.getByRole("button", { name: "Remove this device" }).click();
    await said(bob, "The passkey is removed.");
    await bob.getByRole("heading", { name: "You have no passkey here" }).waitFor();
    // The challenge of somebody without a passkey is refused, which the page says.
    expect(complaints.filter((each) => !each.includes("/passkeys/challenges"))).toEqual([]);
  });

  it("has a mass revocation confirmed with a passkey, by the second person", async () => {
    const { gate, issuer } = stand;
    const scopes = ["revocations:write", "revocations:read"];
    const [victim, first, second] = await Promise.all([
      gate.newPerson([], ["requests:read"]),
      gate.newPerson([], scopes),
      gate.newPerson([], scopes),
    ]);
    await Promise.all([clientToken(issuer, victim), clientToken(issuer, victim)]);
    const json = { match: { sub: victim.id }, reason: "all of them" };
    const held = bodyOf<{ id: string }>(
      await gate.call("/v1/revocations", { token: first.token, json }),
      202,
    );
    const call = (path: string, body: object) => gate.call(path, { token: second.token, json: body });
    const confirm = (body: object) => call(`/v1/revocations/${held.id}/confirm`, body);
    expect(await confirm({})).toMatchObject({ status: 403, body: { code: "passkey_required" } });
    const key = await SoftwarePasskey.make({ origin: issuer, rpId: "localhost" });
    const challenge = async (confirms: object) => {
      const begun = await call("/v1/passkeys/challenges", { confirms });
      return bodyOf<{ public_key: { challenge: string } }>(begun, 201).public_key.challenge;
    };
    const credential = await key.register(await challenge({ kind: "passkey.register" }));
    expect(await call("/v1/passkeys", { name: "key", credential })).toMatchObject({ status: 201 });
    const other = { kind: "revocation.confirm", revocation_id: "rev_another" };
    const wrong = await key.answer(await challenge(other));
    expect(await confirm({ passkey: wrong })).toMatchObject({
      status: 403,
      body: { code: "passkey_required" },
    });
    const right = await key.answer(await challenge({ ...other, revocation_id: held.id }));
    expect(await confirm({ passkey: right })).toMatchObject({
      status: 200,
      body: { seq: expect.any(Number) },
    });
    const reset = { subject: second.id, reason: "lost" };
    expect(await call("/v1/passkeys/reset", reset)).toMatchObject({ status: 403 });
    expect(await gate.asOperator("/v1/passkeys/reset", { json: reset })).toMatchObject({
      body: { removed: 1 },
    });
  });

  it.each([
    ["with scripts", true],
    ["without scripts", false],
  ])(
    "has its places in one row on a phone, behind a button that keys open, %s",
    async (_how, javaScriptEnabled) => {
      const page = await stand.signedIn("olivia", { javaScriptEnabled, viewport: SIZES.phone });
      await page.goto(path("/revocations"));
      const menu = page.getByRole("button", { name: "Menu Revocations" });
      const places = page.getByRole("navigation", { name: "Console" });
      const header = await page.getByRole("banner").boundingBox();
      expect(header!.height).toBeLessThan(60);
      expect(await places.getByRole("link").count()).toBe(0);
      await menu.focus();
      await page.keyboard.press("Enter");
      await places.getByRole("list", { name: "Configure" }).getByRole("link", { name: "Keys" }).waitFor();
      expect(await places.getByRole("link", { name: "Revocations" }).getAttribute("aria-current")).toBe(
        "page",
      );
      // All of it is on the screen.
      const last = await places.getByRole("link", { name: "Sign out" }).boundingBox();
      expect(last!.y + last!.height).toBeLessThan(SIZES.phone.height);
      // It shuts with its focus on the button, from which the next key leads into it.
      await page.keyboard.press("Escape");
      await expect.poll(() => places.getByRole("link").count()).toBe(0);
      await page.keyboard.press("Enter");
      if (javaScriptEnabled) {
        expect(await faultsOfPage(page, "menu", "every")).toEqual([]);
        // A tablet that is turned while it is open: it does not lie over the page.
        const keys = await places.getByRole("link", { name: "Keys", exact: true }).boundingBox();
        expect(keys!.x + keys!.width).toBeLessThan(200);
        await page.setViewportSize(SIZES.phone);
        await menu.focus();
      }
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.waitForURL(path("/grants"));
      await page.setViewportSize(SIZES.desk);
      expect(await places.getByRole("link").count()).toBeGreaterThan(10);
      expect(await page.getByRole("button", { name: /Menu/ }).count()).toBe(0);
    },
  );

  it("shows each role its own, and refuses the rest with a page", async () => {
    const olivia = await stand.signedIn("olivia");
    const places = olivia.getByRole("navigation", { name: "Console" }).getByRole("link");
    const names = await places.allTextContents();
    expect(names).toEqual(expect.arrayContaining(["Grants", "Revocations", "Passkeys"]));
    for (const foreign of ["Ask", "Inbox"]) expect(names).not.toContain(foreign);
    expect((await olivia.goto(path("/inbox")))?.status()).toBe(200);
    expect((await olivia.goto(path("/ask/new?rule=orders")))?.status()).toBe(404);
    expect(await faultsOfPage(olivia, "error", "every")).toEqual([]);
    const id = await ask(stand.requester, {});
    expect((await olivia.goto(path(`/access-requests/${id}`)))?.status()).toBe(200);
    expect(await olivia.getByRole("button").count()).toBe(0);
    const alice = await stand.signedIn("alice");
    expect((await alice.goto(path(`/access-requests/${id}`)))?.status()).toBe(404);
    expect((await alice.goto(path("/no-such-page")))?.status()).toBe(404);
  });
});

async function said(page: Page, text: string): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}

async function ask(who: Person, members: object): Promise<string> {
  const json = {
    ...{ resource: "orders", scope: "orders:read", duration_seconds: 600 },
    ...{ justification: "the nightly job failed", ...members },
  };
  const answer = await stand.gate.call("/v1/access-requests", { token: who.token, json });
  return bodyOf<{ id: string }>(answer, 201).id;
}
