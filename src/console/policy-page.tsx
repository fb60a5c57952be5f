import type { Problem } from "../protocol/problem.ts";
import { Command } from "./command.tsx";
import { Field, Form } from "./form.tsx";
import { Empty, Refused } from "./notice.tsx";
import type { PolicyVersionView, PolicyView } from "./operator-wire.ts";
import { portcullisText } from "./shell-text.ts";
import { type Column, Pager, Table } from "./table.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";

export const POLICY = "/console/policy";

type Props = {
  policy: PolicyView;
  versions: readonly PolicyVersionView[];
  mayWrite: boolean;
  cursor: string | undefined;
  next: string | undefined;
  now: number;
};

/** The document as it is edited. */
export function documentText(document: object): string {
  return JSON.stringify(document, null, 2);
}

/** The policy in force, and those before it. */
export function PolicyPage({ policy, versions, mayWrite, cursor, next, now }: Props) {
  return (
    <>
      {policy.version === 0 ? (
        <Empty title="There is no policy yet">Until there is one, every request to a route is refused.</Empty>
      ) : null}
      {mayWrite ? (
        <p class="actions">
          <a class="button" href={`${POLICY}/edit`}>
            Edit…
          </a>
        </p>
      ) : null}
      <h2>Versions</h2>
      {versions.length === 0 ? null : (
        <Table caption="Versions, newest first" columns={columns(mayWrite, now)} rows={versions} />
      )}
      <Pager path={POLICY} query={{ cursor }} next={next} />
      <h2>In force: version {policy.version}</h2>
      <pre class="document" tabindex={0} data-copy="">
        {documentText(policy.document)}
      </pre>
    </>
  );
}

function columns(mayWrite: boolean, now: number): Column<PolicyVersionView>[] {
  const shown: Column<PolicyVersionView>[] = [
    {
      head: "Version",
      isHead: true,
      cell: ({ version }) => <a href={`${POLICY}/versions/${version}`}>{version}</a>,
    },
    { head: "State", cell: ({ active }) => (active ? <span class="badge good">in force</span> : "–") },
    { head: "Put", cell: ({ created_at: at }) => <Time at={at} now={now} /> },
    { head: "By", cell: ({ created_by: by }) => by },
  ];
  if (!mayWrite) return shown;
  const back: Column<PolicyVersionView> = {
    head: "Go back",
    cell: ({ version, active }) =>
      active ? (
        "–"
      ) : (
        <a href={`${POLICY}/versions/${version}/activate`} aria-label={`Go back to version ${version}`}>
          Go back…
        </a>
      ),
  };
  return [...shown, back];
}

/** A version that was, or is, in force. */
export function PolicyVersionPage({ document }: Pick<PolicyView, "document">) {
  return (
    <>
      <p>
        <a href={POLICY}>All versions</a>
      </p>
      <pre class="document" tabindex={0} data-copy="">
        {documentText(document)}
      </pre>
    </>
  );
}

const AS_A_FILE = [
  `${portcullisText(["policy", "show"])} > policy.yaml`,
  portcullisText(["policy", "diff", "policy.yaml"]),
  portcullisText(["policy", "apply", "policy.yaml"]),
].join("\n");

type EditorProps = {
  /** As it stands in the field. */
  text: string;
  /** The version that was read for it. */
  version: number;
  /** Requests of others can be decided again only by who may read them. */
  mayReplay: boolean;
  visitor: Pick<Visitor, "csrfToken">;
  problem: Problem | undefined;
};

/** The document in a field. The next page shows what it would change, and only there it can be put. */
export function PolicyEditor({ text, version, mayReplay, visitor, problem }: EditorProps) {
  return (
    <>
      <Refused problem={problem} />
      <Form action={`${POLICY}/edit`} visitor={visitor}>
        <input type="hidden" name="version" value={String(version)} />
        <Field
          name="document"
          label={`The document, from version ${version}`}
          hint="JSON, as PUT /v1/policy takes it."
        >
          {(field) => (
            <textarea {...field} class="document" rows={28} required spellcheck={false} autocomplete="off">
              {text}
            </textarea>
          )}
        </Field>
        <p class="actions">
          <button type="submit">See what it would change</button>
          <a href={POLICY}>Go back, change nothing</a>
        </p>
        <p class="quiet">
          {mayReplay
            ? "The latest 100 access requests are decided again by it, without effect."
            : "With the scope requests:read_all, the latest access requests are decided again by it as well."}
        </p>
      </Form>
      <Command label="From a shell, with an editor of yours" text={AS_A_FILE} />
    </>
  );
}
