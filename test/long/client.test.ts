import { afterAll, beforeAll, expect, it } from "vitest";
import { Portcullis } from "../../src/client/portcullis.ts";
import type { Client } from "../support/deployment.ts";
import { type Stand, standUp } from "../support/stand.ts";

let stand: Stand;

beforeAll(async () => {
  stand = await standUp();
});

afterAll(() => stand?.stop());

function clientOf({ id, secret }: Client): Portcullis {
  const credentials = { clientId: id, clientSecret: secret };
  return new Portcullis({ issuer: stand.gate.issuer, credentials });
}

it("asks, approves, collects, uses and takes back", async () => {
  const asking = clientOf(stand.requester);
  const approving = clientOf(stand.approver);
  const ask = { resource: "orders", scope: "orders:read", justification: "a test" };
  const request = await asking.accessRequests.create(ask);
  expect(request).toMatchObject({ state: "pending", requester: stand.requester.id });
  const decided = asking.accessRequests.decided(request.id);
  const approved = await approving.accessRequests.review(request.id, { outcome: "approve" });
  expect((await decided).state).toBe("approved");
  const { access_token: token } = await asking.accessRequests.token(request.id);
  expect((await stand.gate.call("/orders", { token })).status).toBe(200);
  const receipt = await asking.grants.revoke(approved.grant!.id, { reason: "done" });
  expect(receipt.effective_by.bounded).toBeGreaterThan(receipt.accepted_at);
  await expect(asking.accessRequests.token(request.id)).rejects.toMatchObject({ code: "gone" });
  const types: string[] = [];
  for await (const { type } of asking.accessRequests.events(request.id)) types.push(type);
  expect(types).toEqual(expect.arrayContaining(["access_request.created", "grant.returned"]));
});

it("imports and exports denied tokens as streams", async () => {
  const operator = new Portcullis({ issuer: stand.gate.issuer, token: stand.gate.operator });
  async function* lines() {
    for (let n = 0; n < 5_000; n++) yield { jti: `tok_imported_${n}`, reason: "a test" };
  }
  const outcome = await operator.revocations.import(lines());
  expect(outcome).toMatchObject({ accepted: 5_000, refused: 0 });
  let seen = 0;
  for await (const line of operator.revocations.export()) if ("jti" in line) seen++;
  expect(seen).toBe(5_000);
});
