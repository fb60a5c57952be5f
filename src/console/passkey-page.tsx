import type { Problem } from "../protocol/problem.ts";
import { Field, Form } from "./form.tsx";
import { Empty, Refused } from "./notice.tsx";
import { type Column, Table } from "./table.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import type { PasskeyView } from "./wire.ts";

export const PASSKEYS = "/console/passkeys";

type Props = {
  passkeys: readonly PasskeyView[];
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
  problem?: Problem | undefined;
};

/** One's passkeys, which confirm what is high-risk. */
export function PasskeyPage({ passkeys, visitor, now, problem }: Props) {
  return (
    <>
      <Refused problem={problem} />
      <p>
        A passkey confirms what is high-risk: its answer is good for that one decision and no other. A further
        one, and the removal of one, is confirmed by one that you have. If you lose all of them, an operator
        lets you begin anew.
      </p>
      {passkeys.length === 0 ? (
        <Empty title="You have no passkey here">
          Add one below: a security key, a phone, or this device.
        </Empty>
      ) : (
        <Table caption="Your passkeys" columns={columns(visitor, now)} rows={passkeys} />
      )}
      {passkeys.length === 1 ? (
        <p class="quiet">
          This is your only one: without it you can confirm nothing until you add another, which then needs no
          passkey.
        </p>
      ) : null}
      <h2>Add a passkey</h2>
      <Form
        action={PASSKEYS}
        visitor={visitor}
        label="New passkey"
        data-passkey={passkeys.length === 0 ? "passkey.register" : "passkey.add"}
      >
        <Field name="name" label="Name" hint="By which you know it, such as: blue security key.">
          {(field) => <input {...field} required maxlength={64} autocomplete="off" />}
        </Field>
        <NeedsScript />
        <p class="actions">
          <button type="submit">Add a passkey</button>
        </p>
      </Form>
    </>
  );
}

function columns(visitor: Pick<Visitor, "csrfToken">, now: number): Column<PasskeyView>[] {
  return [
    { head: "Name", isHead: true, cell: ({ name }) => name },
    { head: "Added", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
    {
      head: "Last used",
      cell: ({ last_used_at: at }) => (at === undefined ? "never" : <Time at={at} now={now} />),
    },
    {
      head: "Remove",
      cell: ({ id, name }) => (
        <Form action={`${PASSKEYS}/remove`} visitor={visitor} data-passkey="passkey.remove">
          <input type="hidden" name="passkey_id" value={id} />
          <button type="submit" class="second">
            Remove {name}
          </button>
        </Form>
      ),
    },
  ];
}

/** Where a browser's script has its say: what went wrong with the passkey. */
export function NeedsScript() {
  return (
    <>
      <p class="notice bad" data-passkey-fault="" role="alert" hidden></p>
      <noscript>
        <p class="notice">A passkey needs JavaScript: browsers give it to nobody else.</p>
      </noscript>
    </>
  );
}
