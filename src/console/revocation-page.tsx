import type { Problem } from "../protocol/problem.ts";
import { Blast, cutText } from "./blast.tsx";
import { Confirm } from "./confirm.tsx";
import { Facts } from "./facts.tsx";
import { Field } from "./form.tsx";
import { Refused } from "./notice.tsx";
import type { DryRunView, RevocationView } from "./operator-wire.ts";
import { NeedsScript } from "./passkey-page.tsx";
import { Propagation } from "./receipt.tsx";
import { effectText, ruleText } from "./revocation-words.ts";
import { revocationPath } from "./revocations-page.tsx";
import { StateBadge } from "./state-badge.tsx";
import { Countdown, Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";

type Props = { revocation: RevocationView; visitor: Visitor; now: number; version: string };

/** One revocation: what it hits, how far it has come, who did what to it, and what can be done. */
export function RevocationPage({ revocation, visitor, now, version }: Props) {
  const { state, receipt, history } = revocation;
  return (
    <>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        <RevocationFacts revocation={revocation} now={now} />
        {state === "in_force" && receipt ? <Propagation receipt={receipt} now={now} /> : null}
        <h2>What happened</h2>
        <ol class="timeline">
          {history.map(({ event, at, actor, reason }) => (
            <li>
              <Time at={at} now={now} />: {event} by {actor}
              {reason === undefined ? null : <p class="said">{reason}</p>}
            </li>
          ))}
        </ol>
      </div>
      <Actions revocation={revocation} visitor={visitor} />
    </>
  );
}

function RevocationFacts({ revocation, now }: { revocation: RevocationView; now: number }) {
  const { state, effect, confirmation, expires_at: expires } = revocation;
  return (
    <>
      <p class="said">{ruleText(revocation)}</p>
      <Facts
        of={{
          State: <StateBadge state={state} />,
          "They are": effectText(effect),
          Ends: expires === undefined ? "when it is lifted" : <Time at={expires} now={now} />,
          Emergency: revocation.emergency ? "without a second person" : undefined,
          "As proposed": confirmation && cutText(confirmation.would_cut, confirmation.exact),
          "To confirm":
            (state === "awaiting_confirmation" && confirmation && (
              <Countdown until={confirmation.expires_at} now={now} />
            )) ||
            undefined,
          Id: <code>{revocation.id}</code>,
        }}
      />
    </>
  );
}

function Actions({ revocation, visitor }: Pick<Props, "revocation" | "visitor">) {
  if (!visitor.scopes.has("revocations:write")) return null;
  const path = revocationPath(revocation.id);
  const own = revocation.actor === visitor.subject;
  if (revocation.state === "in_force")
    return (
      <p class="actions">
        <a class="button second" href={`${path}/lift`}>
          Lift…
        </a>
      </p>
    );
  if (revocation.state !== "awaiting_confirmation") return null;
  return (
    <>
      {own ? <p class="notice">You proposed this: another person has to confirm it.</p> : null}
      <p class="actions">
        {own ? null : (
          <a class="button danger" href={`${path}/confirm`}>
            Confirm…
          </a>
        )}
        <a class="button second" href={`${path}/lift`}>
          Give it up…
        </a>
      </p>
    </>
  );
}

type SecondProps = {
  revocation: RevocationView;
  dryRun: DryRunView;
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
};

/** For the second person: what it would cut as of now. `problem`: why the confirmation was not taken. */
export function ConfirmProposal({
  revocation,
  dryRun,
  visitor,
  now,
  problem,
  comment,
}: SecondProps & { problem?: Problem | undefined; comment?: string | undefined }) {
  const path = revocationPath(revocation.id);
  const passkey = problem?.code === "passkey_required";
  return (
    <Confirm
      action={`${path}/confirm`}
      visitor={visitor}
      verb="Confirm, and revoke"
      back={path}
      passkey={passkey ? "revocation.confirm" : undefined}
      fields={{ revocation_id: revocation.id }}
    >
      <Refused problem={problem} />
      {passkey ? <NeedsScript /> : null}
      <RevocationFacts revocation={revocation} now={now} />
      <p>
        {revocation.actor} proposed it: {revocation.reason}
      </p>
      <Blast dryRun={dryRun} now={now} />
      <Field name="comment" label="Comment" hint="May be left empty.">
        {(field) => <input {...field} value={comment} maxlength={500} autocomplete="off" />}
      </Field>
    </Confirm>
  );
}

/** Says what a lift lets in again; of a proposal, that it is given up. */
export function LiftRevocation({ revocation, visitor, now }: Omit<SecondProps, "dryRun">) {
  const path = revocationPath(revocation.id);
  const waits = revocation.state === "awaiting_confirmation";
  return (
    <Confirm
      action={`${path}/lift`}
      visitor={visitor}
      verb={waits ? "Give the proposal up" : "Lift the revocation"}
      back={path}
    >
      <p>
        {waits
          ? "Nothing was revoked by it yet, and nothing will be."
          : "What it hits and has not expired is accepted again, within the bound of each route, unless something else refuses it:"}
      </p>
      <RevocationFacts revocation={revocation} now={now} />
      <Field name="reason" label="Why" hint="May be left empty.">
        {(field) => <input {...field} maxlength={500} autocomplete="off" />}
      </Field>
    </Confirm>
  );
}
