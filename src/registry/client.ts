import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { defaultExpiry, type Revocation } from "../revocation/rule.ts";
import { checkWebhookUrl } from "../webhooks/url-guard.ts";
import type { AuthMethod, ClientPatch, GrantType, PublicJwks } from "./client-schema.ts";

/** A registered OAuth client (RFC 6749 §2). Times are epoch seconds. */
export type ClientRecord = {
  /** `cli_…`, also the subject of the tokens that it gets for itself. */
  id: string;
  name: string;
  /** How it authenticates: no other way is accepted. */
  auth_method: AuthMethod;
  /** SHA-256, hex, of its 256-bit secrets: newest first, two while one is being rotated; none with keys. */
  secret_hashes: string[];
  /** Its public keys, or where they are: exactly one of the two for `private_key_jwt` (RFC 7523 §3). */
  jwks?: PublicJwks;
  jwks_uri?: string;
  grant_types: GrantType[];
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
