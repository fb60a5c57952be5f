import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Portcullis, type PortcullisOptions } from "../../src/client/portcullis.ts";
import {
  complaintsOf,
  describeInChromium,
  faultsOfPage,
  launchChromium,
  newContext,
} from "../support/chromium.ts";
import { type Described, DescribedApi } from "../support/described-api.ts";
import { Receiver } from "../support/receiver.ts";
import { type Stand, standUp } from "../support/stand.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** A page is looked at in each size and scheme, which takes its time on a busy machine. */
const LOOKING_MS = 240_000;

let stand: Stand;
let api: DescribedApi;
let receiver: Receiver;
let policy: object;

beforeAll(async () => {
  stand = await standUp((own) => {
    policy = { ...own, revocations: { confirm_above: 1 } };
    return policy;
  });
  api = await DescribedApi.of(stand.gate.issuer);
  receiver = await Receiver.start();
});

afterAll(async () => {
  await stand?.stop();
  await receiver?.close();
});

/** A client whose every answer is held against the document. */
function held(options: Partial<PortcullisOptions>): Portcullis {
  return new Portcullis({
    issuer: stand.gate.issuer,
    fetch: api.fetch,
    retries: 0,
    ...options,
  } as PortcullisOptions);
}

/** An id of the kind that an operation's path is about, of nothing that there is. */
function pathOf({ path }: Described): string {
  return path.replace(/\{(\w+)\}/g, (_all, name: string) =>
    name === "n" ? "999999" : (NOBODY[path.split("/")[2]!] ?? "nobody"),
  );
}

const NOBODY: Record<string, string> = Object.fromEntries(
  [
    ...[
      ["access-requests", "req"],
      ["grants", "grt"],
      ["revocations", "rev"],
      ["sessions", "ses"],
      ["clients", "cli"],
    ],
    ...[
      ["webhook-endpoints", "whe"],
      ["detections", "det"],
      ["remediations", "rmd"],
    ],
  ].map(([name, prefix]) => [name!, `${prefix}_00000000000000000000000000`]),
);

/** Calls that need a token of the control plane. */
function guarded(): Described[] {
  return api.operations.filter(({ operation }) => operation.security.some((each) => each.oauth));
}

async function send(
  { method, path }: { method: string; path: string },
  token: string | undefined,
  body?: object,
) {
  const headers: Record<string, string> = { "if-match": '"0"' };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
  const answer = await api.fetch(`${stand.gate.issuer}${path}`, init);
  return {
    status: answer.status,
    body: (await answer.json().catch(() => undefined)) as { code?: string; scope?: string },
  };
}

describe("every operation that needs a token", () => {
  it("refuses a call without one, and names the scope that another one lacks", async () => {
    const nobody = await stand.gate.newPerson([], []);
    for (const each of guarded()) {
      const call = { method: each.method, path: pathOf(each) };
      expect(await send(call, undefined), each.id).toMatchObject({
        status: 401,
        body: { code: "invalid_token" },
      });
      const scopes = each.operation.security.flatMap(({ oauth = [] }) => oauth);
      if (scopes.length === 0) continue;
      const refused = await send(call, nobody.token);
      expect(refused, each.id).toMatchObject({ status: 403, body: { code: "insufficient_scope" } });
      expect(scopes, each.id).toContain(refused.body.scope);
    }
    expect(api.faults).toEqual([]);
  });

  it("refuses members that it does not know, and ids of nothing, in the way that is described", async () => {
    for (const each of guarded()) {
      const { method, operation, id } = each;
      const path = pathOf(each);
      const takesJson = operation.requestBody?.content["application/json"];
      if (takesJson) {
        const refused = await send({ method, path }, stand.gate.operator, { no_such_member: true });
        expect([400, 403, 404, 412], `${id}: ${JSON.stringify(refused.body)}`).toContain(refused.status);
        expect(operation["x-problems"], id).toContain(refused.body.code);
      } else if (path !== each.path) {
        const missing = await send({ method, path }, stand.gate.operator);
        expect([400, 403, 404], `${id}: ${JSON.stringify(missing.body)}`).toContain(missing.status);
        expect(operation["x-problems"], id).toContain(missing.body.code);
      }
    }
    expect(api.faults).toEqual([]);
  });
});

