import type { RevocationsCreateBody } from "../client/contract.ts";
import type { Problem } from "../protocol/problem.ts";
import { Blast, countText } from "./blast.tsx";
import { Command } from "./command.tsx";
import { Confirm } from "./confirm.tsx";
import { Facts } from "./facts.tsx";
import { Field, Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { DryRunView } from "./operator-wire.ts";
import { effectText, ruleText } from "./revocation-words.ts";
import { REVOCATIONS } from "./revocations-page.tsx";
import { revokeText } from "./shell-text.ts";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";

const KINDS = [
  ["sub", "Subject", "Every token of a person or a program: corp|alice, or a client's id."],
  ["jti", "Token", "One token, by its id."],
  ["grant", "Grant", "Every token of one grant."],
  ["session", "Session", "Every token of one session (sid)."],
  ["client_id", "Client", "Every token that one client got."],
  ["jkt", "Sender's key", "Every token bound to the key with this RFC 7638 thumbprint."],
  [
    "kid",
    "Signing key",
    "Every token that a key signed. A key of ours that signs is replaced instead: Keys.",
  ],
  ["iss", "Issuer", "Exactly as in the token; alone, it is every token of that issuer."],
  ["address", "Address", "Every request from an IPv4 address or an IPv6 /64. Alone, with how long it lasts."],
] as const;

type FormProps = {
  visitor: Pick<Visitor, "csrfToken">;
  filled: URLSearchParams;
  problem: Problem | undefined;
};

/** What to revoke. The next page shows what that would cut, and only there it can be done. */
export function RevocationForm({ visitor, filled, problem }: FormProps) {
  const value = (name: string) => filled.get(name) ?? "";
  return (
    <>
      <Refused problem={problem} />
      <Form action={`${REVOCATIONS}/new`} visitor={visitor}>
        <fieldset>
          <legend>Which tokens: all that is filled in must hold</legend>
          <div class="cards">
            {KINDS.map(([name, label, hint]) => (
              <Field name={name} label={label} hint={hint}>
                {(field) => (
                  <input
                    {...field}
                    value={value(name)}
                    maxlength={512}
                    autocomplete="off"
                    spellcheck={false}
                  />
                )}
              </Field>
            ))}
          </div>
          <Field
            name="issued_before"
            label="Issued before"
            hint="now, or a moment in UTC such as 2026-11-22T14:30: newer tokens are spared. Alone, it ends every token."
          >
            {(field) => <input {...field} value={value("issued_before")} maxlength={40} autocomplete="off" />}
          </Field>
        </fieldset>
        <EffectFields value={value} />
        <Field name="reason" label="Why">
          {(field) => (
            <input {...field} value={value("reason")} required maxlength={500} autocomplete="off" />
          )}
        </Field>
        <Field
          name="lasts"
          label="Lasts"
          hint="Such as 8 h. Empty: until no token that it hits can still be alive, or until it is lifted."
        >
          {(field) => <input {...field} value={value("lasts")} maxlength={40} autocomplete="off" />}
        </Field>
        <label class="choice">
          <input type="checkbox" name="emergency" value="true" checked={value("emergency") === "true"} />
          Emergency: in force at once, without a second person; everybody is told
        </label>
        <p class="actions">
          <button type="submit">See what it would cut</button>
          <a href={REVOCATIONS}>Go back, change nothing</a>
        </p>
      </Form>
    </>
  );
}

function EffectFields({ value }: { value: (name: string) => string }) {
  const kinds = [
    ["", "are refused"],
    ["step_up", "need a new sign-in"],
    ["shrink_scope", "count without some scopes"],
  ] as const;
  return (
    <fieldset>
      <legend>These tokens</legend>
      {kinds.map(([kind, label]) => (
        <label class="choice">
          <input type="radio" name="effect" value={kind} checked={value("effect") === kind} />
          {label}
        </label>
      ))}
      <details open={value("effect") !== ""}>
        <summary>Which sign-in, which scopes</summary>
        <Field
          name="signed_in_since"
          label="Signed in since"
          hint="For a new sign-in: now, or a moment in UTC."
        >
          {(field) => <input {...field} value={value("signed_in_since")} maxlength={40} autocomplete="off" />}
        </Field>
        <Field name="acr_values" label="By" hint="For a new sign-in: acr values, with spaces between.">
          {(field) => <input {...field} value={value("acr_values")} maxlength={500} autocomplete="off" />}
        </Field>
        <Field name="scopes" label="Scopes that count no more" hint="With spaces between.">
          {(field) => <input {...field} value={value("scopes")} maxlength={2000} autocomplete="off" />}
        </Field>
      </details>
    </fieldset>
  );
}

type ConfirmProps = {
  body: RevocationsCreateBody;
  dryRun: DryRunView;
  /** Makes one revocation of the form, however often it is sent. */
  nonce: string;
  /** Above so many live tokens a second person must confirm; absent where the visitor may not know. */
  confirmAbove: number | undefined;
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
};

/** What the revocation would cut, before the button that does it. */
export function ConfirmRevocation({ body, dryRun, nonce, confirmAbove, visitor, now }: ConfirmProps) {
  const command = revokeText(body);
  return (
    <>
      <Confirm
        action={REVOCATIONS}
        visitor={visitor}
        verb={verbOf(body, dryRun, confirmAbove)}
        back={REVOCATIONS}
        fields={{ nonce, body: JSON.stringify(body) }}
      >
        <p class="said">{ruleText(body)}</p>
        <Facts
          of={{
            "They are": effectText(body.effect),
            Why: body.reason,
            Ends: body.expires_at === undefined ? undefined : <Time at={body.expires_at} now={now} />,
            Emergency: body.emergency ? "in force at once; everybody is told" : undefined,
          }}
        />
        {body.match.address === undefined ? (
          <Blast dryRun={dryRun} now={now} />
        ) : (
          <p class="notice">
            Every request from there is refused, whatever token it has. Nobody counts those.
          </p>
        )}
        <SecondPerson body={body} dryRun={dryRun} confirmAbove={confirmAbove} />
      </Confirm>
      {command === undefined ? null : <Command label="The same from a shell" text={command} />}
    </>
  );
}

type Secondness = Pick<ConfirmProps, "body" | "dryRun" | "confirmAbove">;

function needsSecond({ body, dryRun, confirmAbove }: Secondness): boolean | undefined {
  if (body.emergency || body.match.jti !== undefined) return false;
  return confirmAbove === undefined ? undefined : dryRun.would_cut.tokens > confirmAbove;
}

function SecondPerson(props: Secondness) {
  const needs = needsSecond(props);
  if (needs === false) return null;
  return (
    <p class="notice">
      {needs
        ? `More than ${countText(props.confirmAbove ?? 0, "live token")}: nothing is revoked until another person confirms it, within an hour.`
        : "Where it cuts more than the policy lets one person cut, another person must confirm it within an hour."}
    </p>
  );
}

function verbOf(body: RevocationsCreateBody, dryRun: DryRunView, confirmAbove: number | undefined): string {
  if (needsSecond({ body, dryRun, confirmAbove })) return "Propose the revocation";
  return body.emergency ? "Revoke now, without a second person" : "Revoke";
}
