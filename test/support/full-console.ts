import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { hold, ORDERS, review, revokeGrant } from "./access.ts";
import type { ConsoleStand } from "./console-stand.ts";
import { bodyOf, clientToken, type Deployment, type Person } from "./deployment.ts";
import type { Receiver } from "./receiver.ts";
import { REQUESTER_SCOPES } from "./test-policy.ts";

const LONG_WHY = `The nightly export stopped at 03:12 and the orders of three shops are missing from the ledger. I
compare what the payment provider says with what we have, shop by shop, and write what is missing into OPS-2231.`;

/** A policy under which a full console can be made. */
export function fullPolicy<T extends { routes: object[]; access_rules: object[] }>(policy: T) {
  const things = { id: "things", path: "/things/**", origin: "demo", access: { scopes: ["things:read"] } };
  const regional = {
    ...{
      id: "regional",
      resource: "warehouses-of-eu-central-1/:warehouse",
      origin: "demo",
      max_duration_seconds: 7200,
    },
    scopes: ["warehouse.inventory:read", "warehouse.inventory:write", "warehouse.shipments.customs:declare"],
    ...{ requesters: { roles: ["developer"] }, stages: [{ roles: ["approver"] }] },
  };
  return {
    ...policy,
    routes: [...policy.routes, things],
    access_rules: [...policy.access_rules, regional],
    revocations: { confirm_above: 1 },
    detections: { token_tampered: { threshold: 3, window_seconds: 60 } },
    remediation: {
      rules: [
        {
          ...{ id: "forgers", when: "token_tampered" },
          actions: [{ kind: "block_address", seconds: 600 }],
        },
      ],
    },
  };
}

/** Ids of what has a page of its own. */
export type Filled = Record<
  "request" | "grant" | "revocation" | "proposal" | "client" | "endpoint" | "slack" | "kid",
  string
> &
  Record<"decision" | "detection", string>;

/** Makes hundreds of everything that a console lists, over the API. */
export async function fillConsole(stand: ConsoleStand, receiver: Receiver): Promise<Filled> {
  const { gate } = stand;
  const endpoint = await gate.newEndpoint({ url: receiver.url, description: "the security team's inbox" });
  receiver.trust(endpoint.secret);
  await gate.newEndpoint({ url: "http://127.0.0.1:9/nobody-listens-here", events: ["grant.*"] });
  const slack = await gate.newEndpoint({
    ...{ url: "https://hooks.slack.com/services/T0/B0/X", slack: {}, events: ["revocation.lifted"] },
  });
  const people = await Promise.all(
    Array.from({ length: 6 }, () => gate.newPerson(["developer"], REQUESTER_SCOPES)),
  );
  const grants = (await Promise.all(people.map((person) => grantsOf(stand, person)))).flat();
  const requests = (await Promise.all(people.map((person) => requestsOf(stand, person)))).flat();
  for (let i = 0; i < 60; i++)
    await gate.newClient({ name: `nightly-export-${i}`, scopes: ["metrics:read"] });
  await revocations(stand);
  const policy = bodyOf<{ document: { access_rules: object[] } }>(await gate.asOperator("/v1/policy"), 200);
  for (let i = 0; i < 30; i++) {
    const access_rules = policy.document.access_rules.map((rule) => ({ ...rule, cool_down_seconds: i + 1 }));
    await gate.putPolicy({ ...policy.document, access_rules });
  }
  await traffic(stand);
  return {
    ...{ endpoint: endpoint.id, slack: slack.id, request: requests[0]!, grant: grants.at(-1)! },
    proposal: await proposal(gate),
    kid: await firstOf(gate, "/v1/keys"),
    decision: await firstOf(gate, "/v1/decisions?reason=scope_missing"),
    detection: await firstOf(gate, "/v1/detections"),
    revocation: await firstOf(gate, "/v1/revocations"),
    client: await firstOf(gate, "/v1/clients"),
  };
}

const TOLD_WITHIN_MS = 60_000;

/** Isolates tell after seconds what they have seen. */
async function firstOf(gate: Deployment, path: string): Promise<string> {
  type Items = { items: { id?: string; decision_id?: string; kid?: string }[] };
  for (const end = Date.now() + TOLD_WITHIN_MS; Date.now() < end; ) {
    const [first] = bodyOf<Items>(await gate.asOperator(path), 200).items;
    const id = first?.decision_id ?? first?.kid ?? first?.id;
    if (id !== undefined) return id;
    await sleep(500);
  }
  throw new Error(`nothing at ${path}`);
}

