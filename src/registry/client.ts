import * as z from "zod";
import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { publicJwks } from "../policy/issuer-schema.ts";
import { roleName, scopeToken } from "../policy/names.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { defaultExpiry, type Revocation } from "../revocation/rule.ts";
import { checkWebhookUrl } from "../webhooks/url-guard.ts";

const GRANT_TYPES = [
  "client_credentials",
  "refresh_token",
  "urn:ietf:params:oauth:grant-type:token-exchange",
  "urn:openid:params:grant-type:ciba",
] as const;
/** `client_secret` is either of the two ways to send a secret. */
const AUTH_METHODS = [
  "client_secret",
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
] as const;

/** A registered OAuth client (RFC 6749 §2). Times are epoch seconds. */
export type ClientRecord = {
  /** `cli_…`, also the subject of the tokens that it gets for itself. */
  id: string;
  name: string;
  /** How it authenticates: no other way is accepted. */
  auth_method: (typeof AUTH_METHODS)[number];
  /** SHA-256, hex, of its 256-bit secrets: newest first, two while one is being rotated; none with keys. */
  secret_hashes: string[];
  /** Its public keys, or where they are: exactly one of the two for `private_key_jwt` (RFC 7523 §3). */
  jwks?: z.output<typeof publicJwks>;
  jwks_uri?: string;
  grant_types: (typeof GRANT_TYPES)[number][];
  /** The most that any of its tokens can have. */
  scopes: string[];
  /** Roles of the tokens that it gets for itself. */
  roles: string[];
  /** It gets no token without a DPoP proof. */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection. */
  tls_client_certificate_bound_access_tokens?: boolean;
  /** A resource server: audiences whose access tokens it may introspect (RFC 7662 §2.1), beside its own. */
  introspects?: string[];
  created_at: number;
  created_by: string;
  /** Raised by every change: the entity tag. */
  revision: number;
  /** Set while it gets no token, with the revocation that bans those it has. */
  disabled?: { at: number; by: string; revocation_id: string };
  /** The revocation that took its tokens back when a secret was given up as compromised, that secret's successor, and from when tokens stand. */
  replaced?: { secret_hash: string; revocation_id: string; from: number };
};

const MAX_SECRETS = 2;
const unique = <T>(items: T[]): T[] => [...new Set(items)];

/** Members of a client that are the caller's to set. */
export const clientMembers = {
  name: z
    .string()
    .max(128)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*\S[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "must be one line of text"),
  auth_method: z.enum(AUTH_METHODS),
  grant_types: z.array(z.enum(GRANT_TYPES)).min(1).transform(unique),
  scopes: z.array(scopeToken).max(64).transform(unique),
  roles: z.array(roleName).max(32).transform(unique),
  jwks_uri: z.string().max(512),
  introspects: z.array(z.string().min(1).max(512)).max(32).transform(unique),
  dpop_bound_access_tokens: z.boolean().describe("It gets no token without a DPoP proof (RFC 9449 §5.2)."),
  tls_client_certificate_bound_access_tokens: z
    .boolean()
    .describe("Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4)."),
};

/** What a client is registered with. */
export const newClientSchema = z.strictObject({
  ...clientMembers,
  auth_method: clientMembers.auth_method.default("client_secret"),
  grant_types: clientMembers.grant_types.default(["client_credentials"]),
  scopes: clientMembers.scopes.default([]),
  roles: clientMembers.roles.default([]),
  introspects: clientMembers.introspects.default([]),
  dpop_bound_access_tokens: clientMembers.dpop_bound_access_tokens.exactOptional(),
  tls_client_certificate_bound_access_tokens:
    clientMembers.tls_client_certificate_bound_access_tokens.exactOptional(),
  jwks: publicJwks.exactOptional(),
  jwks_uri: clientMembers.jwks_uri.exactOptional(),
});

