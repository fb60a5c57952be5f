import { afterAll, beforeAll, expect, it } from "vitest";
import { complaintsOf, describeInChromium, faultsOfPage } from "../support/chromium.ts";
import { type ConsoleStand, standUpConsole } from "../support/console-stand.ts";
import { bodyOf, type Person } from "../support/deployment.ts";

let stand: ConsoleStand;

describeInChromium("the console", () => {
  beforeAll(async () => {
    stand = await standUpConsole();
  });
  afterAll(() => stand?.stop());

  it("shows an approver an empty inbox, then what is asked, and takes the decision", async () => {
    const page = await stand.signedIn("bob");
    const complaints = complaintsOf(page, stand.own);
    await page.goto(`${stand.issuer}/console/inbox`);
    await page.getByRole("heading", { name: "Nothing waits for you" }).waitFor();
    expect(await faultsOfPage(page, "inbox-empty")).toEqual([]);
    const id = await ask(stand.requester, { resource: "orders", scope: "orders:read orders:write" });
    await page.getByRole("link", { name: /asks for orders/ }).waitFor();
    expect(await faultsOfPage(page, "inbox-one")).toEqual([]);
    await page.getByRole("link", { name: /asks for orders/ }).click();
    await page.getByRole("button", { name: "Approve" }).waitFor();
    expect(await faultsOfPage(page, "request-pending")).toEqual([]);
    await page.getByLabel("Comment").fill("as we said");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("status").filter({ hasText: "Approved." }).waitFor();
    expect(await faultsOfPage(page, "request-approved")).toEqual([]);
    const read = await stand.gate.asOperator(`/v1/access-requests/${id}`);
    expect(bodyOf(read, 200)).toMatchObject({ state: "approved", reviews: [{ comment: "as we said" }] });
    expect(complaints).toEqual([]);
  });
});

async function ask(who: Person, members: object): Promise<string> {
  const json = { duration_seconds: 600, justification: "the nightly job failed", ...members };
  const { id } = bodyOf<{ id: string }>(
    await stand.gate.call("/v1/access-requests", { token: who.token, json }),
    201,
  );
  return id;
}
