import * as z from "zod";
import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { roleName, scopeToken } from "../policy/names.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { Revocation } from "../revocation/rule.ts";

const GRANT_TYPES = [
  "client_credentials",
  "refresh_token",
  "urn:ietf:params:oauth:grant-type:token-exchange",
] as const;

/** A registered OAuth client (RFC 6749 §2). Times are epoch seconds. */
export type ClientRecord = {
  /** `cli_…`, also the subject of the tokens that it gets for itself. */
  id: string;
  name: string;
  /** By HTTP Basic or in the form (RFC 6749 §2.3.1). */
  auth_method: "client_secret";
  /** SHA-256, hex, of its 256-bit secrets: newest first, two while one is being rotated. */
  secret_hashes: string[];
  grant_types: (typeof GRANT_TYPES)[number][];
  /** The most that any of its tokens can have. */
  scopes: string[];
  /** Roles of the tokens that it gets for itself. */
  roles: string[];
  /** A resource server: audiences whose access tokens it may introspect (RFC 7662 §2.1), beside its own. */
  introspects?: string[];
  created_at: number;
  created_by: string;
};

const MAX_SECRETS = 2;
const unique = <T>(items: T[]): T[] => [...new Set(items)];

/** What a client is registered with. */
export const newClientSchema = z.strictObject({
  name: z
    .string()
    .max(128)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*\S[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "must be one line of text"),
  auth_method: z.literal("client_secret").default("client_secret"),
  grant_types: z.array(z.enum(GRANT_TYPES)).min(1).default(["client_credentials"]).transform(unique),
  scopes: z.array(scopeToken).max(64).default([]).transform(unique),
  roles: z.array(roleName).max(32).default([]).transform(unique),
  introspects: z.array(z.string().min(1).max(512)).max(32).default([]).transform(unique),
});

/**
 * Whether an actor may hand this authority to whoever gets the client's secret. Scopes and roles only those
 * of the actor's own token; the scopes of origins and roles also where the actor can write the policy, which
 * decides what they open. Introspecting for an audience needs the latter too.
 */
export function checkHandOut(
  actor: { scopes: readonly string[]; roles: readonly string[] },
  client: Pick<ClientRecord, "scopes" | "roles" | "introspects">,
): Result<null> {
  const writesPolicy = actor.scopes.includes("policy:write");
  const mayGive = (scope: string) =>
    actor.scopes.includes(scope) || (writesPolicy && !CONTROL_SCOPES.includes(scope));
  const scopes = client.scopes.filter((scope) => !mayGive(scope));
  if (scopes.length > 0) return err(notYours("scopes", scopes));
  const roles = client.roles.filter((role) => !actor.roles.includes(role));
  if (roles.length > 0 && !writesPolicy) return err(notYours("roles", roles));
  const audiences = client.introspects ?? [];
  if (audiences.length > 0 && !writesPolicy) return err(notYours("introspects", audiences));
  return ok(null);
}

function notYours(what: "scopes" | "roles" | "introspects", names: string[]) {
  const lacks =
    what === "introspects" ? "scope policy:write, which audiences need" : `${what} ${names.join(" ")}`;
  const detail = `Your access token does not have the ${lacks}, so a client cannot get them from you.`;
  return problem("forbidden", detail, { [what]: names });
}

/** The client with a new secret; the one before it stays valid until the next rotation. */
export function withSecret(client: ClientRecord, hash: string): ClientRecord {
  if (client.secret_hashes[0] === hash) return client;
  return { ...client, secret_hashes: [hash, ...client.secret_hashes].slice(0, MAX_SECRETS) };
}

/**
 * Ends every token of a deleted client, for good: grants that were asked for through it live on for up to
 * thirty days, and none of their tokens may come through. The id never comes back.
 */
export function deletionRevocation(
  revocationId: string,
  clientId: string,
  actor: string,
  nowSeconds: number,
): Revocation {
  return {
    id: revocationId,
    match: { client_id: clientId },
    reason: "client deleted",
    actor,
    created_at: nowSeconds,
  };
}

/** The wire form: everything but the hashes. */
export function presentClient({ secret_hashes: _hashes, ...shown }: ClientRecord) {
  return shown;
}
