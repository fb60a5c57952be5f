import { Field } from "./form.tsx";

const GRANT_TYPES = [
  ["client_credentials", "for itself (client_credentials)"],
  [
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "for people, in exchange for their identity provider's tokens",
  ],
  ["refresh_token", "anew, with refresh tokens"],
  ["urn:openid:params:grant-type:ciba", "for people, once they are asked (CIBA)"],
] as const;

/** What every client has, and an edit can change. */
export function ClientFields({ filled }: { filled: URLSearchParams }) {
  const chosen = filled.has("name") ? filled.getAll("grant_type") : ["client_credentials"];
  return (
    <>
      <Field name="name" label="Name" hint="What people know it by.">
        {(field) => (
          <input {...field} value={filled.get("name") ?? ""} required maxlength={128} autocomplete="off" />
        )}
      </Field>
      <fieldset>
        <legend>It gets tokens</legend>
        {GRANT_TYPES.map(([type, label]) => (
          <label class="choice">
            <input type="checkbox" name="grant_type" value={type} checked={chosen.includes(type)} />
            {label}
          </label>
        ))}
      </fieldset>
      <WordsField
        name="scopes"
        label="Scopes"
        hint="The most that its tokens can have, with spaces between. You can give what you have."
        filled={filled}
      />
      <WordsField
        name="roles"
        label="Roles"
        hint="Of the tokens that it gets for itself, with spaces between."
        filled={filled}
      />
      <WordsField
        name="introspects"
        label="Introspects for"
        hint="A resource server: the audiences whose tokens it may ask about."
        filled={filled}
      />
    </>
  );
}

type WordsProps = { name: string; label: string; hint: string; filled: URLSearchParams };

/** A field for technical text: names with spaces between, or an address. */
export function WordsField({ name, label, hint, filled }: WordsProps) {
  return (
    <Field name={name} label={label} hint={hint}>
      {(field) => (
        <input
          {...field}
          value={filled.get(name) ?? ""}
          maxlength={4000}
          autocomplete="off"
          spellcheck={false}
        />
      )}
    </Field>
  );
}
