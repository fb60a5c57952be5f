import { Blast } from "./blast.tsx";
import { ClientBadge, clientPath } from "./clients-page.tsx";
import { Command } from "./command.tsx";
import { Confirm } from "./confirm.tsx";
import { Facts } from "./facts.tsx";
import { Form } from "./form.tsx";
import type { ClientView, DryRunView } from "./operator-wire.ts";
import { Scopes } from "./state-badge.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";

type Props = { client: ClientView; visitor: Pick<Visitor, "csrfToken">; now: number };

/** One client, and what can be done with it. */
export function ClientPage({ client, visitor, now }: Props) {
  const { id, disabled } = client;
  return (
    <>
      <ClientFacts client={client} now={now} />
      <div class="actions">
        <a class="button second" href={clientPath(id, "/edit")}>
          Edit…
        </a>
        {hasSecret(client) ? (
          <a class="button second" href={clientPath(id, "/rotate")}>
            New secret…
          </a>
        ) : null}
        {disabled ? (
          <Form action={clientPath(id, "/enable")} visitor={visitor}>
            <button type="submit" class="second">
              Enable again
            </button>
          </Form>
        ) : (
          <a class="button second" href={clientPath(id, "/disable")}>
            Disable…
          </a>
        )}
        <a class="button second" href={clientPath(id, "/delete")}>
          Delete…
        </a>
      </div>
      {disabled ? (
        <p class="quiet">Once enabled it gets new tokens; those that it had before stay refused.</p>
      ) : null}
    </>
  );
}

function hasSecret({ auth_method: method }: ClientView): boolean {
  return method !== "private_key_jwt";
}

function ClientFacts({ client, now }: Pick<Props, "client" | "now">) {
  return (
    <Facts
      of={{
        Name: client.name,
        State: <ClientBadge disabled={client.disabled} />,
        "Its tokens have at most": <Scopes scopes={client.scopes} />,
        Roles: client.roles.length === 0 ? "none" : client.roles.join(", "),
        "Gets tokens by": <Scopes scopes={client.grant_types} />,
        "Authenticates by": <code>{client.auth_method}</code>,
        Keys: client.jwks_uri && <code>{client.jwks_uri}</code>,
        "Introspects for": client.introspects?.length ? client.introspects.join(", ") : undefined,
        Registered: <Time at={client.created_at} now={now} />,
        By: client.created_by,
        Id: <code>{client.id}</code>,
      }}
    />
  );
}

/** The secret, for the only time. It is in no address, and no other page shows it. */
export function ClientSecret({ client, issuer }: { client: ClientView; issuer: string }) {
  const { id, client_secret: secret } = client;
  return (
    <>
      {secret === undefined ? (
        <p class="notice">
          {hasSecret(client)
            ? "This form was sent before: the secret was shown then, and is not kept. Make a new one if it is lost."
            : "It has keys of its own: there is no secret."}
        </p>
      ) : (
        <>
          <p class="notice good" role="status">
            Copy the secret now: this page shows it once, and only its hash is kept.
          </p>
          <Command label="Secret" text={secret} />
          <Command
            label="A token, from a shell: the secret is in $SECRET"
            text={`curl '${issuer}/oauth/token' \\\n  -u "${id}:$SECRET" \\\n  --data grant_type=client_credentials`}
          />
        </>
      )}
      <Facts of={{ Id: <code>{id}</code>, Name: client.name }} />
      <p class="actions">
        <a class="button" href={clientPath(id)}>
          To the client
        </a>
      </p>
    </>
  );
}

export type ClientAct = "rotate" | "disable" | "delete";

type ConfirmProps = Props & {
  act: ClientAct;
  /** Absent: the visitor may not have tokens counted. */
  dryRun: DryRunView | undefined;
};

const ACTS: Record<ClientAct, { verb: string; says: string }> = {
  rotate: {
    verb: "Make a new secret",
    says: "The new secret works at once. The one before it works until the next new one; older ones stop now.",
  },
  disable: {
    verb: "Disable the client",
    says: "It gets no token, and every token that it got is refused for good, also those of people who signed in through it. Once it is enabled again it gets new ones.",
  },
  delete: {
    verb: "Delete the client",
    says: "It is gone for good: it gets no token, and every token that it got is refused, also those of people who signed in through it.",
  },
};

/** Says what an act on a client cuts. */
export function ConfirmClientAct({ client, act, dryRun, visitor, now }: ConfirmProps) {
  const { verb, says } = ACTS[act];
  return (
    <Confirm
      action={clientPath(client.id, `/${act}`)}
      visitor={visitor}
      verb={verb}
      back={clientPath(client.id)}
    >
      <p>{says}</p>
      <ClientFacts client={client} now={now} />
      {act === "rotate" ? (
        <label class="choice">
          <input type="checkbox" name="compromised" value="true" />
          The old secret leaked: it stops at once, and every token that the client got with it is refused
        </label>
      ) : null}
      {dryRun ? <Blast dryRun={dryRun} now={now} title={act === "rotate" ? "If it leaked: " : ""} /> : null}
    </Confirm>
  );
}
