import type { ClientsUpdateBody } from "../client/contract.ts";
import { parseUniqueObject } from "../protocol/json.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { patchOf, taken, wordsOf } from "./editing.ts";
import type { ClientView } from "./operator-wire.ts";
import { textOf } from "./review.ts";

/** What people call the members of a client. */
export const CLIENT_WORDS: Readonly<Record<string, string>> = {
  name: "Name",
  auth_method: "Authenticates by",
  grant_types: "Gets tokens by",
  scopes: "Its tokens have at most",
  roles: "Roles",
  introspects: "Introspects for",
  jwks: "Public keys",
  jwks_uri: "Where its public keys are",
  dpop_bound_access_tokens: "Only with a DPoP proof",
  tls_client_certificate_bound_access_tokens: "Tokens bound to its certificate",
};

/** The form's fields as the client has them now. */
export function filledFrom(client: ClientView): URLSearchParams {
  const filled = new URLSearchParams({
    ...{ name: client.name, auth_method: client.auth_method, revision: String(client.revision) },
    ...{ scopes: client.scopes.join(" "), roles: client.roles.join(" ") },
    introspects: (client.introspects ?? []).join(" "),
    jwks_uri: client.jwks_uri ?? "",
    jwks: client.jwks ? JSON.stringify(client.jwks, null, 2) : "",
  });
  for (const type of client.grant_types) filled.append("grant_type", type);
  if (client.dpop_bound_access_tokens) filled.set("dpop", "true");
  if (client.tls_client_certificate_bound_access_tokens) filled.set("tls", "true");
  return filled;
}

/** What the form changes of the client; what it may be changed to is checked by the control plane. */
export function readClientEdit(form: URLSearchParams, client: ClientView): Result<ClientsUpdateBody> {
  const name = textOf(form, "name");
  if (name === undefined) return err(problem("invalid_body", "Give it a name."));
  const grant_types = form.getAll("grant_type") as NonNullable<ClientsUpdateBody["grant_types"]>;
  if (grant_types.length === 0) return err(problem("invalid_body", "Choose how it gets tokens."));
  const keys = readKeys(form, client);
  if (!keys.ok) return keys;
  const words = (field: string) => wordsOf(textOf(form, field));
  const patch = patchOf<ClientsUpdateBody>(client, {
    ...{
      name,
      grant_types,
      scopes: words("scopes"),
      roles: words("roles"),
      introspects: words("introspects"),
    },
    dpop_bound_access_tokens: form.get("dpop") === "true",
    tls_client_certificate_bound_access_tokens: form.get("tls") === "true",
    ...keys.value,
  });
  return Object.keys(patch).length > 0
    ? ok(patch)
    : err(problem("invalid_body", "Nothing is changed by this."));
}

/** A client with a secret stays one, and so does one with keys; those can be given, or where they are. */
function readKeys(form: URLSearchParams, { auth_method }: ClientView): Result<ClientsUpdateBody> {
  if (auth_method !== "private_key_jwt") {
    return ok({ auth_method: (form.get("auth_method") ?? auth_method) as typeof auth_method });
  }
  const [uri, text] = [textOf(form, "jwks_uri"), textOf(form, "jwks")];
  if ((uri === undefined) === (text === undefined))
    return err(problem("invalid_body", "Give its public keys, or where they are: one of the two."));
  if (text === undefined) return ok({ jwks_uri: uri!, jwks: null });
  const jwks = parseUniqueObject(text);
  if (!jwks) return err(problem("invalid_body", "The public keys are no JSON object."));
  return ok({ jwks: jwks as unknown as NonNullable<ClientsUpdateBody["jwks"]>, jwks_uri: null });
}

/** What the change means for tokens that were given, and for the next ones. */
export function consequencesOf(client: ClientView, patch: ClientsUpdateBody): string[] {
  const { scopes, roles, grant_types, introspects } = patch;
  const narrows =
    taken(client.scopes, scopes).length > 0 ||
    taken(client.roles, roles).length > 0 ||
    taken(client.grant_types, grant_types).length > 0;
  const says: readonly (readonly [boolean, string])[] = [
    [
      narrows,
      "Access tokens that were given keep what they have until they end; the next ones, also of people who are signed in through it, do not have what is removed. To end those that there are, revoke the tokens of the client.",
    ],
    [
      taken(client.introspects ?? [], introspects).length > 0,
      "It learns nothing more about tokens of those audiences.",
    ],
    [patch.auth_method !== undefined, "It is refused at once where it authenticates in another way."],
    [
      patch.jwks !== undefined || patch.jwks_uri !== undefined,
      "What it signs with a key that is not among them is refused at once.",
    ],
    [
      patch.dpop_bound_access_tokens === true || patch.tls_client_certificate_bound_access_tokens === true,
      "It gets no token any more without that.",
    ],
  ];
  return says.flatMap(([applies, text]) => (applies ? [text] : []));
}