/** Thirty grants of one person, some of which are over. */
async function grantsOf(stand: ConsoleStand, requester: Person): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < 30; i++) {
    const long = i % 5 === 0;
    const wish = long
      ? {
          resource: "warehouses-of-eu-central-1/returns-and-claims",
          scope: "warehouse.inventory:read warehouse.inventory:write warehouse.shipments.customs:declare",
        }
      : {};
    const { grant } = await hold(
      stand.gate,
      { ...stand, requester },
      {
        ...{ duration_seconds: 300 + i * 97, justification: LONG_WHY, ...wish },
      },
    );
    if (i % 6 === 1) await revokeGrant(stand.gate, grant);
    ids.push(grant);
  }
  return ids;
}

/** Twelve requests of one person that nobody has decided, and some that are denied. */
async function requestsOf(stand: ConsoleStand, { token }: Person): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < 16; i++) {
    const json = {
      ...ORDERS,
      scope: "orders:read orders:write",
      justification: i % 3 ? "job 7 failed" : LONG_WHY,
    };
    const { id } = bodyOf<{ id: string }>(await stand.gate.call("/v1/access-requests", { token, json }), 201);
    if (i % 4 === 3) {
      const deny = { outcome: "deny", comment: "ask the shop's own people first" };
      await stand.gate.call(`/v1/access-requests/${id}/reviews`, { token: stand.approver.token, json: deny });
    } else ids.push(id);
  }
  return ids;
}

async function revocations({ gate }: ConsoleStand): Promise<void> {
  const lines = Array.from({ length: 230 }, (_, i) =>
    JSON.stringify({
      match: { sub: `corp|leaver-${i}` },
      issued_before: 1_700_000_000 + i,
      reason: "left the company",
    }),
  );
  const authorization = `Bearer ${gate.operator}`;
  bodyOf(await gate.postText("/v1/revocations/import", lines.join("\n"), { authorization }), 200);
  for (let i = 0; i < 12; i++) {
    const match = {
      iss: "https://login.identity-provider.example/tenants/4711",
      jti: `8f14e45f-ceea-467f-ab3c-${i}`,
    };
    bodyOf(
      await gate.asOperator("/v1/revocations", { json: { match, reason: "found in a public repository" } }),
      201,
    );
  }
}

/** A revocation that waits for a second person. */
async function proposal(gate: Deployment): Promise<string> {
  const client = await gate.newClient({ scopes: ["requests:read"] });
  await Promise.all([0, 1].map(() => clientToken(gate.issuer, client)));
  const json = { match: { client_id: client.id }, reason: "its secret was mailed around" };
  return bodyOf<{ id: string }>(await gate.asOperator("/v1/revocations", { json }), 202).id;
}

/** Approves one of somebody's requests, and says which one. */
export async function approveOne({ gate, approver }: ConsoleStand, requester: string): Promise<string> {
  const id = await firstOf(gate, `/v1/access-requests?${new URLSearchParams({ requester })}`);
  bodyOf(await review(gate, approver.token, id), 201);
  return id;
}

/** Requests that are let through, that lack a scope, and that are forged from many addresses. */
async function traffic({ gate }: ConsoleStand): Promise<void> {
  const machine = await gate.newClient({ scopes: ["things:read"] });
  const token = await clientToken(gate.issuer, machine, ORIGIN_AUDIENCE);
  const [header, claims, signature] = token.split(".") as [string, string, string];
  const other = signature[10] === "A" ? "B" : "A";
  const forged = [header, claims, signature.slice(0, 10) + other + signature.slice(11)].join(".");
  const use = (path: string, how: string, from: string) =>
    gate.call(path, { token: how, headers: { "cf-connecting-ip": from } });
  for (let i = 0; i < 60; i++)
    await Promise.all([use("/things/1", token, "192.0.2.1"), use("/orders/1", token, "192.0.2.1")]);
  for (let i = 0; i < 40; i++)
    await Promise.all(Array.from({ length: 4 }, () => use("/things/1", forged, `198.51.100.${i}`)));
}

/** Asks by the console's own form, as whoever is signed in there. */
export async function askOften(page: Page, times: number): Promise<void> {
  const { origin } = new URL(page.url());
  await page.goto(`${origin}/console/ask/new?rule=orders`);
  const [csrf_token] = await page
    .locator("input[name=csrf_token]")
    .evaluateAll((found) => found.map((each) => (each as unknown as { value: string }).value));
  for (let i = 0; i < times; i++) {
    const form = {
      ...{
        csrf_token: csrf_token!,
        rule: "orders",
        nonce: `n${i}`,
        resource: "orders",
        scope: "orders:read",
      },
      ...{ justification: LONG_WHY, duration: "30 min" },
    };
    const headers = { origin, "sec-fetch-site": "same-origin" };
    const answer = await page.request.post(`${origin}/console/ask/new`, { form, headers, maxRedirects: 0 });
    if (answer.status() !== 303) throw new Error(`asking was answered with ${answer.status()}`);
  }
}
