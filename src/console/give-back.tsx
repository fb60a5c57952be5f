import { Command } from "./command.tsx";
import { Confirm } from "./confirm.tsx";
import { Facts } from "./facts.tsx";
import { Field } from "./form.tsx";
import { requestPath } from "./request-view.tsx";
import { portcullisText } from "./shell-text.ts";
import { Scopes } from "./state-badge.tsx";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import type { GrantView } from "./wire.ts";

type Props = { grant: GrantView; visitor: Pick<Visitor, "csrfToken">; now: number };

/** Says what ends when a grant is given back. */
export function GiveBack({ grant, visitor, now }: Props) {
  const path = requestPath(grant.access_request);
  return (
    <>
      <Confirm action={`${path}/give-back`} visitor={visitor} verb="Give the access back" back={path}>
        <p>This ends now, with every access token of it and every connection that one of them holds open:</p>
        <Facts
          of={{
            On: <code>{grant.resource}</code>,
            Gives: <Scopes scopes={grant.scope.split(" ")} />,
            "Would end": <Time at={grant.access_expiry} now={now} />,
          }}
        />
        <Field name="reason" label="Why" hint="May be left empty.">
          {(field) => <input {...field} maxlength={500} autocomplete="off" />}
        </Field>
      </Confirm>
      <Command label="The same from a shell" text={portcullisText(["grants", "return", grant.id])} />
    </>
  );
}
