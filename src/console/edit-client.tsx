import type { ClientsUpdateBody } from "../client/contract.ts";
import type { Problem } from "../protocol/problem.ts";
import { Changes } from "./changes.tsx";
import { CLIENT_WORDS, consequencesOf } from "./client-editing.ts";
import { ClientFields, WordsField } from "./client-fields.tsx";
import { clientPath } from "./clients-page.tsx";
import { Confirm } from "./confirm.tsx";
import { changesOf } from "./editing.ts";
import { Field, Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { ClientView } from "./operator-wire.ts";
import { REVOCATIONS } from "./revocations-page.tsx";
import { address } from "./table.tsx";
import type { Visitor } from "./visitor.ts";

type FormProps = {
  client: ClientView;
  visitor: Pick<Visitor, "csrfToken">;
  filled: URLSearchParams;
  problem: Problem | undefined;
};

const SECRET_METHODS = ["client_secret", "client_secret_basic", "client_secret_post"] as const;

/** Edits a client; the next page says what that changes. */
export function EditClient({ client, visitor, filled, problem }: FormProps) {
  return (
    <>
      <Refused problem={problem} />
      <Form action={clientPath(client.id, "/edit")} visitor={visitor}>
        <input type="hidden" name="revision" value={filled.get("revision") ?? ""} />
        <ClientFields filled={filled} />
        {client.auth_method === "private_key_jwt" ? (
          <KeyFields filled={filled} />
        ) : (
          <SecretField filled={filled} />
        )}
        <fieldset>
          <legend>Its tokens are bound</legend>
          <label class="choice">
            <input type="checkbox" name="dpop" value="true" checked={filled.get("dpop") === "true"} />
            to a key: it gets none without a DPoP proof
          </label>
          <label class="choice">
            <input type="checkbox" name="tls" value="true" checked={filled.get("tls") === "true"} />
            to the certificate of its TLS connection
          </label>
        </fieldset>
        <p class="actions">
          <button type="submit">See what changes</button>
          <a href={clientPath(client.id)}>Go back, change nothing</a>
        </p>
      </Form>
    </>
  );
}

function SecretField({ filled }: Pick<FormProps, "filled">) {
  return (
    <Field name="auth_method" label="Sends its secret" hint="No other way is accepted.">
      {(field) => (
        <select {...field}>
          {SECRET_METHODS.map((method) => (
            <option value={method} selected={filled.get("auth_method") === method}>
              {SENDS[method]}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

const SENDS: Record<(typeof SECRET_METHODS)[number], string> = {
  client_secret: "in either way",
  client_secret_basic: "in the header (client_secret_basic)",
  client_secret_post: "in the body (client_secret_post)",
};

function KeyFields({ filled }: Pick<FormProps, "filled">) {
  return (
    <>
      <WordsField
        name="jwks_uri"
        label="Where its public keys are"
        hint="An https address of its JWK set. Empty: the keys below."
        filled={filled}
      />
      <Field
        name="jwks"
        label="Its public keys"
        hint="A JWK set, as JSON. Empty: those at the address above."
      >
        {(field) => (
          <textarea {...field} rows={8} maxlength={64_000} autocomplete="off" spellcheck={false}>
            {filled.get("jwks") ?? ""}
          </textarea>
        )}
      </Field>
    </>
  );
}

type ConfirmProps = Omit<FormProps, "filled" | "problem"> & {
  patch: ClientsUpdateBody;
  /** Whether the visitor may revoke. */
  mayRevoke: boolean;
};

/** Says what an edit changes. */
export function ConfirmClientEdit({ client, patch, visitor, mayRevoke }: ConfirmProps) {
  const fields = { patch: JSON.stringify(patch), revision: String(client.revision) };
  const path = clientPath(client.id);
  return (
    <Confirm action={`${path}/change`} visitor={visitor} verb="Change the client" back={path} fields={fields}>
      <Changes of={changesOf(client, patch, CLIENT_WORDS)} consequences={consequencesOf(client, patch)} />
      {mayRevoke ? (
        <p>
          <a href={address(`${REVOCATIONS}/new`, { client_id: client.id })}>
            Revoke the tokens of the client…
          </a>
        </p>
      ) : null}
    </Confirm>
  );
}
