import type { AuditRecord } from "../client/contract.ts";
import { AUDIT_TYPES, type AuditActor } from "../protocol/audit-record.ts";
import { FilterForm, FilterSelect, FilterText } from "./filter-form.tsx";
import { Field } from "./form.tsx";
import { Empty } from "./notice.tsx";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";

export const AUDIT = "/console/audit";

export type AuditFilters = Record<
  "type" | "actor" | "about" | "request_id" | "since" | "until" | "cursor",
  string | undefined
>;

type Props = { records: readonly AuditRecord[]; now: number; query: AuditFilters; next: string | undefined };

/** A family stands before its types: `grant.*`. */
const TYPES = [...new Set(AUDIT_TYPES.flatMap((type) => [`${type.split(".")[0]}.*`, type]))];

/** Who changed what, newest first. */
export function AuditPage({ records, now, query, next }: Props) {
  return (
    <>
      <FilterForm action={AUDIT}>
        <FilterSelect name="type" label="What" options={TYPES} value={query.type} textOf={typeText} />
        <FilterText name="actor" label="By" value={query.actor} />
        <FilterText name="about" label="About" value={query.about} />
        <FilterText name="request_id" label="Call" value={query.request_id} />
        <Moment name="since" label="From (UTC)" value={query.since} />
        <Moment name="until" label="Until (UTC)" value={query.until} />
      </FilterForm>
      {records.length === 0 ? (
        <Empty title="Nothing is recorded for this">
          Every change of authority, and every refused call of the control plane, leaves a record.
        </Empty>
      ) : (
        <Table caption="Records, newest first" columns={columns(now)} rows={records} />
      )}
      <Pager path={AUDIT} query={query} next={next} />
      <p>
        Export for the offline verifier: <a href={`${AUDIT}/export`}>NDJSON</a>; for a SIEM:{" "}
        <a href={`${AUDIT}/export?format=ocsf`}>OCSF</a>
      </p>
    </>
  );
}

function Moment({ name, label, value }: { name: string; label: string; value: string | undefined }) {
  return (
    <Field name={name} label={label}>
      {(field) => <input {...field} type="datetime-local" value={value ?? ""} />}
    </Field>
  );
}

export function recordPath(seq: number): string {
  return `${AUDIT}/${seq}`;
}

function columns(now: number): Column<AuditRecord>[] {
  return [
    {
      head: "What",
      isHead: true,
      cell: ({ seq, type }) => <a href={recordPath(seq)}>{typeText(type)}</a>,
    },
    { head: "By", cell: ({ actor, erased }) => personText(actor?.subject, erased, "actor") },
    { head: "About", cell: ({ about, erased }) => personText(about, erased, "about") },
    { head: "Why", cell: ({ reason, erased }) => personText(reason, erased, "reason") },
    { head: "When", cell: ({ at }) => <Time at={at} now={now} /> },
  ];
}

function personText(text: string | undefined, erased: readonly string[] = [], member: string): string {
  return text ?? (erased.includes(member) ? "erased" : "–");
}

/** Who did it, and for whom others act. */
export function actorText({ subject, client_id: client, actors = [] }: AuditActor): string {
  const through = [...actors, ...(client === undefined || client === subject ? [] : [client])];
  return through.length === 0 ? subject : `${subject}, through ${through.join(", ")}`;
}

/** `grant.revoked` as words. */
export function typeText(type: string): string {
  const [family = "", event = ""] = type.split(".");
  const about = family.charAt(0).toUpperCase() + spaced(family).slice(1);
  return `${about}: ${event === "*" ? "all" : spaced(event)}`;
}

function spaced(name: string): string {
  return name.replaceAll("_", " ");
}

/** Epoch seconds of what a field for a moment holds, which is taken as UTC; undefined for other text. */
export function readMoment(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/.test(text)) return undefined;
  const ms = Date.parse(`${text}Z`);
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.floor(ms / 1000));
}
