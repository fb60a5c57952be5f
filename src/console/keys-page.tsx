import { Blast } from "./blast.tsx";
import { Confirm } from "./confirm.tsx";
import { durationText } from "./duration.ts";
import { Facts } from "./facts.tsx";
import { Field } from "./form.tsx";
import type { DryRunView, KeyView, ReceiptView } from "./operator-wire.ts";
import { Propagation } from "./receipt.tsx";
import { StateBadge } from "./state-badge.tsx";
import { type Column, Table } from "./table.tsx";
import { Countdown, Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";

export const KEYS = "/console/keys";

/** A key that should sign by now and does not is an alarm a minute later, as `/readyz` has it. */
const OVERDUE_AFTER_SECONDS = 60;

const PURPOSES: Record<string, string> = {
  access_token: "Access tokens",
  assertion: "Assertions to origins",
};

type Props = {
  keys: readonly KeyView[];
  /** What `/readyz` says is wrong with the keys. */
  alarms: readonly string[];
  now: number;
};

export function replacePath(kid: string): string {
  return `${KEYS}/${encodeURIComponent(kid.toWellFormed())}/replace`;
}

/** The keys of each purpose: how old, which signs, and when the next one takes over. */
export function KeysPage({ keys, alarms, now }: Props) {
  const purposes = [...new Set(keys.map(({ purpose }) => purpose))];
  return (
    <>
      {alarms.map((alarm) => (
        <p class="notice bad" role="alert">
          {alarm}
        </p>
      ))}
      <p class="actions">
        <a class="button" href={`${KEYS}/rotate`}>
          Rotate…
        </a>
      </p>
      {purposes.map((purpose) => (
        <PurposeKeys
          purpose={PURPOSES[purpose] ?? purpose}
          keys={keys.filter((key) => key.purpose === purpose)}
          now={now}
        />
      ))}
    </>
  );
}

function PurposeKeys({ purpose, keys, now }: { purpose: string; keys: readonly KeyView[]; now: number }) {
  const current = keys.find(({ state }) => state === "current");
  const next = keys.find(({ state }) => state === "next");
  return (
    <section aria-label={purpose}>
      <h2>{purpose}</h2>
      <Facts
        of={{
          "Signs now": current ? (
            <>
              <code>{current.kid}</code>, for {durationText(now - (current.signs_from ?? current.created_at))}
            </>
          ) : (
            <span class="badge bad">no key signs</span>
          ),
          "Next key signs":
            next?.signs_from === undefined ? undefined : (
              <Countdown
                until={next.signs_from}
                now={now}
                over={now > next.signs_from + OVERDUE_AFTER_SECONDS ? "overdue" : "due now"}
              />
            ),
        }}
      />
      <Table caption={`${purpose}: keys of the last 90 days`} columns={columns(now)} rows={keys} />
    </section>
  );
}

function columns(now: number): Column<KeyView>[] {
  const at = (moment: number | undefined) => (moment === undefined ? "–" : <Time at={moment} now={now} />);
  return [
    { head: "Key", isHead: true, cell: ({ kid }) => <code>{kid}</code> },
    {
      head: "State",
      cell: ({ state, alg }) => (
        <>
          <StateBadge state={state} /> {alg}
        </>
      ),
    },
    { head: "Age", cell: ({ created_at }) => durationText(now - created_at) },
    { head: "Signs from", cell: ({ signs_from }) => at(signs_from) },
    { head: "Signs until", cell: ({ signs_until }) => at(signs_until) },
    { head: "Verifies until", cell: ({ compromised_at, retires_at }) => at(compromised_at ?? retires_at) },
    {
      head: "If it leaked",
      cell: ({ kid, state }) =>
        state === "current" || state === "next" || state === "previous" ? (
          <a href={replacePath(kid)} aria-label={`Replace ${kid}`}>
            Replace…
          </a>
        ) : (
          "–"
        ),
    },
  ];
}

/** Says what a planned rotation does: it cuts nothing. */
export function RotateKeys({
  keys,
  visitor,
  nonce,
  now,
}: Omit<Props, "alarms"> & { visitor: Pick<Visitor, "csrfToken">; nonce: string }) {
  const next = keys.filter(({ state }) => state === "next");
  return (
    <Confirm
      action={`${KEYS}/rotate`}
      visitor={visitor}
      verb="Rotate the keys"
      back={KEYS}
      fields={{ nonce }}
    >
      <p>
        It cuts nothing: what was signed verifies until it is over. A next key that every verifier can know
        signs at once; else one is published now and signs when they all can.
      </p>
      {next.length === 0 ? null : (
        <Table caption="Keys that wait to sign" columns={columns(now).slice(0, 4)} rows={next} />
      )}
    </Confirm>
  );
}

type ReplaceProps = {
  signingKey: KeyView;
  /** Absent: the visitor may not have tokens counted. */
  dryRun: DryRunView | undefined;
  visitor: Pick<Visitor, "csrfToken">;
  nonce: string;
  now: number;
};

/** Says what the replacement of a leaked key cuts. */
export function ReplaceKey({ signingKey: key, dryRun, visitor, nonce, now }: ReplaceProps) {
  return (
    <Confirm
      action={replacePath(key.kid)}
      visitor={visitor}
      verb="Replace the key, refuse what it signed"
      back={KEYS}
      fields={{ nonce }}
    >
      <p>
        Everything that <code>{key.kid}</code> has signed is refused, for good, without a second person;
        everybody is told. A next key of the same purpose is thrown away with it, and another key signs at
        once.
      </p>
      {key.purpose === "access_token" ? (
        <p>
          Programs get new tokens with their own credentials. Browsers that are signed in, yours too, are
          refused until their session renews its token, which takes minutes; or sign out and in.
        </p>
      ) : (
        <p>
          Origins must fetch the JWK set anew: until then they accept the leaked key and do not know the new
          one.
        </p>
      )}
      {dryRun ? <Blast dryRun={dryRun} now={now} /> : null}
      <Field name="reason" label="Why">
        {(field) => <input {...field} required maxlength={500} autocomplete="off" />}
      </Field>
    </Confirm>
  );
}

/** What follows the replacement: by when it holds, and what is to be done now. */
export function KeyReplaced({ receipt, now }: { receipt: ReceiptView; now: number }) {
  return (
    <>
      <p class="notice good" role="status">
        Another key signs, and everything that the leaked one signed is refused.
      </p>
      <Propagation receipt={receipt} now={now} />
      <h2>Now</h2>
      <ul>
        <li>Have resource servers and origins that keep a JWK set fetch it anew.</li>
        <li>Programs ask for new tokens with their own credentials.</li>
        <li>
          You may be refused here until your session renews its token, in minutes:{" "}
          <a href="/session/sign-out">sign out</a> and in to go on now.
        </li>
      </ul>
    </>
  );
}