describe("every operation", () => {
  it("is answered as it is described", async () => {
    const operator = held({ token: stand.gate.operator });
    const asking = held({ token: stand.requester.token });
    const approving = held({ token: stand.approver.token });
    await askAndReview(asking, approving);
    await revoke(operator);
    await lookAfterClients(operator);
    await lookAfterPolicy(operator);
    await sendEvents(operator);
    await decide(operator);
    await speakOAuth();
    await readAudit(operator);
    expect(await send({ method: "POST", path: "/v1/backup" }, stand.gate.operator, {})).toMatchObject({
      status: 200,
    });
    await readEverything();
    expect(api.faults).toEqual([]);
  });

  it("was called, or is named here with what it needs", () => {
    const uncalled = api.operations.filter(({ id }) => !api.succeeded.has(id)).map(({ id }) => id);
    const unnamed = uncalled.filter(
      (id) => !ELSEWHERE.some((name) => id === name || id.startsWith(`${name}.`)),
    );
    expect(unnamed).toEqual([]);
  });
});

describeInChromium("in a browser", { timeout: LOOKING_MS }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  it("the reference reads well on a phone and a desk, and asks nobody for anything", async () => {
    const page = await (await newContext(browser)).newPage();
    const complaints = complaintsOf(page, [stand.gate.issuer]);
    await page.goto(`${stand.gate.issuer}/reference`);
    expect(await faultsOfPage(page, "reference")).toEqual([]);
    await page.getByRole("link", { name: "createLink", exact: true }).click();
    expect(new URL(page.url()).hash).toBe("#accessRequests.createLink");
    expect(complaints).toEqual([]);
  });

  it("the client calls from a page of the same origin", async () => {
    const { outputFiles } = await build({
      ...{ entryPoints: ["src/client/portcullis.ts"], absWorkingDir: ROOT, bundle: true, write: false },
      ...{ format: "iife", globalName: "client", target: "es2023" },
    });
    const page = await (await newContext(browser)).newPage();
    await page.goto(`${stand.gate.issuer}/healthz`);
    await page.addScriptTag({ content: outputFiles[0]!.text });
    const { issuer } = stand.gate;
    const call = (token: string) =>
      page.evaluate(
        `(async () => {
          const portcullis = new client.Portcullis(${JSON.stringify({ issuer, token })});
          const outcome = await portcullis.revocations.import(new Blob(['{"jti":"from_a_page"}']));
          const { items } = await portcullis.keys.list();
          return { accepted: outcome.accepted, keys: items.length };
        })().catch(({ code }) => code)`,
      );
    expect(await call(stand.gate.operator)).toEqual({ accepted: 1, keys: expect.any(Number) });
    expect(await call(stand.requester.token)).toBe("insufficient_scope");
  });
});

/** What another test calls, since it needs a browser, an identity provider, a signature, a mail or hours. */
const ELSEWHERE = [
  ...["session", "hooks", "links", "signals", "streams", "detections", "remediations"],
  ...[
    "sessions.get",
    "sessions.revoke",
    "oauth.backchannel",
    "oauth.device",
    "passkeys",
    "audit.erase",
    "audit.tile",
  ],
];

async function askAndReview(asking: Portcullis, approving: Portcullis) {
  const ask = { resource: "orders", scope: "orders:read", justification: "a test", duration_seconds: 60 };
  const cancelled = await asking.accessRequests.create(ask);
  await asking.accessRequests.cancel(cancelled.id);
  const { id } = await asking.accessRequests.create(ask);
  await approving.accessRequests.createLink(id, { approver: stand.approver.id });
  const { grant } = await approving.accessRequests.review(id, { outcome: "approve" });
  await asking.accessRequests.get(id, { waitSeconds: 1 });
  await asking.accessRequests.list({ limit: 1 }).page();
  await asking.accessRequests.token(id);
  await asking.accessRules.list().page();
  await asking.grants.list().page();
  await asking.grants.get(grant!.id);
  await asking.grants.token({ resource: "orders", scope: "orders:read" });
  await asking.grants.extend(grant!.id, { duration_seconds: 60, justification: "a test" });
  await asking.grants.revoke(grant!.id, { reason: "a test" });
  await api.fetch(`${stand.gate.issuer}/v1/access-requests/${cancelled.id}/events`, {
    headers: { authorization: `Bearer ${stand.requester.token}` },
  });
}

async function revoke(operator: Portcullis) {
  const one = { match: { jti: "tok_nobody" }, reason: "a test" };
  await operator.revocations.dryRun(one);
  const receipt = await operator.revocations.create(one);
  const id = "id" in receipt ? receipt.id : "";
  await operator.revocations.list().page();
  await operator.revocations.get(id);
  await operator.revocations.lift(id, { reason: "a test" });
  await operator.revocations.import([{ jti: "tok_imported" }], { dry_run: true });
  await operator.revocations.import([{ jti: "tok_imported" }]);
  for await (const _line of operator.revocations.export());
  await operator.revocations.propagation();
  // More than one live token: a second person is needed.
  const many = await stand.gate.newPerson([], []);
  for (let n = 0; n < 3; n++) {
    await stand.gate.call("/oauth/token", { client: many, form: { grant_type: "client_credentials" } });
  }
  const proposed = await operator.revocations.create({ match: { client_id: many.id }, reason: "a test" });
  expect(proposed).toMatchObject({ state: "awaiting_confirmation" });
  const second = await stand.gate.newPerson([], ["revocations:write"]);
  await held({ token: second.token }).revocations.confirm("id" in proposed ? proposed.id : "", {});
}

