import type { WebhookEndpointsUpdateBody } from "../client/contract.ts";
import type { Problem } from "../protocol/problem.ts";
import { Changes } from "./changes.tsx";
import { Confirm } from "./confirm.tsx";
import { changesOf } from "./editing.ts";
import { ENDPOINT_WORDS, endpointConsequences } from "./endpoint-editing.ts";
import { EndpointFields } from "./endpoint-fields.tsx";
import { Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { EndpointView } from "./operator-wire.ts";
import type { Visitor } from "./visitor.ts";
import { endpointPath } from "./webhooks-page.tsx";

type FormProps = {
  endpoint: EndpointView;
  visitor: Pick<Visitor, "csrfToken">;
  filled: URLSearchParams;
  problem: Problem | undefined;
};

/** Edits an endpoint; the next page says what that changes. */
export function EditEndpoint({ endpoint, visitor, filled, problem }: FormProps) {
  const path = endpointPath(endpoint.id);
  return (
    <>
      <Refused problem={problem} />
      <Form action={`${path}/edit`} visitor={visitor}>
        <input type="hidden" name="revision" value={filled.get("revision") ?? ""} />
        <EndpointFields
          filled={filled}
          urlHint={endpoint.slack ? "Slack's." : "https, a public host name, port 443 or 8443."}
        />
        <p class="actions">
          <button type="submit">See what changes</button>
          <a href={path}>Go back, change nothing</a>
        </p>
      </Form>
    </>
  );
}

type ConfirmProps = Pick<FormProps, "endpoint" | "visitor"> & { patch: WebhookEndpointsUpdateBody };

/** Says what an edit changes. */
export function ConfirmEndpointEdit({ endpoint, patch, visitor }: ConfirmProps) {
  const path = endpointPath(endpoint.id);
  const fields = { patch: JSON.stringify(patch), revision: String(endpoint.revision) };
  return (
    <Confirm
      action={`${path}/change`}
      visitor={visitor}
      verb="Change the endpoint"
      back={path}
      fields={fields}
    >
      <Changes
        of={changesOf(endpoint, patch, ENDPOINT_WORDS)}
        consequences={endpointConsequences(endpoint, patch)}
      />
    </Confirm>
  );
}
