import { Field } from "./form.tsx";

/** Where to, of what, and what for. */
export function EndpointFields({ filled, urlHint }: { filled: URLSearchParams; urlHint: string }) {
  return (
    <>
      <Field name="url" label="Address" hint={urlHint}>
        {(field) => (
          <input
            {...field}
            type="url"
            value={filled.get("url") ?? ""}
            required
            maxlength={2000}
            autocomplete="off"
          />
        )}
      </Field>
      <Field
        name="events"
        label="Events"
        hint="Types, families such as grant.*, or * for all; with spaces between."
      >
        {(field) => <input {...field} value={filled.get("events") ?? "*"} required autocomplete="off" />}
      </Field>
      <Field name="description" label="For" hint="May be left empty.">
        {(field) => (
          <input {...field} value={filled.get("description") ?? ""} maxlength={200} autocomplete="off" />
        )}
      </Field>
    </>
  );
}
