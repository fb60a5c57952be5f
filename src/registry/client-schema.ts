import * as z from "zod";
import { publicJwks } from "../policy/issuer-schema.ts";
import { roleName, scopeToken } from "../policy/names.ts";

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

export type GrantType = (typeof GRANT_TYPES)[number];
export type AuthMethod = (typeof AUTH_METHODS)[number];
export type PublicJwks = z.output<typeof publicJwks>;

const unique = <T>(items: T[]): T[] => [...new Set(items)];

/** Members of a client that are the caller's to set. */
export const members = {
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
  ...members,
  auth_method: members.auth_method.default("client_secret"),
  grant_types: members.grant_types.default(["client_credentials"]),
  scopes: members.scopes.default([]),
  roles: members.roles.default([]),
  introspects: members.introspects.default([]),
  dpop_bound_access_tokens: members.dpop_bound_access_tokens.exactOptional(),
  tls_client_certificate_bound_access_tokens:
    members.tls_client_certificate_bound_access_tokens.exactOptional(),
  jwks: publicJwks.exactOptional(),
  jwks_uri: members.jwks_uri.exactOptional(),
});

/** Each member replaces the one of the client whole; `null` takes `jwks` or `jwks_uri` away. */
export const clientPatchSchema = z.strictObject({
  name: members.name.exactOptional(),
  auth_method: members.auth_method.exactOptional(),
  grant_types: members.grant_types.exactOptional(),
  scopes: members.scopes.exactOptional(),
  roles: members.roles.exactOptional(),
  introspects: members.introspects.exactOptional(),
  dpop_bound_access_tokens: members.dpop_bound_access_tokens.exactOptional(),
  tls_client_certificate_bound_access_tokens:
    members.tls_client_certificate_bound_access_tokens.exactOptional(),
  jwks: publicJwks.nullable().exactOptional(),
  jwks_uri: members.jwks_uri.nullable().exactOptional(),
  disabled: z.boolean().exactOptional(),
});

export type ClientPatch = z.output<typeof clientPatchSchema>;
