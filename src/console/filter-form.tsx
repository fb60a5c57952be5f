import type { Child } from "hono/jsx";
import { Field } from "./form.tsx";

/** Narrows a list by its address: a form that changes nothing. */
export function FilterForm({ action, children }: { action: string; children: Child }) {
  return (
    <form method="get" action={action} class="filters" aria-label="Filter">
      {children}
      <button type="submit" class="second">
        Filter
      </button>
    </form>
  );
}

type SelectProps = {
  name: string;
  label: string;
  options: readonly string[];
  value: string | undefined;
  /** What the option without a value is called. */
  any?: string;
  textOf?: (option: string) => string;
};

export function FilterSelect({ name, label, options, value, any = "any", textOf = spaced }: SelectProps) {
  return (
    <Field name={name} label={label}>
      {(field) => (
        <select {...field}>
          <option value="">{any}</option>
          {options.map((option) => (
            <option value={option} selected={option === value}>
              {textOf(option)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function FilterText({ name, label, value }: Pick<SelectProps, "name" | "label" | "value">) {
  return (
    <Field name={name} label={label}>
      {(field) => <input {...field} value={value ?? ""} maxlength={512} autocomplete="off" />}
    </Field>
  );
}

function spaced(option: string): string {
  return option.replaceAll("_", " ");
}
