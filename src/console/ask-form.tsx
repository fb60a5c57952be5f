import type { Problem } from "../protocol/problem.ts";
import { ASK, Terms } from "./ask-page.tsx";
import { isPattern, ticketText } from "./asking.ts";
import { durationText } from "./duration.ts";
import { Field, Form } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { Visitor } from "./visitor.ts";
import type { RuleView } from "./wire.ts";

type Props = {
  rule: RuleView;
  visitor: Pick<Visitor, "csrfToken">;
  issuer: string;
  /** Makes one request of a form that is sent twice. */
  nonce: string;
  /** What is filled in already. */
  filled: URLSearchParams;
  problem?: Problem | undefined;
};

/** Asks for access by one rule. */
export function AskForm({ rule, visitor, issuer, nonce, filled, problem }: Props) {
  const ticket = ticketText(rule);
  return (
    <>
      <Refused problem={problem} />
      <div class="asked">
        <Form action={`${ASK}/new`} visitor={visitor} label="Access request">
          <input type="hidden" name="rule" value={rule.id} />
          <input type="hidden" name="nonce" value={nonce} />
          <Resource rule={rule} filled={filled} />
          <ScopeChoice rule={rule} filled={filled} />
          <Field name="justification" label="Why" hint={whyHint(rule)}>
            {(field) => (
              <textarea
                {...field}
                rows={3}
                required
                minlength={rule.justification_min_length}
                maxlength={2000}
              >
                {filled.get("justification") ?? ""}
              </textarea>
            )}
          </Field>
          {ticket === undefined ? null : (
            <Field name="ticket" label="Ticket" hint={ticket}>
              {(field) => (
                <input
                  {...field}
                  required
                  maxlength={200}
                  autocomplete="off"
                  value={filled.get("ticket") ?? ""}
                />
              )}
            </Field>
          )}
          <Window rule={rule} filled={filled} />
          {rule.break_glass ? <Emergency glass={rule.break_glass} filled={filled} /> : null}
          <p class="actions">
            <button type="submit">Ask for access</button>
            <a href={ASK}>Go back</a>
          </p>
        </Form>
        <section aria-labelledby="terms">
          <h2 id="terms">Terms of this access</h2>
          <Terms rule={rule} issuer={issuer} />
        </section>
      </div>
    </>
  );
}

type PartProps = { rule: RuleView; filled: URLSearchParams };

function whyHint({ justification_min_length: least }: RuleView): string {
  const read = "Whoever approves reads it.";
  return least > 1 ? `At least ${least} characters. ${read}` : read;
}

function Resource({ rule, filled }: PartProps) {
  if (!isPattern(rule)) {
    return (
      <p>
        On <code>{rule.resource}</code>
        <input type="hidden" name="resource" value={rule.resource} />
      </p>
    );
  }
  return (
    <Field name="resource" label="Resource" hint={`Of the form ${rule.resource}.`}>
      {(field) => (
        <input {...field} required maxlength={256} autocomplete="off" value={filled.get("resource") ?? ""} />
      )}
    </Field>
  );
}

/** One scope is what is asked for; of several, those that are needed are chosen. */
function ScopeChoice({ rule: { scopes }, filled }: PartProps) {
  const chosen = filled.getAll("scope").flatMap((each) => each.split(" "));
  return (
    <fieldset>
      <legend>Scopes</legend>
      {scopes.map((scope) => (
        <label class="choice">
          <input
            type="checkbox"
            name="scope"
            value={scope}
            checked={chosen.includes(scope) || scopes.length === 1}
          />
          <code>{scope}</code>
        </label>
      ))}
    </fieldset>
  );
}

function Window({ rule, filled }: PartProps) {
  const usual = durationText(rule.default_duration_seconds, 4);
  return (
    <>
      <Field
        name="duration"
        label="For how long"
        hint={`Such as 30 min or 1 h 30 min; at most ${durationText(rule.max_duration_seconds)}.`}
      >
        {(field) => <input {...field} autocomplete="off" value={filled.get("duration") ?? usual} />}
      </Field>
      <details open={filled.has("starts_at") && filled.get("starts_at") !== ""}>
        <summary>Begin later, or count the uses</summary>
        <Field name="starts_at" label="Begins, in UTC" hint="Left empty: as soon as it is approved.">
          {(field) => <input {...field} type="datetime-local" value={filled.get("starts_at") ?? ""} />}
        </Field>
        <Field name="max_uses" label="Uses" hint={usesHint(rule)}>
          {(field) => (
            <input
              {...field}
              type="number"
              min="1"
              max={String(rule.max_uses ?? 10_000)}
              value={filled.get("max_uses") ?? ""}
            />
          )}
        </Field>
      </details>
    </>
  );
}

function usesHint({ max_uses: most }: RuleView): string {
  return most === undefined
    ? "How many requests it opens at most. Left empty: they are not counted."
    : `How many requests it opens: at most ${most}, which is also what it is where left empty.`;
}

type GlassProps = { glass: NonNullable<RuleView["break_glass"]>; filled: URLSearchParams };

function Emergency({ glass, filled }: GlassProps) {
  const { max_duration_seconds: most, review_within_seconds: within } = glass;
  return (
    <fieldset>
      <legend>Emergency</legend>
      <label class="choice">
        <input type="checkbox" name="emergency" value="true" checked={filled.get("emergency") === "true"} />
        <span>
          Take it now, without approval: for at most {durationText(most)}. It is told to everybody who listens
          before you get it, and reviewed within {durationText(within)} of its end.
        </span>
      </label>
    </fieldset>
  );
}
