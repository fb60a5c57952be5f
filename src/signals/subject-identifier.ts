import type { Json } from "../protocol/json.ts";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** Whom or what a signal names, in the words of the trusted issuer: its `sub`, its `sid`, or both. */
export type NamedSubject = { sub?: string; session?: string };

/** `unsupported`: well-formed, and of a kind that names nobody here; `foreign`: of another issuer than it may speak of. */
export type SubjectFault = { kind: "malformed" | "unsupported" | "foreign"; what: string };

/** Whose subjects may be named, and what identifiers mean there. */
export type SubjectReading = {
  issuer: string;
  email_is_sub: boolean;
  opaque_names: "subject" | "session";
};

/** What each format consists of (RFC 9493 §3.2): no other members, none left out. */
const FORMATS: Record<string, readonly string[]> = {
  iss_sub: ["iss", "sub"],
  opaque: ["id"],
  email: ["email"],
};
/** Formats that exist and name nobody here (RFC 9493 §3.2, SSF 1.0 §3.5). */
const OTHER_FORMATS = [
  ...["account", "phone_number", "did", "uri", "aliases"],
  ...["jwt_id", "saml_assertion_id", "ip-addresses"],
];
/** A complex subject has at least one of them (SSF 1.0 §3.3); all of them say of one and the same principal. */
const COMPLEX_MEMBERS = ["user", "session", "device", "application", "tenant", "org_unit", "group"];
const MAX_CHARS = 512;

/** Reads a subject identifier (RFC 9493), simple or complex. */
export function readSubject(
  value: Json | undefined,
  reading: SubjectReading,
): Result<NamedSubject, SubjectFault> {
  if (!isObject(value)) return malformed("is missing");
  const { format } = value;
  if (format === "complex" || (format === undefined && COMPLEX_MEMBERS.some((name) => name in value))) {
    return readComplex(value, reading);
  }
  const alone = reading.opaque_names === "session" && format === "opaque" ? "session" : "sub";
  return readSimple(value, reading, alone);
}

/** The person, the session, or both; a device or tenant beside them says nothing that would make them others. */
function readComplex(value: JsonObject, reading: SubjectReading): Result<NamedSubject, SubjectFault> {
  const named: NamedSubject = {};
  if (value.user !== undefined) {
    const user = readSimple(value.user, reading, "sub");
    if (!user.ok) return user;
    Object.assign(named, user.value);
  }
  if (value.session !== undefined) {
    if (!isObject(value.session) || value.session.format !== "opaque") {
      return unsupported("a session is named by an opaque identifier");
    }
    const session = readSimple(value.session, reading, "session");
    if (!session.ok) return session;
    Object.assign(named, session.value);
  }
  if (named.sub !== undefined || named.session !== undefined) return ok(named);
  return unsupported("it names neither a user nor a session");
}

function readSimple(
  value: Json,
  { issuer, email_is_sub }: SubjectReading,
  as: "sub" | "session",
): Result<NamedSubject, SubjectFault> {
  if (!isObject(value)) return malformed("is no object");
  const { format, ...members } = value;
  if (typeof format !== "string") return malformed("has no format");
  const wanted = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (!wanted) {
    const known = OTHER_FORMATS.includes(format);
    return known ? unsupported(`the format ${format} names nobody here`) : malformed("has an unknown format");
  }
  const fits = wanted.every((name) => isName(members[name])) && Object.keys(members).length === wanted.length;
  if (!fits) return malformed(`does not have exactly the members of ${format}`);
  if (format === "opaque") return ok({ [as]: members.id as string });
  if (format === "email") {
    return email_is_sub
      ? ok({ sub: members.email as string })
      : unsupported("an email address names nobody here");
  }
  if (members.iss === issuer) return ok({ sub: members.sub as string });
  return err({ kind: "foreign", what: "is of another issuer than this transmitter may speak of" });
}

type JsonObject = { [member: string]: Json };

function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** What a token can hold as `sub` or `sid`: a rule on anything else would be acknowledged and hit nothing. */
function isName(value: Json | undefined): boolean {
  return typeof value === "string" && value.length <= MAX_CHARS && PLAIN_TEXT.test(value);
}

function malformed(what: string): Result<never, SubjectFault> {
  return err({ kind: "malformed", what });
}

function unsupported(what: string): Result<never, SubjectFault> {
  return err({ kind: "unsupported", what });
}
