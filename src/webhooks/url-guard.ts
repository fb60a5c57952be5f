import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

const MAX_URL_CHARS = 512;
const PRINTABLE = /^[\x21-\x7e]+$/;
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const PORTS = new Set(["", "8443"]);

/**
 * Last labels that never lead to a public host: special-use names (RFC 6761, 6762, 7686, 9476, 8375 under
 * arpa), the private-use name of ICANN, and those that local networks and clusters use.
 */
const PRIVATE_TLDS = new Set(
  "localhost local internal arpa onion invalid test example alt lan home corp intranet private svc".split(
    " ",
  ),
);

/** A public-looking name that answers with a cloud machine's credentials. */
const METADATA_HOSTS = new Set(["metadata.goog"]);

/**
 * The normalised URL that events may be posted to. Only names are looked at: code in a Worker cannot see the
 * address that a name resolves to, so the compatibility flag `global_fetch_strictly_public` and refusing
 * redirects do the rest. `local`: the deployment itself runs on a loopback host, so receivers may too.
 */
export function checkWebhookUrl(text: string, { local }: { local: boolean }): Result<string> {
  const fault = urlFault(text, local);
  if (fault === undefined) return ok(new URL(text).href);
  return err(problem("invalid_body", `url: ${fault}`, { faults: [`url: ${fault}`] }));
}

/** The same for an endpoint that sends to Slack: its bot's token is for nobody else. */
export function checkSlackUrl(
  text: string,
  { channel }: { channel?: string },
  { local }: { local: boolean },
): Result<string> {
  const url = checkWebhookUrl(text, { local });
  if (!url.ok || (local && LOOPBACK.test(new URL(url.value).hostname))) return url;
  const wanted =
    channel === undefined ? "https://hooks.slack.com/" : "https://slack.com/api/chat.postMessage";
  if (channel === undefined ? url.value.startsWith(wanted) : url.value === wanted) return url;
  const fault = `url: must ${channel === undefined ? "begin with" : "be"} ${wanted}`;
  return err(problem("invalid_body", fault, { faults: [fault] }));
}

function urlFault(text: string, local: boolean): string | undefined {
  if (text.length > MAX_URL_CHARS) return `is longer than ${MAX_URL_CHARS} characters`;
  if (!PRINTABLE.test(text))
    return "must be printable ASCII; write other characters percent-encoded or as punycode";
  if (text.includes("\\")) return "must not contain a backslash";
  if (!URL.canParse(text)) return "is not an absolute URL";
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return "must not hold credentials";
  if (text.includes("#")) return "must not have a fragment";
  if (local && LOOPBACK.test(url.hostname)) {
    return url.protocol === "http:" || url.protocol === "https:" ? undefined : "must be http or https";
  }
  if (url.protocol !== "https:") return "must be https";
  if (!local && !PORTS.has(url.port)) return "must use port 443 or 8443";
  return hostFault(url.hostname);
}

/** `host` is as the WHATWG parser gives it: lower case, and every spelling of an IPv4 address as four decimals. */
function hostFault(host: string): string | undefined {
  if (host.startsWith("[") || IPV4.test(host)) return "must name a host, not an address";
  const labels = host.split(".");
  if (labels.length < 2) return "must be a full host name, with a dot";
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return "is not a host name";
  if (PRIVATE_TLDS.has(labels.at(-1)!) || METADATA_HOSTS.has(host)) return "is a name of a private network";
  return undefined;
}
