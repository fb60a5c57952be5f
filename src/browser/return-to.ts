import type { PolicyDocument } from "../policy/document.ts";

/** Where somebody goes on after signing in. */
export type ReturnTo = { host: string; url: string };

const MAX_CHARS = 2_048;
/** What a URL that a browser sends is made of; a backslash it would read as a slash. */
const PLAIN = /^[\x21-\x5b\x5d-\x7e]+$/;

/**
 * The place that `return_to` names: a path of the issuer's own origin, or an address of a host that a route with
 * `credential: session` names. Undefined for everything else, so that nobody is sent on to a stranger.
 */
export function readReturnTo(
  text: string,
  { issuer, local, policy }: { issuer: string; local: boolean; policy: PolicyDocument },
): ReturnTo | undefined {
  if (text.length > MAX_CHARS || !PLAIN.test(text)) return undefined;
  const own = new URL(issuer);
  if (text.startsWith("/")) {
    const url = text.startsWith("//") ? undefined : parse(`${issuer}${text}`);
    return url?.origin === own.origin ? { host: own.host, url: url.href } : undefined;
  }
  const url = parse(text);
  if (!url || url.username || url.password || url.hash) return undefined;
  if (url.origin === own.origin) return { host: own.host, url: url.href };
  if (url.protocol !== (local ? own.protocol : "https:")) return undefined;
  return isSessionHost(url.host, policy, local) ? { host: url.host, url: url.href } : undefined;
}

/**
 * Whether a host (with its port, where that is not the scheme's) is named by a route that takes sessions. A route
 * for any host names none. Only a local deployment may leave the port open.
 */
export function isSessionHost(host: string, { routes }: PolicyDocument, local: boolean): boolean {
  return routes.some(({ host: pattern, credential }) => {
    if (pattern === undefined || !credential.some(({ from }) => from === "session")) return false;
    return fits(host, pattern) || (local && fits(host.replace(/:\d+$/, ""), pattern));
  });
}

/** As `RouteTable` does: a leading `*.` stands for one label. */
function fits(host: string, pattern: string): boolean {
  if (!pattern.startsWith("*.")) return host === pattern;
  const dot = host.indexOf(".");
  return dot > 0 && host.slice(dot + 1) === pattern.slice(2);
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
