import { STRIPPED_REQUEST_HEADERS } from "../../../src/edge/header-names.ts";

/** Names by which origins are told who asks, from where and for what: one for each entry of the gate's list, and more. */
export const FORGED_NAMES: readonly string[] = [
  ...new Set([
    ...STRIPPED_REQUEST_HEADERS.map((name) => name.replace(/\*$/, "user")),
    "x-portcullis-assertion",
    "x-portcullis-subject",
    "x-portcullis-scope",
    "x-portcullis-grant",
    "x-portcullis-",
    "x-forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-auth-request-user",
    "x-auth-request-redirect",
    "x-remote-user",
    "remote-user",
    "remote-groups",
    "x-authenticated-userid",
    "x-webauth-user",
    "x-amzn-oidc-data",
    "x-goog-authenticated-user-email",
    "x-goog-iap-jwt-assertion",
    "x-jwt-assertion",
    "x-ms-client-principal",
    "x-ms-client-principal-name",
    "cf-access-authenticated-user-email",
    "cf-access-jwt-assertion",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-middleware-subrequest",
    "sm-user",
    "ssl-client-s-dn",
    "oidc-claim-sub",
  ]),
];

/** Names that only look like them: they reach the origin. */
export const HARMLESS_NAMES: readonly string[] = [
  "accept",
  "accept-language",
  "content-type",
  "cookie",
  "user-agent",
  "x-user-agent",
  "x-trace-id",
  "traceparent",
  "range",
  "if-none-match",
  "origin",
  "referer",
  "x-api-key",
  "x-csrf-token",
  "x-requested-with",
  "x-username-hint",
  "x-users",
  "prefer",
  "idempotency-key",
  "cf-ray",
  "smart-header",
  "ivory",
  "x-roles-hint",
  "forwarded-hint",
  "remotely",
];

/** As servers spell it that turn header names into variables, and as nobody does. */
export function spellings(name: string): string[] {
  const title = name.replace(
    /(^|-)([a-z])/g,
    (_m, dash: string, letter: string) => dash + letter.toUpperCase(),
  );
  const mixed = [...name].map((c, i) => (i % 2 ? c.toUpperCase() : c)).join("");
  return [
    ...new Set([
      name,
      title,
      name.toUpperCase(),
      mixed,
      name.replaceAll("-", "_"),
      title.replaceAll("-", "_"),
      name.toUpperCase().replaceAll("-", "_"),
      name.replace("-", "_"),
      name.replaceAll("-", "."),
      name.replaceAll("-", "~"),
      name.replaceAll("-", "!"),
    ]),
  ];
}
