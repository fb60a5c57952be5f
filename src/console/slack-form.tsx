import type { Problem } from "../protocol/problem.ts";
import { EndpointFields } from "./endpoint-fields.tsx";
import { Field, Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { EndpointView } from "./operator-wire.ts";
import type { Visitor } from "./visitor.ts";
import { endpointPath, WEBHOOKS } from "./webhooks-page.tsx";

type Props = {
  visitor: Pick<Visitor, "csrfToken">;
  filled: URLSearchParams;
  problem: Problem | undefined;
  /** Of a new endpoint: makes one of the form, however often it is sent. */
  nonce?: string;
  /** Whose settings are replaced. */
  endpoint?: EndpointView;
};

/** Has messages sent to Slack, or replaces how. A secret that was typed is never shown again, not even here. */
export function SlackForm({ visitor, filled, problem, nonce, endpoint }: Props) {
  const action = endpoint ? endpointPath(endpoint.id, "/slack") : `${WEBHOOKS}/new/slack`;
  return (
    <>
      <Refused problem={problem} />
      <Form action={action} visitor={visitor}>
        {endpoint ? (
          <p class="notice">
            This replaces all of it: the secrets that it has are forgotten, also those that are not given
            again, and clicks count of exactly the people below.
          </p>
        ) : (
          <>
            <input type="hidden" name="nonce" value={nonce} />
            <EndpointFields
              filled={filled}
              urlHint="Of an incoming webhook, https://hooks.slack.com/…; with a bot https://slack.com/api/chat.postMessage."
            />
          </>
        )}
        <SecretField name="bot_token" label="Bot's token" hint="xoxb-…; empty for an incoming webhook." />
        <Field name="channel" label="Channel" hint="Its id, such as C0123ABCD; with a bot only.">
          {(field) => (
            <input {...field} value={filled.get("channel") ?? ""} maxlength={80} autocomplete="off" />
          )}
        </Field>
        <SecretField
          name="signing_secret"
          label="Signing secret"
          hint="Of the Slack app, under Basic Information. Needed where a click decides."
        />
        <Field
          name="approvers"
          label="Who decides by a click"
          hint="One person a line: Slack's user id, the subject, the roles. Such as U024BE7LH corp|bob approver. May be left empty."
        >
          {(field) => (
            <textarea {...field} rows={4} maxlength={20_000} autocomplete="off" spellcheck={false}>
              {filled.get("approvers") ?? ""}
            </textarea>
          )}
        </Field>
        <p class="actions">
          <button type="submit" class={endpoint ? "danger" : undefined}>
            {endpoint ? "Replace Slack's settings" : "Add the endpoint"}
          </button>
          <a href={endpoint ? endpointPath(endpoint.id) : WEBHOOKS}>Go back, change nothing</a>
        </p>
      </Form>
    </>
  );
}

function SecretField({ name, label, hint }: { name: string; label: string; hint: string }) {
  return (
    <Field name={name} label={label} hint={hint}>
      {(field) => <input {...field} type="password" maxlength={512} autocomplete="off" />}
    </Field>
  );
}
