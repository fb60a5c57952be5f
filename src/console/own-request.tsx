import { Command, FromShell } from "./command.tsx";
import { durationText } from "./duration.ts";
import { Field, Form } from "./form.tsx";
import { requestPath } from "./request-view.tsx";
import { curlText, portcullisText } from "./shell-text.ts";
import type { Visitor } from "./visitor.ts";
import type { RequestView } from "./wire.ts";

type Props = {
  request: RequestView;
  visitor: Pick<Visitor, "csrfToken">;
  issuer: string;
  /** What was filled in, where the form for more time was not taken. */
  filled?: URLSearchParams | undefined;
};

/** What the requester does: take back what waits, give back what they have, ask for more time, collect the token. */
export function OwnRequest({ request, visitor, issuer, filled }: Props) {
  const { state, grant, extensions = [] } = request;
  const waits = state === "pending" || extensions.some((extension) => extension.state === "pending");
  const live = grant?.state === "active" || grant?.state === "scheduled";
  if (!waits && !live) return null;
  const path = requestPath(request.id);
  return (
    <section class="card" aria-labelledby="own">
      <h2 id="own">Yours to do</h2>
      <div class="actions">
        {waits ? (
          <Form action={`${path}/cancel`} visitor={visitor}>
            <button type="submit" class="second">
              {state === "pending" ? "Take the request back" : "Take the extension back"}
            </button>
          </Form>
        ) : null}
        {live ? (
          <a class="button second" href={`${path}/give-back`}>
            Give the access back…
          </a>
        ) : null}
      </div>
      {live && !waits ? <MoreTime request={request} visitor={visitor} filled={filled} /> : null}
      {state === "pending" ? (
        <Command
          label="Wait for the decision, from a shell"
          text={portcullisText(["requests", "show", request.id], { wait: true })}
        />
      ) : null}
      {grant?.state === "active" ? (
        <FromShell
          label="Collect an access token"
          portcullis={portcullisText(["token", grant.resource], { scope: grant.scope })}
          curl={curlText("POST", `${issuer}/v1/access-requests/${request.id}/token`)}
        />
      ) : null}
    </section>
  );
}

function MoreTime({ request, visitor, filled }: Omit<Props, "issuer">) {
  return (
    <details open={filled !== undefined}>
      <summary>Ask for more time</summary>
      <Form action={`${requestPath(request.id)}/extend`} visitor={visitor} label="More time">
        <Field name="duration" label="How much more" hint="Such as 30 min.">
          {(field) => (
            <input
              {...field}
              required
              autocomplete="off"
              value={filled?.get("duration") ?? durationText(request.duration_seconds, 4)}
            />
          )}
        </Field>
        <Field name="justification" label="Why">
          {(field) => (
            <textarea {...field} rows={2} required maxlength={2000}>
              {filled?.get("justification") ?? ""}
            </textarea>
          )}
        </Field>
        <p class="actions">
          <button type="submit">Ask for more time</button>
        </p>
      </Form>
    </details>
  );
}
