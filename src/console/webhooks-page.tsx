import type { Problem } from "../protocol/problem.ts";
import { Field, Form } from "./form.tsx";
import { Empty, Refused } from "./notice.tsx";
import type { EndpointView } from "./operator-wire.ts";
import { Scopes } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";

export const WEBHOOKS = "/console/webhooks";

type Props = {
  endpoints: readonly EndpointView[];
  mayWrite: boolean;
  cursor: string | undefined;
  next: string | undefined;
  now: number;
};

export function endpointPath(id: string, below = ""): string {
  return `${WEBHOOKS}/${encodeURIComponent(id.toWellFormed())}${below}`;
}

/** Who is told of what happens. */
export function WebhooksPage({ endpoints, mayWrite, cursor, next, now }: Props) {
  return (
    <>
      {mayWrite ? (
        <p class="actions">
          <a class="button" href={`${WEBHOOKS}/new`}>
            Add an endpoint…
          </a>
        </p>
      ) : null}
      {endpoints.length === 0 ? (
        <Empty title="No endpoints yet">
          An endpoint is told of events, signed, until it has taken them.
        </Empty>
      ) : (
        <Table caption="Endpoints, newest first" columns={columns(now)} rows={endpoints} />
      )}
      <Pager path={WEBHOOKS} query={{ cursor }} next={next} />
    </>
  );
}

export function EndpointBadge({ enabled, disabled_reason: reason }: EndpointView) {
  if (enabled) return <span class="badge good">enabled</span>;
  return <span class="badge bad">{reason === "gone" ? "disabled: it answered 410" : "disabled"}</span>;
}

function columns(now: number): Column<EndpointView>[] {
  return [
    { head: "Endpoint", isHead: true, cell: ({ id, url }) => <a href={endpointPath(id)}>{url}</a> },
    { head: "State", cell: (endpoint) => <EndpointBadge {...endpoint} /> },
    { head: "Is told of", cell: ({ events }) => <Scopes scopes={events} /> },
    { head: "For", cell: ({ description }) => description ?? "–" },
    { head: "Added", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
  ];
}

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
        <Field name="url" label="Address" hint="https, a public host name, port 443 or 8443.">
          {(field) => (
            <input {...field} type="url" value={value("url")} required maxlength={2000} autocomplete="off" />
          )}
        </Field>
        <Field
          name="events"
          label="Events"
          hint="Types, families such as grant.*, or * for all; with spaces between."
        >
          {(field) => (
            <input
              {...field}
              value={filled.has("events") ? value("events") : "*"}
              required
              autocomplete="off"
            />
          )}
        </Field>
        <Field name="description" label="For" hint="May be left empty.">
          {(field) => <input {...field} value={value("description")} maxlength={200} autocomplete="off" />}
        </Field>
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
