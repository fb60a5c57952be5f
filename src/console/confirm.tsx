import type { Child } from "hono/jsx";
import { Form } from "./form.tsx";
import type { Visitor } from "./visitor.ts";

type ConfirmProps = {
  action: string;
  visitor: Pick<Visitor, "csrfToken">;
  /** What the button does, as a verb and its object: "Deny 3 requests". */
  verb: string;
  /** Where one goes without doing it. */
  back: string;
  /** Sent with the form. */
  fields?: Readonly<Record<string, string | readonly string[]>>;
  /** What a passkey confirms before the form is sent. */
  passkey?: string | undefined;
  /** Exactly what will be cut, and what else the form asks. */
  children: Child;
};

/** Asks before something that cannot be taken back, and says what it will cut. */
export function Confirm({ action, visitor, verb, back, fields = {}, passkey, children }: ConfirmProps) {
  return (
    <Form action={action} visitor={visitor} class="confirm" data-passkey={passkey}>
      {Object.entries(fields).flatMap(([name, values]) =>
        [values].flat().map((value) => <input type="hidden" name={name} value={value} />),
      )}
      {children}
      <p class="actions">
        <button type="submit" class="danger">
          {verb}
        </button>
        <a href={back}>Go back, change nothing</a>
      </p>
    </Form>
  );
}
