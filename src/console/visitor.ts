import { decodeJwt } from "jose";

/** Who looks at the console, as their session's access token says; the control plane checks it with every call. */
export type Visitor = {
  subject: string;
  scopes: ReadonlySet<string>;
  roles: readonly string[];
  /** What a form must send back. */
  csrfToken: string;
};

/** The token is our own and was given a moment ago: it is read here, and verified where it is used. */
export function visitorOf(accessToken: string, csrfToken: string): Visitor {
  const { sub = "", scope, roles } = decodeJwt<{ scope?: string; roles?: string[] }>(accessToken);
  const scopes = new Set((scope ?? "").split(" ").filter((each) => each !== ""));
  return { subject: sub, scopes, roles: roles ?? [], csrfToken };
}

/** Whether the visitor has one of these scopes. */
export function hasAny({ scopes }: Pick<Visitor, "scopes">, anyOf: readonly string[]): boolean {
  return anyOf.some((scope) => scopes.has(scope));
}
