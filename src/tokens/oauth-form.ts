import { type OAuthError, oauthError, printable } from "../protocol/oauth-error.ts";
import { err, ok, type Result } from "../protocol/result.ts";

export const MAX_FORM_BYTES = 32 * 1024;
const MAX_PARAMETERS = 64;
const FORM = /^application\/x-www-form-urlencoded\s*(?:;\s*charset="?utf-8"?\s*)?$/i;
const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;

/**
 * Reads the form of an OAuth endpoint strictly: its media type, UTF-8, and every parameter at most once; one
 * without a value counts as left out (RFC 6749 §3.2). A target that is named twice is told as such (RFC 8707 §2).
 */
export function readForm(contentType: string | undefined, text: string): Result<URLSearchParams, OAuthError> {
  if (!FORM.test((contentType ?? "").trim())) {
    return invalid("Send the parameters as application/x-www-form-urlencoded in UTF-8.");
  }
  if (BROKEN_ESCAPE.test(text)) return invalid("The form has a percent sign that escapes nothing.");
  const form = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(text)) {
    if (`${name}${value}`.includes("\ufffd")) return invalid("The form is not UTF-8.");
    if (form.has(name)) return err(repeated(name));
    form.append(name, value);
    if (form.size > MAX_PARAMETERS) return invalid(`The form has more than ${MAX_PARAMETERS} parameters.`);
  }
  for (const [name, value] of [...form]) if (value === "") form.delete(name);
  return ok(form);
}

function repeated(name: string): OAuthError {
  if (name === "resource" || name === "audience") {
    return oauthError("invalid_target", "A token is for one audience: name one.");
  }
  return oauthError("invalid_request", `The parameter ${shown(name)} is given more than once.`);
}

/** Parameters by which a client authenticates, at every endpoint. */
const CLIENT_PARAMETERS = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

/** Refuses by name what would be ignored. */
export function knownParameters(form: URLSearchParams, known: readonly string[]): Result<null, OAuthError> {
  const name = [...form.keys()].find((key) => !known.includes(key) && !CLIENT_PARAMETERS.includes(key));
  return name === undefined ? ok(null) : invalid(`The parameter ${shown(name)} is not known here.`);
}

function shown(name: string): string {
  return printable(name.slice(0, 64));
}

function invalid(description: string): Result<never, OAuthError> {
  return err(oauthError("invalid_request", description));
}
