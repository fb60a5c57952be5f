import type { ClientsCreateBody } from "../client/contract.ts";
import type { Problem } from "../protocol/problem.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { ClientFields, WordsField } from "./client-fields.tsx";
import { CLIENTS } from "./clients-page.tsx";
import { wordsOf } from "./editing.ts";
import { Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import { textOf } from "./review.ts";
import type { Visitor } from "./visitor.ts";

type Props = {
  visitor: Pick<Visitor, "csrfToken">;
  /** Makes one client of the form, however often it is sent. */
  nonce: string;
  filled: URLSearchParams;
  problem: Problem | undefined;
};

/** Registers a client. */
export function ClientForm({ visitor, nonce, filled, problem: refusal }: Props) {
  return (
    <>
      <Refused problem={refusal} />
      <Form action={`${CLIENTS}/new`} visitor={visitor}>
        <input type="hidden" name="nonce" value={nonce} />
        <ClientFields filled={filled} />
        <WordsField
          name="jwks_uri"
          label="Where its public keys are"
          hint="Empty: it gets a secret, which the next page shows once. With an address it authenticates with its keys (private_key_jwt)."
          filled={filled}
        />
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
  const words = (field: string) => wordsOf(textOf(form, field));
  return ok({
    ...{ name, grant_types, scopes: words("scopes"), roles: words("roles") },
    introspects: words("introspects"),
    ...(jwks_uri === undefined ? {} : { auth_method: "private_key_jwt", jwks_uri }),
  });
}
