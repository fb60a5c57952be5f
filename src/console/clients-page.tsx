import { Empty } from "./notice.tsx";
import type { ClientView } from "./operator-wire.ts";
import { Scopes } from "./state-badge.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";

export const CLIENTS = "/console/clients";

type Props = {
  clients: readonly ClientView[];
  cursor: string | undefined;
  next: string | undefined;
  now: number;
};

export function clientPath(id: string, below = ""): string {
  return `${CLIENTS}/${encodeURIComponent(id.toWellFormed())}${below}`;
}

/** The programs that get tokens. */
export function ClientsPage({ clients, cursor, next, now }: Props) {
  return (
    <>
      <p class="actions">
        <a class="button" href={`${CLIENTS}/new`}>
          Register a client…
        </a>
      </p>
      {clients.length === 0 ? (
        <Empty title="No clients yet">A client is a program that gets tokens from here.</Empty>
      ) : (
        <Table caption="Clients, newest first" columns={columns(now)} rows={clients} />
      )}
      <Pager path={CLIENTS} query={{ cursor }} next={next} />
    </>
  );
}

export function ClientBadge({ disabled }: Pick<ClientView, "disabled">) {
  return disabled ? <span class="badge bad">disabled</span> : <span class="badge good">active</span>;
}

function columns(now: number): Column<ClientView>[] {
  return [
    { head: "Client", isHead: true, cell: ({ id, name }) => <a href={clientPath(id)}>{name}</a> },
    { head: "State", cell: ({ disabled }) => <ClientBadge disabled={disabled} /> },
    { head: "Roles", cell: ({ roles }) => (roles.length === 0 ? "–" : roles.join(", ")) },
    { head: "At most", cell: ({ scopes }) => <Scopes scopes={scopes} /> },
    { head: "Registered", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
    { head: "Id", cell: ({ id }) => <code>{id}</code> },
  ];
}
