import { durationText } from "./duration.ts";
import { Field, Form } from "./form.tsx";
import { NeedsScript, PASSKEYS } from "./passkey-page.tsx";
import type { Question } from "./question.ts";
import { requestPath } from "./request-view.tsx";
import type { Visitor } from "./visitor.ts";
import type { RequestView } from "./wire.ts";

type Props = {
  request: RequestView;
  question: Question;
  visitor: Pick<Visitor, "csrfToken">;
  /** An approval is confirmed with a passkey. */
  highRisk: boolean;
  /** Where one comes back to: the inbox, or the request itself. */
  from: "inbox" | "request";
  /** What was filled in, where the form was not taken. */
  filled?: URLSearchParams | undefined;
};

const VERBS = {
  request: ["Approve", "Deny"],
  extension: ["Approve the extension", "Deny the extension"],
  emergency: ["It was justified", "It was not: end it"],
} as const;

/** Approve or deny with a comment, and give less than was asked for where that can be. */
export function ReviewForm({ request, question, visitor, highRisk, from, filled }: Props) {
  const [approve, deny] = VERBS[question.kind];
  const id = (name: string) => `${name}-${request.id}`;
  return (
    <Form
      action={`${requestPath(request.id)}/reviews`}
      visitor={visitor}
      data-passkey={highRisk ? "access_request.approve" : undefined}
    >
      <input type="hidden" name="from" value={from} />
      {question.extension === undefined ? null : (
        <input type="hidden" name="extension" value={question.extension} />
      )}
      <Field name="comment" id={id("comment")} label="Comment, seen by who asks">
        {(field) => (
          <textarea {...field} rows={2} maxlength={2000}>
            {filled?.get("comment") ?? ""}
          </textarea>
        )}
      </Field>
      {question.kind === "emergency" ? null : (
        <GiveLess request={request} question={question} filled={filled} />
      )}
      {highRisk ? (
        <>
          <input type="hidden" name="access_request_id" value={request.id} />
          <p class="notice">
            This access is high-risk: you confirm an approval with <a href={PASSKEYS}>your passkey</a>.
          </p>
          <NeedsScript />
        </>
      ) : null}
      {question.kind === "emergency" && request.grant?.state === "active" ? (
        <p class="quiet">
          “It was not” ends the grant now, for good: every access token of it is refused, and every connection
          that one of them holds open is cut.
        </p>
      ) : null}
      <p class="actions">
        <button type="submit" name="outcome" value="approve" data-key="a">
          {approve}
        </button>
        <button type="submit" name="outcome" value="deny" class="danger" data-key="d">
          {deny}
        </button>
      </p>
    </Form>
  );
}

type LessProps = { request: RequestView; question: Question; filled: URLSearchParams | undefined };

function GiveLess({ request, question, filled }: LessProps) {
  const asked = durationText(question.duration_seconds, 4);
  const id = (name: string) => `${name}-${request.id}`;
  return (
    <details open={filled !== undefined}>
      <summary>Give less than was asked for</summary>
      <input type="hidden" name="duration_asked" value={asked} />
      <Field name="duration" id={id("duration")} label="For how long" hint={`At most ${asked}.`}>
        {(field) => <input {...field} value={filled?.get("duration") ?? asked} autocomplete="off" />}
      </Field>
      {question.kind === "extension" ? null : <FewerScopes request={request} filled={filled} />}
      {request.max_uses === undefined || question.kind === "extension" ? null : (
        <>
          <input type="hidden" name="max_uses_asked" value={String(request.max_uses)} />
          <Field name="max_uses" id={id("max_uses")} label="Uses" hint={`At most ${request.max_uses}.`}>
            {(field) => (
              <input
                {...field}
                type="number"
                min="1"
                max={String(request.max_uses)}
                value={filled?.get("max_uses") ?? String(request.max_uses)}
              />
            )}
          </Field>
        </>
      )}
    </details>
  );
}

function FewerScopes({ request, filled }: Omit<LessProps, "question">) {
  const scopes = request.scope.split(" ");
  if (scopes.length === 1) return null;
  const kept = filled?.getAll("scope") ?? scopes;
  return (
    <fieldset>
      <legend>Scopes</legend>
      {scopes.map((scope) => (
        <label class="choice">
          <input type="hidden" name="scope_asked" value={scope} />
          <input type="checkbox" name="scope" value={scope} checked={kept.includes(scope)} />
          <code>{scope}</code>
        </label>
      ))}
    </fieldset>
  );
}
