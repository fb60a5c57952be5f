import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, jsonBody, queryParams, refuse, requireScope } from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { isId, newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { type ClientRecord, checkHandOut, newClientSchema, presentClient } from "./client.ts";
import type { RecordPage } from "./record-store.ts";
import type { ClientDeletion } from "./registry-object.ts";

export type ClientPort = {
  createClient(client: ClientRecord): Promise<Result<ClientRecord>>;
  client(id: string): Promise<Result<ClientRecord>>;
  listClients(page: { limit: number; cursor?: string }): Promise<Result<RecordPage<ClientRecord>>>;
  rotateClientSecret(change: { id: string; secret_hash: string }): Promise<Result<ClientRecord>>;
  deleteClient(change: { id: string; actor: string }): Promise<Result<ClientDeletion>>;
};

export type ClientRouteDeps = { registry: ClientPort; ids: CreationIds; clock: Clock };

const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(64).exactOptional(),
});

/** `/v1/clients`: OAuth clients. A secret is shown once, by the call that made it; only its hash is kept. */
export function clientRoutes(deps: ClientRouteDeps) {
  const { registry } = deps;
  return new Hono<HttpEnv>()
    .use("/v1/clients/*", requireScope("clients:write"))
    .post("/v1/clients", jsonBody(newClientSchema), async (c) => {
      const created = await createClient(c, deps, c.req.valid("json"));
      const location = created.ok ? { location: `/v1/clients/${created.value.id}` } : {};
      return answer(c, created, 201, location);
    })
    .get("/v1/clients", queryParams(pageQuery), async (c) => {
      const page = await registry.listClients(c.req.valid("query"));
      if (!page.ok) return refuse(c, page.error);
      return answer(c, ok({ ...page.value, items: page.value.items.map(presentClient) }));
    })
    .get("/v1/clients/:id", async (c) => {
      const client = await findClient(registry, c.req.param("id"));
      return answer(c, client.ok ? ok(presentClient(client.value)) : client);
    })
    .delete("/v1/clients/:id", async (c) => {
      const id = c.req.param("id");
      if (!isId("cli", id)) return refuse(c, NOT_FOUND);
      return answer(c, await registry.deleteClient({ id, actor: c.var.actor.subject }));
    })
    .post("/v1/clients/:id/rotate-secret", async (c) =>
      answer(c, await rotateSecret(c, deps, c.req.param("id"))),
    );
}

const NOT_FOUND = problem("not_found", "There is no such client.");

type ShownClient = ReturnType<typeof presentClient> & { client_id?: string; client_secret?: string };

async function findClient(registry: ClientPort, id: string): Promise<Result<ClientRecord>> {
  return isId("cli", id) ? registry.client(id) : err(NOT_FOUND);
}

async function createClient(
  c: Context<HttpEnv>,
  { registry, ids, clock }: ClientRouteDeps,
  body: z.output<typeof newClientSchema>,
): Promise<Result<ShownClient>> {
  const allowed = checkHandOut(c.var.actor, body);
  if (!allowed.ok) return allowed;
  const key = await ids(c, "cli", body);
  if (!key.ok) return key;
  const secret = newSecret();
  const hash = await sha256Hex(secret);
  const created = await registry.createClient({
    ...body,
    id: key.value.id,
    secret_hashes: [hash],
    created_at: epochSeconds(clock()),
    created_by: c.var.actor.subject,
  });
  if (!created.ok) return created;
  // A repeated creation made nothing: its secret opens nothing, and the first one is not kept.
  return ok(
    created.value.secret_hashes[0] === hash
      ? withCredentials(created.value, secret)
      : presentClient(created.value),
  );
}

async function rotateSecret(
  c: Context<HttpEnv>,
  { registry }: ClientRouteDeps,
  id: string,
): Promise<Result<ShownClient>> {
  const client = await findClient(registry, id);
  if (!client.ok) return client;
  // Whoever sees the new secret has all that the client may do.
  const allowed = checkHandOut(c.var.actor, client.value);
  if (!allowed.ok) return allowed;
  const secret = newSecret();
  const rotated = await registry.rotateClientSecret({ id, secret_hash: await sha256Hex(secret) });
  return rotated.ok ? ok(withCredentials(rotated.value, secret)) : rotated;
}

/** What the token endpoint asks for (RFC 6749 §2.3.1), beside the record. */
function withCredentials(client: ClientRecord, secret: string): ShownClient {
  return { ...presentClient(client), client_id: client.id, client_secret: secret };
}
