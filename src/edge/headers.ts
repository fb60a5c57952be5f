import { COOKIE_PREFIX } from "../browser/session-cookie.ts";
import { hasCookiePrefix, withoutCookiePrefix } from "../protocol/cookie.ts";
import { answerKindOf, requestKindOf } from "./header-names.ts";

/** A byte that is not UTF-8 is read as it. */
const NOT_UTF8 = "\ufffd";
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Who is behind a request, as the origin is told. */
export type Identity = {
  assertion?: string | undefined;
  subject?: string | undefined;
  scope?: string | undefined;
  grant?: string | undefined;
};

/** What the edge itself says to the origin. */
export type OwnHeaders = Identity & {
  requestId: string;
  scheme: string;
  host: string;
  passAuthorization: boolean;
};

/** Header fields as `fetch` takes them, by their names in lower case; without a prototype, as clients choose names. */
export type Fields = Record<string, string>;

/** The headers for the origin, and of them the client's that cannot be read as they came. */
export type FieldsForOrigin = { fields: Fields; unread: readonly string[] };

const NONE: readonly string[] = [];

/**
 * The headers for the origin: the client's, without what no client may send, and with ours. Ours come last: nothing
 * that the client names can remove or precede them. Several lines of one name become one, with commas, which is how
 * everything here reads them too. An object of strings, as `Headers` would be copied once more by `fetch`. One pass,
 * by `forEach`: an iterator is an object of the runtime's for each request, and one more for each field.
 */
export function headersForOrigin(headers: Headers, own: OwnHeaders): FieldsForOrigin {
  const fields: Fields = Object.create(null);
  let named = NONE;
  let unread = NONE;
  let isWebSocket = false;
  headers.forEach((value, name) => {
    const kind = requestKindOf(name);
    if (kind === "stripped" || (kind === "authorization" && !own.passAuthorization)) return;
    if (kind === "connection") named = namesIn(value);
    else if (kind === "upgrade") isWebSocket = value.toLowerCase() === "websocket";
    else {
      fields[name] = value;
      if (value.includes(NOT_UTF8)) unread = [...unread, name];
    }
  });
  for (const name of named) delete fields[name];
  const { cookie } = fields;
  // An origin that had a session's cookie could use it at every other one.
  if (cookie !== undefined && hasCookiePrefix(cookie, COOKIE_PREFIX)) {
    putCookies(fields, withoutCookiePrefix(cookie, COOKIE_PREFIX));
  }
  // A WebSocket handshake is the one upgrade that is carried on.
  if (isWebSocket) fields.upgrade = "websocket";
  fields["x-request-id"] = own.requestId;
  fields["x-forwarded-proto"] = own.scheme;
  fields["x-forwarded-host"] = own.host;
  const address = fields["cf-connecting-ip"];
  if (address !== undefined) fields["x-forwarded-for"] = address;
  writeIdentity(own, fields);
  return { fields, unread };
}

/** What is left of a Cookie field; without any the field goes. */
export function putCookies(fields: Fields, cookies: string): void {
  if (cookies === "") delete fields.cookie;
  else fields.cookie = cookies;
}

/** Puts the identity headers, those that there is something to say in. */
export function writeIdentity({ assertion, subject, scope, grant }: Identity, fields: Fields): void {
  if (assertion !== undefined) fields["x-portcullis-assertion"] = assertion;
  if (subject !== undefined) fields["x-portcullis-subject"] = subject;
  if (scope !== undefined) fields["x-portcullis-scope"] = scope;
  if (grant !== undefined) fields["x-portcullis-grant"] = grant;
}

/**
 * The fields for `fetch`. A value of the client's that is not UTF-8 cannot be read as it came, and its bytes stay in
 * the runtime: then, and only then, the fields are a copy of the client's.
 */
export function withClientBytes({ fields, unread }: FieldsForOrigin, client: Headers): Fields | Headers {
  const kept = unread.filter((name) => fields[name] === client.get(name));
  if (kept.length === 0) return fields;
  const copy = new Headers(client);
  for (const name of [...copy.keys()]) if (!kept.includes(name)) copy.delete(name);
  for (const name in fields) if (!kept.includes(name)) copy.set(name, fields[name]!);
  return copy;
}

/** The origin's answer for the client, its body streamed on; an origin cannot speak in our name. */
export function clientResponse(answer: Response, requestId: string): Response {
  const taken: string[] = [];
  let setsCookies = false;
  answer.headers.forEach((value, name) => {
    const kind = answerKindOf(name);
    if (kind === "passed") return;
    if (kind === "set-cookie") setsCookies = true;
    else taken.push(name);
    if (kind === "connection") taken.push(...namesIn(value));
  });
  const response = new Response(answer.body, answer);
  const { headers } = response;
  for (const name of taken) headers.delete(name);
  if (setsCookies) keepOurCookies(headers);
  headers.set("x-request-id", requestId);
  return response;
}

/** An origin that set a session's cookie could have people act in somebody else's session. */
function keepOurCookies(headers: Headers): void {
  const set = headers.getSetCookie();
  const theirs = set.filter((line) => !hasCookiePrefix(line.split(";", 1)[0]!, COOKIE_PREFIX));
  if (theirs.length === set.length) return;
  headers.delete("set-cookie");
  for (const line of theirs) headers.append("set-cookie", line);
}

/** What `Connection` names (RFC 9110 §7.6.1); what it mostly says is no name of a field that is passed on. */
function namesIn(connection: string): readonly string[] {
  if (connection === "keep-alive" || connection === "close") return NONE;
  return connection
    .split(",")
    .map((item) => item.trim().toLowerCase())
    .filter((name) => FIELD_NAME.test(name));
}
