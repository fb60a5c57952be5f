import { readFileSync } from "node:fs";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { ask as askFor, read, review } from "../support/access.ts";
import { bodyOf, type Client, clientToken } from "../support/deployment.ts";
import { type PeopleStand, standUpWithPeople } from "../support/people-stand.ts";
import { REQUESTER_SCOPES } from "../support/test-policy.ts";

type Ask = { resource: string; scope: string; request_url: string; authorization_details: object[] };
type Wait = (request: string, token: string) => Promise<string>;

/** The program of docs/agents.md, as it stands there. */
type Program = {
  ownToken(gate: string, client: Client, audience?: string): Promise<string>;
  call(url: string, token: string): Promise<{ answer?: Response; ask?: Ask }>;
  open(ask: Ask, token: string, justification: string): Promise<string>;
  waitByPrefer: Wait;
  waitByEvents: Wait;
  collect(request: string, token: string): Promise<string>;
  askByBackchannel(gate: string, client: Client, hint: string, ask: Ask, message: string): Promise<string>;
};

let stand: PeopleStand;
let program: Program;
let agent: Client;

beforeAll(async () => {
  const text = readFileSync(new URL("../../docs/agents.md", import.meta.url).pathname, "utf8");
  const code = Array.from(text.matchAll(/```js\n([\s\S]*?)```/g), ([, block]) => block).join("\n");
  program = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  stand = await standUpWithPeople();
  agent = await stand.gate.newClient({
    grant_types: ["client_credentials", "urn:openid:params:grant-type:ciba"],
    scopes: REQUESTER_SCOPES,
    roles: ["developer"],
  });
});

afterAll(() => stand?.stop());

const orders = () => `${stand.gate.issuer}/orders`;

/** The approver says yes once there is something to say it to. */
async function approveNext(): Promise<string> {
  const { gate, approver } = stand;
  const waiting = async () => {
    const list = await gate.call("/v1/access-requests?reviewable=true&state=pending", approver);
    return bodyOf<{ items: { id: string }[] }>(list, 200).items[0]?.id;
  };
  await expect.poll(waiting, { timeout: 20_000 }).toBeDefined();
  const id = (await waiting())!;
  bodyOf(await review(gate, approver.token, id), 201);
  return id;
}

/** What the API's refusal tells the agent to ask for. */
async function refused(): Promise<Ask> {
  const plain = await program.ownToken(stand.gate.issuer, agent, ORIGIN_AUDIENCE);
  const { answer, ask } = await program.call(orders(), plain);
  expect(answer).toBeUndefined();
  return ask!;
}

describe("an agent without a screen", () => {
  it.each(["waitByPrefer", "waitByEvents"] as const)("goes from 403 to 200 with %s", async (way) => {
    const token = await program.ownToken(stand.gate.issuer, agent);
    const request = await program.open(await refused(), token, "the nightly report");
    const deciding = approveNext();
    expect(await program[way](request, token)).toBe("approved");
    expect(request.endsWith(await deciding)).toBe(true);
    const granted = await program.collect(request, token);
    expect((await program.call(orders(), granted)).answer?.status).toBe(200);
  });

  it("goes from 403 to 200 by CIBA, for a person who is named beside it", async () => {
    const { gate, approver } = stand;
    const hint = await stand.people.token("ann", { scope: "requests:create", roles: ["developer"] });
    const ask = await refused();
    const asking = program.askByBackchannel(gate.issuer, agent, hint, ask, "W4SCT");
    const id = await approveNext();
    const granted = await asking;
    expect((await program.call(orders(), granted)).answer?.status).toBe(200);
    expect(decodeJwt(granted)).toMatchObject({ sub: "people|ann", act: { sub: agent.id } });
    expect(await read(gate, id, approver.token)).toMatchObject({
      requester: "people|ann",
      actors: [agent.id],
    });
  });

  it("is told no by each way of waiting", async () => {
    const { gate, approver } = stand;
    const token = await program.ownToken(gate.issuer, agent);
    const request = await program.open(await refused(), token, "once more");
    const waits = [program.waitByPrefer(request, token), program.waitByEvents(request, token)];
    await review(gate, approver.token, request.slice(request.lastIndexOf("/") + 1), { outcome: "deny" });
    expect(await Promise.all(waits)).toEqual(["denied", "denied"]);
  });

  it("without a role that may ask is offered nothing, and could not ask either", async () => {
    const { gate } = stand;
    const stranger = await gate.newClient({ scopes: REQUESTER_SCOPES, roles: ["guest"] });
    const plain = await program.ownToken(gate.issuer, stranger, ORIGIN_AUDIENCE);
    expect(await program.call(orders(), plain)).toEqual({});
    const token = await clientToken(gate.issuer, stranger);
    await expect(askFor(gate, token)).rejects.toThrow(/403|forbidden/);
  });

  it("without a token learns who gives one for just this address", async () => {
    const { gate } = stand;
    const refusal = await gate.call("/orders?page=2");
    const [, metadata] = /resource_metadata="([^"]+)"/.exec(refusal.headers.get("www-authenticate")!)!;
    const answer = await gate.call(metadata!.slice(gate.issuer.length));
    expect(bodyOf(answer, 200)).toMatchObject({ resource: orders(), authorization_servers: [gate.issuer] });
    for (const [status, url] of [
      [404, `${gate.issuer}/nothing`],
      [404, `${gate.issuer}/public/docs`],
      [404, "not an address"],
      [200, `${gate.issuer}/orders/1001`],
    ] as const) {
      const path = `/.well-known/oauth-protected-resource?resource=${encodeURIComponent(url)}`;
      expect((await gate.call(path)).status, url).toBe(status);
    }
    expect((await gate.call("/nothing")).headers.get("www-authenticate")).toBeNull();
  });
});
