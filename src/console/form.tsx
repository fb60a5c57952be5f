import type { Child } from "hono/jsx";
import type { Visitor } from "./visitor.ts";

type FormProps = {
  action: string;
  visitor: Pick<Visitor, "csrfToken">;
  class?: string;
  id?: string;
  /** Names the form for who does not see it. */
  label?: string;
  /** What a passkey confirms before the form is sent. */
  "data-passkey"?: string | undefined;
  children?: Child;
};

/** A form that changes something: it carries the session's token, without which it is refused. */
export function Form({ action, visitor, label, children, ...rest }: FormProps) {
  return (
    <form method="post" action={action} aria-label={label} {...rest}>
      <input type="hidden" name="csrf_token" value={visitor.csrfToken} />
      {children}
    </form>
  );
}

type FieldProps = {
  name: string;
  label: string;
  /** Distinguishes fields of one name on one page. */
  id?: string;
  hint?: string;
  children: (attributes: { id: string; name: string; "aria-describedby"?: string }) => Child;
};

/** A label, the control that `children` makes, and a hint. */
export function Field({ name, label, hint, id = name, children }: FieldProps) {
  const described = hint === undefined ? {} : { "aria-describedby": `${id}-hint` };
  return (
    <p class="field">
      <label for={id}>{label}</label>
      {children({ id, name, ...described })}
      {hint === undefined ? null : (
        <small id={`${id}-hint`} class="quiet">
          {hint}
        </small>
      )}
    </p>
  );
}
