import { Blast } from "./blast.tsx";
import { Command } from "./command.tsx";
import { Confirm } from "./confirm.tsx";
import { Facts } from "./facts.tsx";
import { Field } from "./form.tsx";
import { grantPath } from "./grants-page.tsx";
import type { DryRunView } from "./operator-wire.ts";
import { Propagation } from "./receipt.tsx";
import { requestPath } from "./request-view.tsx";
import { portcullisText } from "./shell-text.ts";
import { Scopes, StateBadge } from "./state-badge.tsx";
import { Countdown, Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import type { GrantView } from "./wire.ts";

type Props = { grant: GrantView; now: number; version: string; mayRevoke: boolean };

/** One grant; where it was revoked, how far that has come. */
export function GrantPage({ grant, now, version, mayRevoke }: Props) {
  const { state, revoke_receipt: receipt } = grant;
  const live = state === "active" || state === "scheduled";
  return (
    <>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version}>
        <GrantFacts grant={grant} now={now} />
        {receipt ? <Propagation receipt={receipt} now={now} /> : null}
        {state === "revoked" && !receipt ? (
          <p class="notice bad">
            The log has not acknowledged the revocation yet. It is tried again until it does; no new token is
            issued.
          </p>
        ) : null}
      </div>
      {live && mayRevoke ? (
        <p class="actions">
          <a class="button danger" href={`${grantPath(grant.id)}/revoke`}>
            Revoke…
          </a>
        </p>
      ) : null}
    </>
  );
}

function GrantFacts({ grant, now }: { grant: GrantView; now: number }) {
  return (
    <Facts
      of={{
        State: <StateBadge state={grant.state} />,
        Who: grant.subject,
        On: <code>{grant.resource}</code>,
        Gives: <Scopes scopes={grant.scope.split(" ")} />,
        From: <Time at={grant.access_start} now={now} />,
        Until: <Time at={grant.access_expiry} now={now} />,
        Left: grant.state === "active" ? <Countdown until={grant.access_expiry} now={now} /> : undefined,
        Uses:
          grant.max_uses === undefined ? undefined : `${grant.uses_left ?? "?"} of ${grant.max_uses} left`,
        Revoked: grant.revoked_at === undefined ? undefined : <Time at={grant.revoked_at} now={now} />,
        By: grant.revoked_by,
        Why: grant.revoke_reason,
        Request: <a href={requestPath(grant.access_request)}>how it came to be</a>,
        Id: <code>{grant.id}</code>,
      }}
    />
  );
}

type RevokeProps = {
  grant: GrantView;
  /** Absent: the visitor may not have tokens counted. */
  dryRun: DryRunView | undefined;
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
};

/** Says what ends when a grant is revoked. */
export function RevokeGrant({ grant, dryRun, visitor, now }: RevokeProps) {
  const path = grantPath(grant.id);
  return (
    <>
      <Confirm action={`${path}/revoke`} visitor={visitor} verb="Revoke the grant" back={path}>
        <p>
          {grant.subject} loses this at once, for good: every access token of the grant is refused, and every
          connection that one of them holds open is cut.
        </p>
        <GrantFacts grant={grant} now={now} />
        {dryRun ? <Blast dryRun={dryRun} now={now} /> : null}
        <Field name="reason" label="Why" hint="Its owner and the audit log are told.">
          {(field) => <input {...field} required maxlength={500} autocomplete="off" />}
        </Field>
      </Confirm>
      <Command
        label="The same from a shell"
        text={portcullisText(["grants", "revoke", grant.id], { reason: "why" })}
      />
    </>
  );
}
