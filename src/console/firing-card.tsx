import { kindText } from "./detections-page.tsx";
import { dateText } from "./duration.ts";
import {
  aboutText,
  actionText,
  confirmationsLeft,
  cutText,
  isUndoable,
  undoText,
  upshotOf,
} from "./firing.ts";
import { Field, Form } from "./form.tsx";
import { NeedsScript } from "./passkey-page.tsx";
import { revocationPath } from "./revocations-page.tsx";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Table } from "./table.tsx";
import { Countdown, Time } from "./time.tsx";
import { hasAny, type Visitor } from "./visitor.ts";
import type { ActionView, FiringView } from "./watch-wire.ts";

type Props = {
  firing: FiringView;
  visitor: Visitor;
  now: number;
  /** A confirmation was refused: the deployment has it given with a passkey. The comment is as it was sent. */
  withPasskey?: { comment: string } | undefined;
};

/** One firing of a rule: what it does, to whom, and what a person can do about it. */
export function FiringCard({ firing, visitor, now, withPasskey }: Props) {
  const { id, rule_id: rule, state, held, ended } = firing;
  const title = `firing-${id}`;
  return (
    <section class="card" aria-labelledby={title}>
      <header>
        <h3 id={title}>
          Rule <code>{rule}</code> <StateBadge state={state} />
        </h3>
        {state === "held" && held ? (
          <Countdown until={held.until} now={now} over="too late to confirm" />
        ) : (
          <Time at={firing.at} now={now} />
        )}
      </header>
      <p>
        {cutText(firing)}
        {firing.would_hold ? ", and would have waited for a person" : ""}.
      </p>
      <Table caption="What the rule does" columns={COLUMNS} rows={firing.actions} />
      {held && held.confirmations.length > 0 ? <Confirmed held={held} now={now} /> : null}
      {ended ? (
        <p>
          {state === "dismissed" ? "Given up" : "Taken back"} by {ended.by} <Time at={ended.at} now={now} />:{" "}
          {ended.reason}
        </p>
      ) : null}
      {hasAny(visitor, ["remediation:write"]) ? (
        <Deeds firing={firing} visitor={visitor} withPasskey={withPasskey} />
      ) : null}
      <p class="quiet">
        <code>{id}</code>
      </p>
    </section>
  );
}

const COLUMNS: Column<ActionView>[] = [
  { head: "Action", isHead: true, cell: (action) => kindText(actionText(action)) },
  { head: "On", cell: ({ on }) => (on === null ? "nobody: the detection names none" : aboutText(on) || "–") },
  { head: "Live tokens", cell: ({ would_cut: cut }) => (cut === undefined ? "–" : cut.toLocaleString("en")) },
  { head: "So far", cell: (action) => <Upshot action={action} /> },
];

function Upshot({ action }: { action: ActionView }) {
  const { revocation_id: revocation, receipt, lift_receipt: lift } = action;
  const said = upshotOf(action);
  if (said !== undefined) return said;
  if (lift) return `taken back; holds everywhere by ${dateText(lastOf(lift))}`;
  if (receipt && revocation !== undefined) {
    return (
      <>
        holds everywhere by {dateText(lastOf(receipt))}:{" "}
        <a href={revocationPath(revocation)}>the revocation</a>
      </>
    );
  }
  return revocation === undefined ? "–" : "on its way";
}

function lastOf({ effective_by: by }: NonNullable<ActionView["receipt"]>): number {
  return Math.ceil(Math.max(...Object.values(by)));
}

function Confirmed({ held, now }: { held: NonNullable<FiringView["held"]>; now: number }) {
  return (
    <ul>
      {held.confirmations.map(({ actor, at, comment }) => (
        <li>
          Confirmed by {actor} <Time at={at} now={now} />
          {comment === undefined ? null : <p class="said">{comment}</p>}
        </li>
      ))}
    </ul>
  );
}

/** The forms stand under what they do: it can be read before a button is pressed. */
function Deeds({ firing, visitor, withPasskey }: Omit<Props, "now">) {
  if (firing.state === "held")
    return <HeldForms firing={firing} visitor={visitor} withPasskey={withPasskey} />;
  if (!isUndoable(firing)) return null;
  return (
    <Form action={firingPath(firing, "undo")} visitor={visitor} label="Undo">
      <p>{undoText(firing)}</p>
      <Reason id={`undo-${firing.id}`} label="Why it is taken back" />
      <p class="actions">
        <button type="submit">Take back what can be taken back</button>
      </p>
    </Form>
  );
}

function HeldForms({ firing, visitor, withPasskey }: Omit<Props, "now">) {
  const { id, held } = firing;
  const has = held?.confirmations.some(({ actor }) => actor === visitor.subject) === true;
  return (
    <>
      {has ? (
        <p>You have confirmed it; another person has to as well.</p>
      ) : (
        <Form
          action={firingPath(firing, "confirm")}
          visitor={visitor}
          label="Confirm"
          data-passkey={withPasskey ? "remediation.confirm" : undefined}
        >
          <input type="hidden" name="remediation_id" value={id} />
          {withPasskey ? <NeedsScript /> : null}
          <Field name="comment" id={`comment-${id}`} label="Comment" hint="May be left empty.">
            {(field) => <input {...field} value={withPasskey?.comment} maxlength={500} autocomplete="off" />}
          </Field>
          <p class="actions">
            <button type="submit" class="danger">
              {confirmationsLeft(firing) > 1
                ? `Confirm: ${confirmationsLeft(firing)} persons are needed`
                : `Let it act: ${cutText(firing).toLowerCase()}`}
            </button>
          </p>
        </Form>
      )}
      <details>
        <summary>Give it up instead: nothing is done</summary>
        <Form action={firingPath(firing, "undo")} visitor={visitor} label="Give up">
          <Reason id={`reason-${id}`} label="Why it is given up" />
          <p class="actions">
            <button type="submit" class="second">
              Give it up
            </button>
          </p>
        </Form>
      </details>
    </>
  );
}

function Reason({ id, label }: { id: string; label: string }) {
  return (
    <Field name="reason" id={id} label={label}>
      {(field) => <input {...field} required maxlength={500} autocomplete="off" />}
    </Field>
  );
}

function firingPath({ id }: Pick<FiringView, "id">, deed: "undo" | "confirm"): string {
  return `/console/remediations/${encodeURIComponent(id.toWellFormed())}/${deed}`;
}
