import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask, hold, review, revokeGrant } from "../support/access.ts";
import { complaintsOf, describeInChromium, faultsOfPage } from "../support/chromium.ts";
import { type ConsoleStand, standUpConsole } from "../support/console-stand.ts";
import { bodyOf, clientToken } from "../support/deployment.ts";
import { Receiver } from "../support/receiver.ts";
import { OPERATOR_SECRET } from "../support/runtime.ts";

/** Pages are looked at in each size and scheme, which takes its time on a busy machine. */
const LOOKING_MS = 300_000;
const HOSTILE = `"><script>document.title="owned"</script><img src=x onerror="document.title='owned'"> ' =1+1`;
/** With style and script it stays under 60 KiB, also where nothing compresses it. */
const MAX_PAGE_BYTES = 40 * 1024;
/** A page that is opened by a click is read while it still comes. */
const PATIENCE = { timeout: 20_000 };
/** Two live tokens are one more than one person may cut. */
const CONFIRM_ABOVE = 1;

const SCRIPTS = [
  ["with scripts", true],
  ["without scripts", false],
] as const;

let stand: ConsoleStand;
const path = (below: string) => `${stand.issuer}/console${below}`;

describeInChromium("the operators' pages", { timeout: LOOKING_MS }, () => {
  beforeAll(async () => {
    stand = await standUpConsole((policy) => ({
      ...policy,
      revocations: { confirm_above: CONFIRM_ABOVE },
    }));
  });
  afterAll(() => stand?.stop());

  it("show an operator what there is before anything has happened", async () => {
    const olivia = await stand.signedIn("olivia");
    const complaints = complaintsOf(olivia, stand.own);
    await olivia.goto(path("/grants"));
    await olivia.getByRole("heading", { name: "No grants here" }).waitFor();
    expect(await faultsOfPage(olivia, "grants-empty")).toEqual([]);
    await olivia.goto(path("/revocations"));
    await olivia.getByRole("heading", { name: "Nothing is revoked" }).waitFor();
    expect(await faultsOfPage(olivia, "revocations-empty")).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it.each(SCRIPTS)("revoke a grant and show how far that has come, %s", async (_how, javaScriptEnabled) => {
    const held = await hold(stand.gate, stand);
    const [bob, olivia] = await Promise.all([
      stand.signedIn("bob", { javaScriptEnabled }),
      stand.signedIn("olivia", { javaScriptEnabled }),
    ]);
    const complaints = complaintsOf(olivia, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (javaScriptEnabled) expect(await faultsOfPage(olivia, name, looks)).toEqual([]);
    };
    await olivia.goto(path("/grants?state=active"));
    await olivia.getByRole("link", { name: stand.requester.id }).first().click();
    await looked("grant-live");
    await olivia.getByRole("link", { name: "Revoke…" }).click();
    await olivia.getByText("Cuts 1 live token of 1 subject").waitFor();
    await looked("grant-revoke", "every");
    // Whoever may not have tokens counted sees what ends all the same.
    await bob.goto(olivia.url());
    expect(await bob.getByText("Cuts 1 live token").count()).toBe(0);
    await bob.getByText("every access token of the grant is refused").waitFor();
    await olivia.getByLabel("Why").fill(HOSTILE);
    await olivia.getByRole("button", { name: "Revoke the grant" }).click();
    await said(olivia, "Revoked.");
    await olivia.getByRole("heading", { name: /^In force on \d of 3/ }).waitFor();
    await looked("grant-revoked", "every");
    // A strict route knows it from the acknowledgement on.
    const used = await fetch(`${stand.issuer}/orders/1001`, {
      headers: { authorization: `Bearer ${held.token}` },
    });
    expect(used.status).toBe(401);
    expect(bodyOf(await stand.gate.asOperator(`/v1/grants/${held.grant}`), 200)).toMatchObject({
      ...{ state: "revoked", revoked_by: "demo|olivia", revoke_reason: HOSTILE },
      revoke_receipt: { seq: expect.any(Number), effective_by: { bounded: expect.any(Number) } },
    });
    // Its receipt tells how far it is, which a page that is opened again shows.
    const inForce = async () => {
      await olivia.reload();
      return olivia.getByRole("heading", { name: "In force on 2 of 3 kinds of routes" }).count();
    };
    await expect.poll(inForce, { timeout: 30_000, interval: 500 }).toBe(1);
    expect(await olivia.title()).not.toBe("owned");
    expect(complaints).toEqual([]);
  });

  it("show many grants of every state, filter and page them", async () => {
    for (let i = 0; i < 27; i++) await hold(stand.gate, stand, { duration_seconds: 300 + i * 97 });
    await revokeGrant(stand.gate, (await hold(stand.gate, stand)).grant);
    const later = await ask(stand.gate, stand.requester.token, {
      starts_at: Math.floor(Date.now() / 1000) + 900,
    });
    await review(stand.gate, stand.approver.token, later.id);
    const page = await stand.signedIn("bob");
    const complaints = complaintsOf(page, stand.own);
    await page.goto(path("/grants"));
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBe(25);
    expect(await page.content().then(({ length }) => length)).toBeLessThan(MAX_PAGE_BYTES);
    expect(await faultsOfPage(page, "grants", "every")).toEqual([]);
    await page.getByRole("link", { name: "Next page" }).click();
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBeGreaterThan(2);
    await page.getByLabel("State").selectOption("revoked");
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBeLessThan(5);
    await page.locator("tbody").getByText("revoked").first().waitFor();
    await page.getByLabel("Who").fill("nobody");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("heading", { name: "No grants here" }).waitFor();
    expect(complaints).toEqual([]);
  });

  it.each(SCRIPTS)(
    "show what a revocation cuts before it can be made, %s",
    async (_how, javaScriptEnabled) => {
      const client = await stand.gate.newClient({ scopes: ["requests:read"] });
      const page = await stand.signedIn("olivia", { javaScriptEnabled });
      const complaints = complaintsOf(page, stand.own);
      const looked = async (name: string, looks?: "every") => {
        if (javaScriptEnabled) expect(await faultsOfPage(page, name, looks)).toEqual([]);
      };
      await page.goto(path("/revocations/new"));
      await looked("revoke-form", "every");
      await page.getByLabel("Why").fill("the laptop was stolen");
      await page.getByRole("button", { name: "See what it would cut" }).click();
      await page.getByRole("alert").filter({ hasText: "Name at least one claim" }).waitFor();
      await looked("revoke-refused");
      expect(await page.getByRole("button", { name: "Revoke" }).count()).toBe(0);
      await page.getByLabel("Client", { exact: true }).fill(client.id);
      await page.getByRole("button", { name: "See what it would cut" }).click();
      await page.getByRole("heading", { name: "Cuts no live token" }).waitFor();
      await looked("revoke-confirm", "every");
      expect(
        bodyOf<{ items: object[] }>(await stand.gate.asOperator(ofClient()), 200).items,
      ).not.toContainEqual(expect.objectContaining({ match: { client_id: client.id } }));
      await page.getByRole("button", { name: "Revoke" }).click();
      await said(page, "Revoked.");
      await looked("revocation", "every");
      const { items } = bodyOf<{ items: object[] }>(await stand.gate.asOperator(ofClient()), 200);
      expect(items).toContainEqual(
        expect.objectContaining({ match: { client_id: client.id }, actor: "demo|olivia", state: "in_force" }),
      );
      await page.getByRole("link", { name: "Lift…" }).click();
      await looked("revocation-lift");
      await page.getByLabel("Why").fill("it was found");
      await page.getByRole("button", { name: "Lift the revocation" }).click();
      await said(page, "Lifted.");
      await page.getByText("it was found").waitFor();
      expect(complaints).toEqual([]);
    },
  );

  it("have a second person confirm what cuts much", async () => {
    const client = await stand.gate.newClient({ scopes: ["requests:read"] });
    await Promise.all([0, 1].map(() => tokenOf(client)));
    const page = await stand.signedIn("olivia");
    await page.goto(path(`/revocations/new?client_id=${client.id}`));
    await page.getByLabel("Why").fill(HOSTILE);
    await page.getByRole("button", { name: "See what it would cut" }).click();
    await page.getByText("More than 1 live token:").waitFor();
    await page.getByText("Which ones").click();
    expect(await faultsOfPage(page, "revoke-propose", "every")).toEqual([]);
    await page.getByRole("button", { name: "Propose the revocation" }).click();
    await said(page, "Nothing is revoked yet");
    await page.getByText("another person has to confirm it").waitFor();
    expect(await page.getByRole("link", { name: "Confirm…" }).count()).toBe(0);
    expect(await faultsOfPage(page, "revocation-own-proposal")).toEqual([]);
    // Somebody else proposes; the page lets this person confirm.
    const other = await stand.gate.newClient({ scopes: ["requests:read"] });
    await Promise.all([0, 1].map(() => tokenOf(other)));
    const json = { match: { client_id: other.id }, reason: "proposed by another" };
    const { id } = bodyOf<{ id: string }>(await stand.gate.asOperator("/v1/revocations", { json }), 202);
    await page.goto(path(`/revocations/${id}`));
    await page.getByRole("link", { name: "Confirm…" }).click();
    await page.getByRole("heading", { name: "Cuts 2 live tokens of 1 subject" }).waitFor();
    expect(await faultsOfPage(page, "revocation-second", "every")).toEqual([]);
    await page.getByLabel("Comment").fill("seen");
    await page.getByRole("button", { name: "Confirm, and revoke" }).click();
    await said(page, "Revoked.");
    expect(bodyOf(await stand.gate.asOperator(`/v1/revocations/${id}`), 200)).toMatchObject({
      state: "in_force",
      history: [{ event: "proposed" }, { event: "confirmed", actor: "demo|olivia", reason: "seen" }],
    });
    // The first one is given up.
    await page.goto(path("/revocations?state=awaiting_confirmation"));
    await page.getByRole("link", { name: client.id }).click();
    await page.getByRole("link", { name: "Give it up…" }).click();
    await page.getByRole("button", { name: "Give the proposal up" }).click();
    await said(page, "Given up");
    expect(await page.title()).toBe("Revocation – Portcullis");
  });

  it("list revocations by the hundred, and find one among them", async () => {
    const lines = Array.from({ length: 230 }, (_, i) =>
      JSON.stringify({
        match: { sub: `corp|leaver-${i}` },
        issued_before: 1_000_000_000 + i,
        reason: "left",
      }),
    );
    const imported = await stand.gate.postText("/v1/revocations/import", lines.join("\n"), {
      authorization: `Bearer ${stand.gate.operator}`,
    });
    expect(imported.status).toBe(200);
    const page = await stand.signedIn("olivia");
    const complaints = complaintsOf(page, stand.own);
    await page.goto(path("/revocations"));
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBe(25);
    expect(await page.content().then(({ length }) => length)).toBeLessThan(MAX_PAGE_BYTES);
    expect(await faultsOfPage(page, "revocations", "every")).toEqual([]);
    await page.getByRole("link", { name: "Next page" }).click();
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBe(25);
    await page.getByLabel("Says").fill("LEAVER-7");
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBe(11);
    await page.getByText(/11 found among 2\d\d revocations, which is all/).waitFor();
    await page.getByLabel("State").selectOption("awaiting confirmation");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("heading", { name: "None is like that" }).waitFor();
    await page.goto(path("/revocations?q=leaver"));
    await page.getByText(/25 found among \d+ revocations; the next page looks further back/).waitFor();
    await page.getByRole("link", { name: "Next page" }).click();
    await expect.poll(() => page.locator("tbody tr").count(), PATIENCE).toBe(25);
    expect(await faultsOfPage(page, "revocations-found")).toEqual([]);
    await page
      .getByRole("navigation", { name: "Console" })
      .getByRole("link", { name: "Revocations" })
      .click();
    await stand.runtime.cron();
    await page.getByRole("link", { name: "How fast" }).click();
    await page.getByText(/bounded: 1 revocation, every promise kept/).waitFor();
    expect(await faultsOfPage(page, "propagation", "every")).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("show each role its own, and refuse the rest with a page", async () => {
    const { id } = await ask(stand.gate, stand.requester.token);
    const alice = await stand.signedIn("alice");
    for (const below of ["/revocations", "/revocations/new", `/grants/${id.replace("req_", "grt_")}`]) {
      await alice.goto(path(below));
      expect(await alice.getByRole("button", { name: /^Revoke/ }).count()).toBe(0);
    }
    expect((await alice.goto(path("/revocations")))?.status()).toBe(403);
    const bob = await stand.signedIn("bob");
    expect((await bob.goto(path("/grants")))?.status()).toBe(200);
    expect((await bob.goto(path("/revocations")))?.status()).toBe(403);
  });

  it.each(SCRIPTS)("edit the policy and go back, %s", async (_how, javaScriptEnabled) => {
    const olivia = await stand.signedIn("olivia", { javaScriptEnabled });
    const complaints = complaintsOf(olivia, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (javaScriptEnabled) expect(await faultsOfPage(olivia, name, looks)).toEqual([]);
    };
    type Policy = { version: number; document: { access_rules: { id: string }[]; roles: object } };
    const before = bodyOf<Policy>(await stand.gate.asOperator("/v1/policy"), 200);
    await olivia.goto(path("/policy"));
    await looked("policy", "every");
    await olivia.getByRole("link", { name: "Edit…" }).click();
    await looked("policy-edit", "every");
    const field = olivia.getByLabel(/^The document/);
    await field.fill(JSON.stringify({ ...before.document, roles: { "<b>": 1 }, colour: "red" }));
    await olivia.getByRole("button", { name: "See what it would change" }).click();
    await olivia.getByRole("alert").filter({ hasText: "colour" }).waitFor();
    await looked("policy-faults", "every");
    expect(await olivia.getByRole("button", { name: "Put it into force" }).count()).toBe(0);
    const access_rules = before.document.access_rules.filter(({ id }) => id !== "orders");
    await field.fill(JSON.stringify({ ...before.document, access_rules }));
    await olivia.getByRole("button", { name: "See what it would change" }).click();
    await olivia
      .getByRole("row", { name: /access rules/ })
      .getByText("orders")
      .waitFor();
    await olivia.getByText("would have been decided otherwise").waitFor();
    await looked("policy-change", "every");
    expect(bodyOf<Policy>(await stand.gate.asOperator("/v1/policy"), 200).version).toBe(before.version);
    // Somebody else is quicker: nothing of theirs is overwritten, nothing that was written here is lost.
    const { version } = await stand.gate.putPolicy(before.document);
    await olivia.getByRole("button", { name: "Put it into force" }).click();
    await olivia.getByRole("alert").filter({ hasText: "merge your change" }).waitFor();
    expect(JSON.parse(await field.inputValue())).toEqual({ ...before.document, access_rules });
    await olivia.goto(path("/policy/edit"));
    await field.fill(JSON.stringify({ ...before.document, access_rules }));
    await olivia.getByRole("button", { name: "See what it would change" }).click();
    await olivia.getByRole("button", { name: "Put it into force" }).click();
    await said(olivia, "In force.");
    expect(bodyOf<Policy>(await stand.gate.asOperator("/v1/policy"), 200)).toMatchObject({
      version: version + 1,
      document: { access_rules },
    });
    await olivia.getByRole("link", { name: `Go back to version ${version}` }).click();
    await looked("policy-back");
    await olivia.getByRole("button", { name: `Go back to version ${version}` }).click();
    await said(olivia, "Gone back.");
    const after = bodyOf<Policy>(await stand.gate.asOperator("/v1/policy"), 200);
    expect(after.document).toEqual(before.document);
    await olivia.getByRole("link", { name: "1", exact: true }).click();
    await looked("policy-version");
    expect(complaints).toEqual([]);
  });

  it.each(SCRIPTS)("register a client, and end it, %s", async (_how, javaScriptEnabled) => {
    const olivia = await stand.signedIn("olivia", { javaScriptEnabled });
    const complaints = complaintsOf(olivia, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (javaScriptEnabled) expect(await faultsOfPage(olivia, name, looks)).toEqual([]);
    };
    await olivia.goto(path("/clients"));
    await looked("clients", "every");
    await olivia.getByRole("link", { name: "Register a client…" }).click();
    await looked("client-form", "every");
    await olivia.getByLabel("Name").fill(HOSTILE);
    await olivia.getByLabel("Scopes").fill("metrics:read requests:review");
    await olivia.getByRole("button", { name: "Register the client" }).click();
    await olivia.getByRole("alert").filter({ hasText: "requests:review" }).waitFor();
    await looked("client-refused");
    await olivia.getByLabel("Scopes").fill("metrics:read");
    await olivia.getByRole("button", { name: "Register the client" }).click();
    await said(olivia, "Copy the secret now");
    await looked("client-secret", "every");
    const secret = await olivia.locator("figure", { hasText: "Secret" }).first().locator("pre").innerText();
    const id = await olivia.locator("dd code").first().innerText();
    expect(olivia.url()).not.toContain(secret);
    const tokenStatus = async (held: string) => {
      const form = { grant_type: "client_credentials" };
      return (await stand.gate.call("/oauth/token", { client: { id, secret: held }, form })).status;
    };
    expect(await tokenStatus(secret)).toBe(200);
    // Sent once more, the form makes no second client and shows no secret.
    await olivia.reload();
    await olivia.getByText("This form was sent before").waitFor();
    await olivia.getByRole("link", { name: "To the client" }).click();
    await looked("client", "every");
    await olivia.getByRole("link", { name: "Edit…" }).click();
    await looked("client-edit", "every");
    await olivia.getByRole("button", { name: "See what changes" }).click();
    await olivia.getByRole("alert").filter({ hasText: "Nothing is changed" }).waitFor();
    await olivia.getByLabel("Scopes").fill("audit:read");
    await olivia.getByLabel("Sends its secret").selectOption("client_secret_basic");
    await olivia.getByRole("button", { name: "See what changes" }).click();
    await olivia.getByRole("row", { name: /have at most metrics:read ?removed audit:read ?new/ }).waitFor();
    await olivia.getByText("keep what they have until they end").waitFor();
    await looked("client-change", "every");
    await olivia.getByRole("button", { name: "Change the client" }).click();
    await said(olivia, "Changed.");
    const read = await stand.gate.asOperator(`/v1/clients/${id}`);
    expect(bodyOf(read, 200)).toMatchObject({
      ...{ scopes: ["audit:read"], auth_method: "client_secret_basic", revision: 2 },
    });
    // Somebody else changes it while it is edited.
    await olivia.getByRole("link", { name: "Edit…" }).click();
    await olivia.getByLabel("Scopes").fill("metrics:read");
    await stand.gate.asOperator(`/v1/clients/${id}`, { method: "PATCH", json: { roles: [] } });
    await olivia.getByRole("button", { name: "See what changes" }).click();
    await olivia.getByRole("alert").filter({ hasText: "Somebody changed it meanwhile" }).waitFor();
    await olivia.goto(path(`/clients/${id}`));
    await olivia.getByRole("link", { name: "New secret…" }).click();
    await olivia.getByRole("heading", { name: "If it leaked: Cuts 1 live token" }).waitFor();
    await looked("client-rotate");
    await olivia.getByLabel(/The old secret leaked/).check();
    await olivia.getByRole("button", { name: "Make a new secret" }).click();
    await said(olivia, "Copy the secret now");
    const newer = await olivia.locator("figure", { hasText: "Secret" }).first().locator("pre").innerText();
    expect([await tokenStatus(secret), await tokenStatus(newer)]).toEqual([401, 200]);
    await olivia.getByRole("link", { name: "To the client" }).click();
    await olivia.getByRole("link", { name: "Disable…" }).click();
    await looked("client-disable", "every");
    await olivia.getByRole("button", { name: "Disable the client" }).click();
    await said(olivia, "Disabled");
    expect(await tokenStatus(newer)).toBe(401);
    await olivia.getByRole("button", { name: "Enable again" }).click();
    await said(olivia, "Enabled again");
    expect(await tokenStatus(newer)).toBe(200);
    await olivia.getByRole("link", { name: "Delete…" }).click();
    await olivia.getByRole("button", { name: "Delete the client" }).click();
    await said(olivia, "Deleted");
    expect(await tokenStatus(newer)).toBe(401);
    expect((await stand.gate.asOperator(`/v1/clients/${id}`)).status).toBe(404);
    expect(await olivia.title()).toBe("Clients – Portcullis");
    expect(complaints).toEqual([]);
  });

  it.each(SCRIPTS)("add a webhook endpoint and see what it was sent, %s", async (_how, javaScriptEnabled) => {
    await using closing = new AsyncDisposableStack();
    const receiver = await Receiver.start();
    closing.defer(() => receiver.close());
    const olivia = await stand.signedIn("olivia", { javaScriptEnabled });
    const complaints = complaintsOf(olivia, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (javaScriptEnabled) expect(await faultsOfPage(olivia, name, looks)).toEqual([]);
    };
    await olivia.goto(path("/webhooks"));
    await looked("webhooks");
    await olivia.getByRole("link", { name: "Add an endpoint…" }).click();
    await olivia.getByLabel("Address").fill(receiver.url);
    await olivia.getByLabel("Events").fill("grant.* everything");
    await olivia.getByRole("button", { name: "Add the endpoint" }).click();
    await olivia.getByRole("alert").filter({ hasText: "events" }).waitFor();
    await looked("webhook-refused", "every");
    await olivia.getByLabel("Events").fill("grant.*");
    await olivia.getByRole("textbox", { name: "For" }).fill(HOSTILE);
    await olivia.getByRole("button", { name: "Add the endpoint" }).click();
    await said(olivia, "Give the secret to the receiver now");
    await looked("webhook-secret");
    const secret = await olivia.locator("figure pre").first().innerText();
    receiver.trust(secret);
    await olivia.getByRole("link", { name: "To the endpoint" }).click();
    await olivia.getByRole("button", { name: "Send a test" }).click();
    await said(olivia, "A test event is on its way");
    const delivered = async () => {
      await olivia.reload();
      return olivia.locator("tr", { hasText: "webhook.test" }).getByText("delivered").count();
    };
    await expect.poll(delivered, { timeout: 30_000 }).toBe(1);
    await looked("webhook", "every");
    await olivia.getByRole("button", { name: "Send again" }).click();
    await said(olivia, "It is sent again");
    await expect.poll(() => receiver.received.length, { timeout: 30_000 }).toBe(2);
    await expect.poll(delivered, { timeout: 30_000 }).toBe(1);
    await olivia.getByLabel("Select").check();
    await olivia.getByRole("button", { name: "Send the selected again" }).click();
    await said(olivia, "It is sent again");
    await expect.poll(() => receiver.received.length, { timeout: 30_000 }).toBe(3);

    await olivia.getByRole("link", { name: "Edit…" }).click();
    await looked("webhook-edit", "every");
    await olivia.getByLabel("Events").fill("grant.revoked *");
    await olivia.getByRole("button", { name: "See what changes" }).click();
    await olivia.getByRole("row", { name: /Is told of grant\.\* ?removed grant\.revoked ?new/ }).waitFor();
    await looked("webhook-change", "every");
    await olivia.getByRole("button", { name: "Change the endpoint" }).click();
    await said(olivia, "Changed.");

    // What waits when it is paused is given up, and sent again later; the page says how much.
    receiver.answerWith(() => ({ status: 503 }));
    await olivia.getByRole("button", { name: "Send a test" }).click();
    await said(olivia, "A test event is on its way");
    const tried = async () => {
      await olivia.reload();
      return olivia.getByText("503, http status").count();
    };
    await expect.poll(tried, { timeout: 30_000 }).toBeGreaterThan(0);
    await olivia.getByRole("link", { name: "Pause…" }).click();
    await olivia.getByText("Not sent now: 1 delivery that waits").waitFor();
    await looked("webhook-pause", "every");
    await olivia.getByRole("button", { name: "Pause the endpoint" }).click();
    await said(olivia, "Paused");
    await looked("webhook-paused");
    await olivia.getByRole("button", { name: "Enable again" }).click();
    await said(olivia, "Enabled");
    receiver.answerWith(() => ({ status: 204 }));
    await olivia.getByLabel("State").selectOption("dead letter");
    await olivia.getByRole("button", { name: "Filter" }).click();
    await expect.poll(() => olivia.locator("tbody tr").count(), PATIENCE).toBe(1);
    await olivia.getByRole("link", { name: "Send again what was given up…" }).click();
    await looked("webhook-again", "every");
    const before = receiver.received.length;
    await olivia.getByRole("button", { name: "Send 1 dead letter again" }).click();
    await said(olivia, "All of them are sent again");
    await expect.poll(() => receiver.received.length - before, { timeout: 30_000 }).toBe(1);
    await olivia.getByRole("link", { name: "Send again what was given up…" }).click();
    await olivia.getByText("Nothing was given up since").waitFor();
    await looked("webhook-again-none");
    await olivia.getByRole("link", { name: "To the endpoint" }).click();
    await olivia.getByRole("link", { name: "New secret…" }).click();
    await looked("webhook-rotate");
    await olivia.getByRole("button", { name: "Make a new secret" }).click();
    await said(olivia, "Give the secret to the receiver now");
    expect(await olivia.locator("figure pre").first().innerText()).not.toBe(secret);
    await olivia.getByRole("link", { name: "To the endpoint" }).click();
    await olivia.getByRole("link", { name: "Delete…" }).click();
    await looked("webhook-delete", "every");
    await olivia.getByRole("button", { name: "Delete the endpoint" }).click();
    await said(olivia, "Deleted");
    expect(await olivia.getByRole("link", { name: receiver.url }).count()).toBe(0);
    expect(await olivia.title()).toBe("Webhooks – Portcullis");
    expect(complaints).toEqual([]);
  });

  it.each(SCRIPTS)("send to Slack, and replace its settings, %s", async (_how, javaScriptEnabled) => {
    const olivia = await stand.signedIn("olivia", { javaScriptEnabled });
    const complaints = complaintsOf(olivia, stand.own);
    const looked = async (name: string, looks?: "every") => {
      if (javaScriptEnabled) expect(await faultsOfPage(olivia, name, looks)).toEqual([]);
    };
    await olivia.goto(path("/webhooks"));
    await olivia.getByRole("link", { name: "Send to Slack…" }).click();
    await looked("slack-form", "every");
    const hook = `https://hooks.slack.com/services/${javaScriptEnabled ? "A" : "B"}`;
    await olivia.getByLabel("Address").fill(hook);
    await olivia.getByLabel("Who decides by a click").fill("U024BE7LH demo|olivia operator");
    await olivia.getByRole("button", { name: "Add the endpoint" }).click();
    await olivia.getByRole("alert").filter({ hasText: "signing_secret" }).waitFor();
    await looked("slack-refused");
    await olivia.getByLabel("Signing secret").fill("0123456789abcdef0123456789abcdef");
    await olivia.getByRole("button", { name: "Add the endpoint" }).click();
    await said(olivia, "The endpoint is added.");
    await olivia.getByText("U024BE7LH as demo|olivia, operator").waitFor();
    await looked("slack", "every");
    await olivia.getByRole("link", { name: "Slack's settings…" }).click();
    await looked("slack-settings", "every");
    await olivia.getByLabel("Who decides by a click").fill("");
    await olivia.getByRole("button", { name: "Replace Slack's settings" }).click();
    await said(olivia, "Changed.");
    await olivia.getByText("nobody").waitFor();
    expect(await olivia.content()).not.toContain("0123456789abcdef");
    await olivia.getByRole("link", { name: "Delete…" }).click();
    await olivia.getByRole("button", { name: "Delete the endpoint" }).click();
    await said(olivia, "Deleted");
    expect(complaints).toEqual([]);
  });

  // The last one: it refuses every token that was issued until then.
  it("rotate keys, and replace one that leaked", async () => {
    const olivia = await stand.signedIn("olivia");
    const complaints = complaintsOf(olivia, stand.own);
    await olivia.goto(path("/keys"));
    await olivia.getByRole("heading", { name: "Access tokens" }).waitFor();
    expect(await faultsOfPage(olivia, "keys", "every")).toEqual([]);
    await olivia.getByRole("link", { name: "Rotate…" }).click();
    expect(await faultsOfPage(olivia, "keys-rotate")).toEqual([]);
    await olivia.getByRole("button", { name: "Rotate the keys" }).click();
    await said(olivia, "The next key is published.");
    await olivia.locator("dd", { hasText: /left$/ }).first().waitFor();
    expect(await faultsOfPage(olivia, "keys-next", "every")).toEqual([]);
    const leaked = await olivia
      .locator("section", { hasText: "Access tokens" })
      .locator("dd code")
      .innerText();
    await olivia.getByRole("link", { name: `Replace ${leaked}` }).click();
    await olivia.getByRole("heading", { name: /^Cuts \d+ live tokens/ }).waitFor();
    expect(await faultsOfPage(olivia, "key-replace", "every")).toEqual([]);
    await olivia.getByLabel("Why").fill("it was in a crash dump");
    await olivia.getByRole("button", { name: "Replace the key, refuse what it signed" }).click();
    await said(olivia, "Another key signs");
    await olivia.getByRole("heading", { name: /^In force on \d of 3/ }).waitFor();
    expect(await faultsOfPage(olivia, "key-replaced")).toEqual([]);
    await expect
      .poll(async () => (await stand.gate.asOperator("/v1/keys")).status, { timeout: 15_000 })
      .toBe(401);
    // The session goes on with a token of the new key: nobody who is signed in is shut out until the old one ends.
    await olivia.goto(path("/keys"));
    await olivia.getByRole("heading", { name: "Access tokens" }).waitFor();
    const plain = await stand.signedIn("olivia", { javaScriptEnabled: false });
    await plain.goto(path("/keys"));
    await plain.getByRole("link", { name: "Rotate…" }).click();
    await plain.getByRole("button", { name: "Rotate the keys" }).click();
    await said(plain, "key");
    const token = await clientToken(stand.issuer, { id: "operator", secret: OPERATOR_SECRET });
    const keys = bodyOf<{ items: object[] }>(await stand.gate.call("/v1/keys", { token }), 200).items;
    expect(keys).toContainEqual(expect.objectContaining({ kid: leaked, state: "compromised" }));
    expect(complaints).toEqual([]);
  });
});

const ofClient = () => "/v1/revocations?limit=200";

async function tokenOf({ id, secret }: { id: string; secret: string }): Promise<void> {
  const form = { grant_type: "client_credentials" };
  bodyOf(await stand.gate.call("/oauth/token", { client: { id, secret }, form }), 200);
}

async function said(page: Page, text: string): Promise<void> {
  await page.getByRole("status").filter({ hasText: text }).waitFor();
}