/** Each member replaces the one of the client whole; `null` takes `jwks` or `jwks_uri` away. */
export const clientPatchSchema = z.strictObject({
  name: clientMembers.name.exactOptional(),
  auth_method: clientMembers.auth_method.exactOptional(),
  grant_types: clientMembers.grant_types.exactOptional(),
  scopes: clientMembers.scopes.exactOptional(),
  roles: clientMembers.roles.exactOptional(),
  introspects: clientMembers.introspects.exactOptional(),
  dpop_bound_access_tokens: clientMembers.dpop_bound_access_tokens.exactOptional(),
  tls_client_certificate_bound_access_tokens:
    clientMembers.tls_client_certificate_bound_access_tokens.exactOptional(),
  jwks: publicJwks.nullable().exactOptional(),
  jwks_uri: clientMembers.jwks_uri.nullable().exactOptional(),
  disabled: z.boolean().exactOptional(),
});

export type ClientPatch = z.output<typeof clientPatchSchema>;

type Keys = Pick<ClientRecord, "auth_method" | "jwks" | "jwks_uri">;

/** Keys where they are used to authenticate, and nowhere else; an address from which anybody may fetch. */
export function checkKeys({ auth_method, jwks, jwks_uri }: Keys, local: boolean): Result<null> {
  const given = [jwks, jwks_uri].filter((each) => each !== undefined).length;
  const needed = auth_method === "private_key_jwt" ? 1 : 0;
  if (given !== needed) {
    const detail =
      needed === 1
        ? "private_key_jwt needs exactly one of jwks and jwks_uri."
        : "jwks and jwks_uri are for private_key_jwt.";
    return err(problem("invalid_body", detail, { faults: [`(body): ${detail}`] }));
  }
  const url = jwks_uri === undefined ? ok("") : checkWebhookUrl(jwks_uri, { local });
  return url.ok ? ok(null) : err({ ...url.error, detail: `jwks_uri: ${url.error.detail}` });
}

/** The client with the patch applied, one revision on; that it is disabled is the register's to write. */
export function patchedClient(client: ClientRecord, patch: ClientPatch): ClientRecord {
  const { disabled: _disabled, jwks, jwks_uri, ...rest } = patch;
  const { jwks: oldKeys, jwks_uri: oldUri, ...kept } = client;
  const keys = jwks === undefined ? oldKeys : jwks;
  const uri = jwks_uri === undefined ? oldUri : jwks_uri;
  return {
    ...kept,
    ...rest,
    ...(keys ? { jwks: keys } : {}),
    ...(uri ? { jwks_uri: uri } : {}),
    revision: client.revision + 1,
  };
}

/** Whether the patch only takes away: a change that needs no authority of one's own beyond `clients:write`. */
export function onlyNarrows(client: ClientRecord, patch: ClientPatch): boolean {
  const { name: _name, disabled, scopes, roles, grant_types, ...others } = patch;
  const within = (next: readonly string[] | undefined, now: readonly string[]) =>
    next?.every((each) => now.includes(each)) ?? true;
  return (
    Object.keys(others).length === 0 &&
    disabled !== false &&
    within(scopes, client.scopes) &&
    within(roles, client.roles) &&
    within(grant_types, client.grant_types)
  );
}

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
  const secret_hashes = [hash, ...client.secret_hashes].slice(0, MAX_SECRETS);
  return { ...client, secret_hashes, revision: client.revision + 1 };
}

/**
 * Bans every token of a client: one that is deleted, for good, or one that is disabled, until it is enabled
 * again. Grants that were asked for through it live on for up to thirty days, and none of their tokens may
 * come through.
 */
export function banRevocation(
  id: string,
  client: string,
  reason: string,
  actor: string,
  now: number,
): Revocation {
  return { id, match: { client_id: client }, reason, actor, created_at: now };
}

/** Ends every token of a client that was issued before a moment; those that it gets from then on stand. */
export function cutRevocation(
  ban: Omit<Revocation, "issued_before" | "expires_at">,
  issuedBefore: number,
): Revocation {
  const expires_at = defaultExpiry(ban.match, issuedBefore, ban.created_at);
  return { ...ban, issued_before: issuedBefore, ...(expires_at === undefined ? {} : { expires_at }) };
}

/** The wire form: everything but the hashes and what they were replaced with. */
export function presentClient(client: ClientRecord) {
  const { secret_hashes: _hashes, replaced: _replaced, disabled, ...shown } = client;
  return { ...shown, disabled: disabled !== undefined };
}