async function lookAfterClients({ clients, keys }: Portcullis) {
  const { id } = await clients.create({ name: "a client", scopes: ["requests:read"] });
  await clients.list({ limit: 2 }).page();
  await clients.get(id);
  await clients.update(id, { name: "another" });
  await clients.rotateSecret(id);
  await clients.rotateSecret(id, { compromised: true });
  await clients.update(id, { disabled: true });
  await clients.delete(id);
  await keys.list();
  await keys.rotate({});
}

async function lookAfterPolicy(operator: Portcullis) {
  const { version, document } = await operator.policy.get();
  await operator.policy.schema();
  await operator.policy.check(document);
  await operator.policy.check({
    document,
    people: [{ subject: "x|y", roles: [] }],
    asks: [{ subject: "x|y", resource: "orders", scope: "orders:read" }],
  });
  await operator.policy.put(document, { ifMatch: version });
  await operator.policy.versions().page();
  await operator.policy.version(String(version));
  await operator.policy.activate(String(version));
  const { rules } = await operator.remediationRules.get();
  await operator.remediationRules.replay({ rules, since: 0 });
  await operator.remediationRules.put({ rules }, { ifMatch: version });
}

async function sendEvents({ webhookEndpoints, deliveries }: Portcullis) {
  const { id } = await webhookEndpoints.create({ url: receiver.url, events: ["*"] });
  await webhookEndpoints.list().page();
  await webhookEndpoints.get(id);
  await webhookEndpoints.update(id, { description: "a test" });
  await webhookEndpoints.rotateSecret(id);
  const { delivery_id } = await webhookEndpoints.test(id);
  await webhookEndpoints.deliveries(id).page();
  await webhookEndpoints.redeliver(id, { since: 0 });
  await deliveries.redeliver(delivery_id);
  await webhookEndpoints.delete(id);
}

async function decide({ decisions, health, metrics }: Portcullis) {
  const url = `${stand.gate.issuer}/orders`;
  await decisions.explain({ method: "GET", url });
  const one = {
    subject: { type: "access_token", id: stand.requester.token },
    action: { name: "GET" },
    resource: { type: "url", id: url },
  };
  await decisions.evaluate(one);
  await decisions.evaluateAll({ ...one, evaluations: [{}, { action: { name: "POST" } }] });
  // What the gate refused is on record within a while.
  await stand.gate.call("/orders");
  for (let found = false; !found; ) {
    const [record] = (await decisions.list().page()).items;
    found = record !== undefined;
    if (record) await decisions.get(record.decision_id);
    else await sleep(500);
  }
  await health.live();
  await health.ready();
  await metrics.read();
}

async function speakOAuth() {
  const { id, secret } = stand.requester;
  const authorization = `Basic ${btoa(`${id}:${secret}`)}`;
  const form = (path: string, body: Record<string, string>) =>
    api.fetch(`${stand.gate.issuer}${path}`, {
      method: "POST",
      headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(body).toString(),
    });
  const issued = await form("/oauth/token", { grant_type: "client_credentials" });
  const { access_token: token } = (await issued.json()) as { access_token: string };
  await form("/oauth/introspect", { token });
  await form("/oauth/revoke", { token });
  await form("/oauth/token", { grant_type: "nonsense" });
  await form("/oauth/device_authorization", {});
  await form("/oauth/bc-authorize", {});
}

/** What needs nothing but to be asked. */
async function readAudit(operator: Portcullis) {
  const [newest] = (await operator.audit.list({ limit: 1 }).page()).items;
  await expect
    .poll(
      () =>
        operator.audit.proof({ seq: newest!.seq }).then(
          () => true,
          () => false,
        ),
      { timeout: 15_000 },
    )
    .toBe(true);
  const headers = { authorization: `Bearer ${stand.gate.operator}` };
  const key = await api.fetch(`${stand.gate.issuer}/v1/audit/key`, { headers });
  expect(key.status).toBe(200);
}

async function readEverything() {
  for (const { method, path, operation } of api.operations) {
    if (method !== "GET" || path.includes("{") || path.startsWith("/session")) continue;
    const needed = operation.parameters?.some(({ required }) => required);
    const bearer = operation.security.length > 0 ? { authorization: `Bearer ${stand.gate.operator}` } : {};
    if (!needed)
      await api.fetch(`${stand.gate.issuer}${path}`, { headers: bearer as Record<string, string> });
  }
}
