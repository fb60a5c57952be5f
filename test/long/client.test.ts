import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newSigningKeyPair, Portcullis, type PortcullisOptions } from "../../src/client/portcullis.ts";
import { bodyOf, type Client } from "../support/deployment.ts";
import { InstalledPackage } from "../support/package.ts";
import { type Stand, standUp } from "../support/stand.ts";

/** Runs a documented program inside a Worker, with what it is sent. */
const IN_A_WORKER = `import { ask } from "./ask.ts";
export default {
  async fetch(request) {
    const { issuer, clientId, clientSecret } = await request.json();
    return Response.json((await ask(issuer, clientId, clientSecret)) ?? null);
  },
};
`;

let stand: Stand;
let installed: InstalledPackage;

beforeAll(async () => {
  installed = new InstalledPackage();
  expect(installed.addPrograms("client.md")).toEqual(["ask.ts", "streams.ts"]);
  writeFileSync(join(installed.folder, "worker.ts"), IN_A_WORKER);
  const contents = await installed.bundle("worker.ts");
  stand = await standUp(
    (policy) => policy,
    undefined,
    () => ({ beside: [{ name: "asker", contents }] }),
  );
});

afterAll(async () => {
  await stand?.stop();
  installed?.remove();
});

function clientOf({ id, secret }: Client, more: Partial<PortcullisOptions> = {}): Portcullis {
  const credentials = { clientId: id, clientSecret: secret };
  return new Portcullis({ issuer: stand.gate.issuer, credentials, ...more } as PortcullisOptions);
}

/** Approves what is asked for while something else waits for it. */
async function approveNext(): Promise<void> {
  const approving = clientOf(stand.approver);
  for (let found = false; !found; ) {
    const { items } = await approving.accessRequests.list({ reviewable: true, state: "pending" }).page();
    for (const { id } of items) {
      await approving.accessRequests.review(id, { outcome: "approve" });
      found = true;
    }
  }
}

describe("the client", () => {
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

  it("makes one access request of a call whose answers are lost", async () => {
    let lost = 2;
    const asking = clientOf(stand.requester, {
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        if (!url.endsWith("/v1/access-requests") || lost-- <= 0) return answer;
        throw new TypeError("the connection was reset");
      },
    });
    const ticket = `lost-${Date.now()}`;
    const { id } = await asking.accessRequests.create({
      ...{ resource: "orders", scope: "orders:read", justification: "a test", ticket },
    });
    const made: string[] = [];
    for await (const each of asking.accessRequests.list()) if (each.ticket === ticket) made.push(each.id);
    expect(made).toEqual([id]);
    await asking.accessRequests.cancel(id);
  });

  it("holds a token that is bound to its key, and a key in place of a secret", async () => {
    const pair = await newSigningKeyPair();
    const jwk = await exportJWK(pair.publicKey as never);
    const registered = await stand.gate.asOperator("/v1/clients", {
      json: {
        ...{
          name: "with a key",
          auth_method: "private_key_jwt",
          jwks: { keys: [{ ...jwk, kid: "k1", alg: "ES256" }] },
        },
        ...{ scopes: ["requests:create", "requests:read"], dpop_bound_access_tokens: true },
      },
    });
    const { id } = bodyOf<{ id: string }>(registered, 201);
    const credentials = { clientId: id, privateKeyJwt: { key: pair.privateKey, kid: "k1" } };
    const options = { issuer: stand.gate.issuer, credentials };
    const bound = new Portcullis({ ...options, dpop: await newSigningKeyPair() });
    expect((await bound.accessRequests.list().page()).items).toEqual([]);
    // Its neighbour proves no key, and gets no token.
    const unbound = new Portcullis(options);
    await expect(unbound.accessRequests.list().page()).rejects.toMatchObject({
      name: "PortcullisOAuthError",
    });
  });
});

describe("the documented programs", () => {
  it("have types that are right on each platform, and wrong ones are not", () => {
    for (const platform of ["@cloudflare/workers-types", "node"] as const) {
      expect(installed.typeFaults(["ask.ts", "streams.ts"], platform)).toBe("");
    }
    const wrong = `import { Portcullis } from "portcullis/client";
const portcullis = new Portcullis({ issuer: "https://x.example", token: "t" });
const grant = await portcullis.grants.get("grt_1");
export const nobody: string = grant.nobody;
`;
    writeFileSync(join(installed.folder, "wrong.ts"), wrong);
    expect(installed.typeFaults(["wrong.ts"], "node")).toMatch(
      /Property 'nobody' does not exist on type 'Grant'/,
    );
  });

  it("ask, inside a Worker", async () => {
    const { id: clientId, secret: clientSecret } = stand.requester;
    const body = JSON.stringify({ issuer: stand.gate.issuer, clientId, clientSecret });
    const asked = stand.runtime.callBeside("asker", "http://asker/", { method: "POST", body });
    await approveNext();
    const token = (await (await asked).json()) as { access_token: string };
    expect((await stand.gate.call("/orders", { token: token.access_token })).status).toBe(200);
  });

  it("deny tokens and tell who has access, in Node", async () => {
    const file = join(installed.folder, "streams.mjs");
    writeFileSync(file, await installed.bundle("streams.ts"));
    const { deny, holders } = await import(file);
    async function* lines() {
      for (let n = 0; n < 5_000; n++) yield { jti: `tok_imported_${n}`, reason: "a test" };
    }
    const { outcome, denied } = await deny(stand.gate.issuer, stand.gate.operator, lines());
    expect(outcome).toMatchObject({ accepted: 5_000, refused: 0 });
    expect(denied).toBe(5_000);
    expect(await holders(stand.gate.issuer, stand.gate.operator)).toEqual([stand.requester.id]);
  });
});
