import type { Problem } from "../protocol/problem.ts";
import { EndpointFields } from "./endpoint-fields.tsx";
import { Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { Visitor } from "./visitor.ts";
import { WEBHOOKS } from "./webhooks-page.tsx";

type FormProps = {
  visitor: Pick<Visitor, "csrfToken">;
  /** Makes one endpoint of the form, however often it is sent. */
  nonce: string;
  filled: URLSearchParams;
  problem: Problem | undefined;
};

/** Adds an endpoint. */
export function EndpointForm({ visitor, nonce, filled, problem }: FormProps) {
  const value = (name: string) => filled.get(name) ?? "";
  return (
    <>
      <Refused problem={problem} />
      <Form action={`${WEBHOOKS}/new`} visitor={visitor}>
        <input type="hidden" name="nonce" value={nonce} />
        <EndpointFields filled={filled} urlHint="https, a public host name, port 443 or 8443." />
        <fieldset>
          <legend>Signed with</legend>
          <label class="choice">
            <input type="radio" name="signature" value="hmac" checked={value("signature") !== "ed25519"} />a
            secret that both sides have
          </label>
          <label class="choice">
            <input type="radio" name="signature" value="ed25519" checked={value("signature") === "ed25519"} />
            a key whose public half the receiver gets
          </label>
        </fieldset>
        <p class="actions">
          <button type="submit">Add the endpoint</button>
          <a href={WEBHOOKS}>Go back, change nothing</a>
        </p>
      </Form>
    </>
  );
}
