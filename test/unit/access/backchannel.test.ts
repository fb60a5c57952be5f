import { beforeAll, describe, expect, it } from "vitest";
import type { ClientAsk } from "../../../src/access/backchannel.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { AccessDesk, personWith } from "../../support/access-desk.ts";

beforeAll(loadConditions);

const NOW = 1_795_435_200;
const policy = policySchema.parse({
  origins: { api: { url: "https://api.internal.example", audience: "api" } },
  access_rules: [
    {
      ...{ id: "orders", resource: "orders", origin: "api", scopes: ["orders:read"] },
      requesters: { roles: ["developer"], condition: "requester.client_id == 'cli_bot'" },
      stages: [{ roles: ["approver"] }],
      ...{ ticket: { prefixes: ["OPS-"] }, max_parallel: 1, review_deadline_seconds: 3_600 },
      max_duration_seconds: 600,
    },
  ],
});
const ask: ClientAsk = {
  ...{ clientId: "cli_bot", subject: "corp|ann", roles: ["developer"], scopes: ["orders:read"] },
  ...{ justification: "W4SCT", ticket: "OPS-1", intervalSeconds: 5 },
};

/** What the ask was refused with; the request and who may poll it where it was not. */
async function askWith(over: Partial<ClientAsk>, desk = new AccessDesk(policy, NOW)) {
  const asked = await desk.askByClient({ ...ask, ...over });
  if (!asked.ok) {
    expect(desk.polls.size).toBe(0);
    return asked.error.code;
  }
  expect(desk.polls.get(asked.value.id)).toBe(ask.clientId);
  return { ...desk.read(asked.value.id), expires_at: asked.value.expires_at };
}

describe("a request of a client for somebody", () => {
  it("is one like every other, for the person with their roles, until the rule's deadline or sooner", async () => {
    expect(await askWith({})).toMatchObject({
      requester: { subject: "corp|ann", client_id: "cli_bot", roles: ["developer"], actors: ["cli_bot"] },
      ask: { resource: "orders", scope: ["orders:read"], duration_seconds: 600, ticket: "OPS-1" },
      expires_at: NOW + 3_600,
    });
    // Who asks for itself acts for nobody.
    expect((await askWith({ subject: "cli_bot" })) as object).not.toHaveProperty("requester.actors");
    const sooner = { review_deadline: NOW + 60, expires_at: NOW + 60 };
    expect(await askWith({ expiresInSeconds: 60 })).toMatchObject(sooner);
    const atMost = { review_deadline: NOW + 3_600, expires_at: NOW + 3_600 };
    expect(await askWith({ expiresInSeconds: 86_400 })).toMatchObject(atMost);
  });

  it.each([
    ["the condition of the rule", { clientId: "cli_other" }, "forbidden"],
    ["its requesters", { roles: [] }, "invalid_request"],
    ["its ticket", { ticket: "none" }, "invalid_request"],
    ["its longest duration", { durationSeconds: 601 }, "invalid_request"],
  ])("is refused by %s, and nobody may poll it", async (_name, over, code) => {
    expect(await askWith(over)).toBe(code);
  });

  it("counts among the open requests of the person, and is never approved by the client", async () => {
    const desk = new AccessDesk(policy, NOW);
    const first = await desk.askByClient(ask);
    if (!first.ok) throw new Error(first.error.detail);
    expect(await desk.askByClient(ask)).toMatchObject({ error: { code: "conflict" } });
    const { id } = first.value;
    const approver = (subject: string) => personWith(subject, ["approver"]);
    expect(desk.review(approver("cli_bot"), id)).toMatchObject({ error: { code: "forbidden" } });
    expect(desk.review(approver("corp|ann"), id)).toMatchObject({ error: { code: "forbidden" } });
    expect(desk.review(approver("corp|bob"), id)).toMatchObject({ ok: true, value: { decided: "approved" } });
  });
});
