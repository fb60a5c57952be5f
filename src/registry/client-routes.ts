import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import {
  answer,
  type HttpEnv,
  jsonBody,
  optionalJsonBody,
  queryParams,
  readEntityTag,
  refuse,
  requireScope,
} from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { isId, newSecret } from "../platform/ids.ts";
import { sha256Hex } from "../protocol/encoding.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import {
  type ClientRecord,
  checkHandOut,
  checkKeys,
  onlyNarrows,
  patchedClient,
  presentClient,
} from "./client.ts";
import type { ClientChange, ClientDeletion, ClientUpdate, SecretReplacement } from "./client-register.ts";
import { type ClientPatch, clientPatchSchema, newClientSchema } from "./client-schema.ts";
import type { RecordPage } from "./record-store.ts";

export type ClientPort = {
  createClient(client: ClientRecord): Promise<Result<ClientRecord>>;
  client(id: string): Promise<Result<ClientRecord>>;
  listClients(page: { limit: number; cursor?: string }): Promise<Result<RecordPage<ClientRecord>>>;
  rotateClientSecret(change: { id: string; secret_hash: string }): Promise<Result<ClientRecord>>;
  replaceClientSecret(change: SecretReplacement): Promise<Result<ClientChange>>;
  updateClient(change: ClientUpdate): Promise<Result<ClientChange>>;
  deleteClient(change: { id: string; actor: string }): Promise<Result<ClientDeletion>>;
};

export type ClientRouteDeps = { registry: ClientPort; ids: CreationIds; clock: Clock; local: boolean };

/** The body of a rotation, which may be absent. */
export const rotateSchema = z.strictObject({ compromised: z.boolean().default(false) });

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
      const shown = client.ok ? ok(presentClient(client.value)) : client;
      return answer(c, shown, 200, client.ok ? etag(client.value) : {});
    })
    .patch("/v1/clients/:id", jsonBody(clientPatchSchema), async (c) => {
      const changed = await updateClient(c, deps, c.req.param("id"), c.req.valid("json"));
      if (!changed.ok) return refuse(c, changed.error);
      const { client, receipt } = changed.value;
      const shown = { ...presentClient(client), ...(receipt ? { receipt } : {}) };
      return answer(c, ok(shown), 200, etag(client));
    })
    .delete("/v1/clients/:id", async (c) => {
      const id = c.req.param("id");
      if (!isId("cli", id)) return refuse(c, NOT_FOUND);
      return answer(c, await registry.deleteClient({ id, actor: c.var.actor.subject }));
    })
    .post("/v1/clients/:id/rotate-secret", async (c) => {
      const body = await optionalJsonBody(c, rotateSchema);
      if (!body.ok) return refuse(c, body.error);
      return answer(c, await rotateSecret(c, deps, c.req.param("id"), body.value.compromised));
    });
}

function etag({ revision }: ClientRecord): Record<string, string> {
  return { etag: `"${revision}"` };
}

const NOT_FOUND = problem("not_found", "There is no such client.");

type ShownClient = ReturnType<typeof presentClient> & {
  client_id?: string;
  client_secret?: string;
  receipt?: Receipt;
};

async function findClient(registry: ClientPort, id: string): Promise<Result<ClientRecord>> {
  return isId("cli", id) ? registry.client(id) : err(NOT_FOUND);
}

async function createClient(
  c: Context<HttpEnv>,
  { registry, ids, clock, local }: ClientRouteDeps,
  body: z.output<typeof newClientSchema>,
): Promise<Result<ShownClient>> {
  const allowed = checkHandOut(c.var.actor, body);
  if (!allowed.ok) return allowed;
  const sound = checkKeys(body, local);
  if (!sound.ok) return sound;
  const key = await ids(c, "cli", body);
  if (!key.ok) return key;
  const secret = newSecret();
  const hash = await sha256Hex(secret);
  const created = await registry.createClient({
    ...body,
    id: key.value.id,
    secret_hashes: body.auth_method === "private_key_jwt" ? [] : [hash],
    created_at: epochSeconds(clock()),
    created_by: c.var.actor.subject,
    revision: 1,
  });
  if (!created.ok) return created;
  if (created.value.auth_method === "private_key_jwt") {
    return ok({ ...presentClient(created.value), client_id: created.value.id });
  }
  // A repeated creation made nothing: its secret opens nothing, and the first one is not kept.
  return ok(
    created.value.secret_hashes[0] === hash
      ? withCredentials(created.value, secret)
      : presentClient(created.value),
  );
}

async function updateClient(
  c: Context<HttpEnv>,
  { registry, local }: ClientRouteDeps,
  id: string,
  patch: ClientPatch,
): Promise<Result<ClientChange>> {
  const ifMatch = c.req.header("if-match");
  const revision = ifMatch === undefined ? ok(undefined) : readEntityTag(ifMatch);
  if (!revision.ok) return revision;
  const client = await findClient(registry, id);
  if (!client.ok) return client;
  const after = patchedClient(client.value, patch);
  const allowed = onlyNarrows(client.value, patch) ? ok(null) : checkHandOut(c.var.actor, after);
  if (!allowed.ok) return allowed;
  if (isSecret(after) !== isSecret(client.value)) return err(OTHER_KIND);
  const sound = checkKeys(after, local);
  if (!sound.ok) return sound;
  // What was checked is what is changed, whoever else changes it meanwhile.
  const if_match = revision.value ?? client.value.revision;
  return registry.updateClient({ id, patch, if_match, actor: c.var.actor.subject });
}

const isSecret = ({ auth_method }: ClientRecord) => auth_method !== "private_key_jwt";

const OTHER_KIND = problem(
  "conflict",
  "A client with a secret does not become one with keys, nor the other way round: register another one.",
);

async function rotateSecret(
  c: Context<HttpEnv>,
  { registry }: ClientRouteDeps,
  id: string,
  compromised: boolean,
): Promise<Result<ShownClient>> {
  const client = await findClient(registry, id);
  if (!client.ok) return client;
  if (!isSecret(client.value)) {
    return err(problem("conflict", "This client has keys and no secret: replace jwks by PATCH."));
  }
  // Whoever sees the new secret has all that the client may do.
  const allowed = checkHandOut(c.var.actor, client.value);
  if (!allowed.ok) return allowed;
  const secret = newSecret();
  const secret_hash = await sha256Hex(secret);
  if (!compromised) {
    const rotated = await registry.rotateClientSecret({ id, secret_hash });
    return rotated.ok ? ok(withCredentials(rotated.value, secret)) : rotated;
  }
  const replaced = await registry.replaceClientSecret({ id, secret_hash, actor: c.var.actor.subject });
  if (!replaced.ok) return replaced;
  const { client: changed, receipt } = replaced.value;
  return ok({ ...withCredentials(changed, secret), ...(receipt ? { receipt } : {}) });
}

/** What the token endpoint asks for (RFC 6749 §2.3.1), beside the record. */
function withCredentials(client: ClientRecord, secret: string): ShownClient {
  return { ...presentClient(client), client_id: client.id, client_secret: secret };
}
