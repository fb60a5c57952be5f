import type { ClientsCreateBody } from "../client/contract.ts";
import type { Problem } from "../protocol/problem.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { CLIENTS } from "./clients-page.tsx";
import { Field, Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import { textOf } from "./review.ts";
import type { Visitor } from "./visitor.ts";

const GRANT_TYPES = [
  ["client_credentials", "for itself (client_credentials)"],
  [
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "for people, in exchange for their identity provider's tokens",
  ],
  ["refresh_token", "anew, with refresh tokens"],
  ["urn:openid:params:grant-type:ciba", "for people, once they are asked (CIBA)"],
] as const;

type Props = {
  visitor: Pick<Visitor, "csrfToken">;
  /** Makes one client of the form, however often it is sent. */
  nonce: string;
  filled: URLSearchParams;
  problem: Problem | undefined;
};

/** Registers a client. */
export function ClientForm({ visitor, nonce, filled, problem: refusal }: Props) {
  const value = (name: string) => filled.get(name) ?? "";
  const chosen = filled.has("name") ? filled.getAll("grant_type") : ["client_credentials"];
  return (
    <>
      <Refused problem={refusal} />
      <Form action={`${CLIENTS}/new`} visitor={visitor}>
        <input type="hidden" name="nonce" value={nonce} />
        <Field name="name" label="Name" hint="What people know it by.">
          {(field) => <input {...field} value={value("name")} required maxlength={128} autocomplete="off" />}
        </Field>
        <fieldset>
          <legend>It gets tokens</legend>
          {GRANT_TYPES.map(([type, label]) => (
            <label class="choice">
              <input type="checkbox" name="grant_type" value={type} checked={chosen.includes(type)} />
              {label}
            </label>
          ))}
        </fieldset>
        <Field
          name="scopes"
          label="Scopes"
          hint="The most that its tokens can have, with spaces between. You can give what you have."
        >
          {(field) => (
            <input
              {...field}
              value={value("scopes")}
              maxlength={4000}
              autocomplete="off"
              spellcheck={false}
            />
          )}
        </Field>
        <Field name="roles" label="Roles" hint="Of the tokens that it gets for itself, with spaces between.">
          {(field) => (
            <input {...field} value={value("roles")} maxlength={2000} autocomplete="off" spellcheck={false} />
          )}
        </Field>
        <Field
          name="introspects"
          label="Introspects for"
          hint="A resource server: the audiences whose tokens it may ask about."
        >
          {(field) => (
            <input
              {...field}
              value={value("introspects")}
              maxlength={4000}
              autocomplete="off"
              spellcheck={false}
            />
          )}
        </Field>
        <Field
          name="jwks_uri"
          label="Where its public keys are"
          hint="Empty: it gets a secret, which the next page shows once. With an address it authenticates with its keys (private_key_jwt)."
        >
          {(field) => (
            <input
              {...field}
              value={value("jwks_uri")}
              maxlength={512}
              autocomplete="off"
              spellcheck={false}
            />
          )}
        </Field>
        <p class="actions">
          <button type="submit">Register the client</button>
          <a href={CLIENTS}>Go back, change nothing</a>
        </p>
      </Form>
    </>
  );
}

/** Reads the form. Whether there are such grant types, and what the visitor may hand out, is checked by the control plane. */
export function readClient(form: URLSearchParams): Result<ClientsCreateBody> {
  const [name, jwks_uri] = [textOf(form, "name"), textOf(form, "jwks_uri")];
  if (name === undefined) return err(problem("invalid_body", "Give it a name."));
  const grant_types = form.getAll("grant_type") as NonNullable<ClientsCreateBody["grant_types"]>;
  if (grant_types.length === 0) return err(problem("invalid_body", "Choose how it gets tokens."));
  const words = (field: string) => (textOf(form, field) ?? "").split(/\s+/).filter((word) => word !== "");
  return ok({
    ...{ name, grant_types, scopes: words("scopes"), roles: words("roles") },
    introspects: words("introspects"),
    ...(jwks_uri === undefined ? {} : { auth_method: "private_key_jwt", jwks_uri }),
  });
}
