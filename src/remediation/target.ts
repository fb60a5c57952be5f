import type { RemediationAction } from "../policy/remediation-schema.ts";
import type { Detection, DetectionSubject } from "../protocol/detection.ts";
import type { RevocationMatch } from "../revocation/rule.ts";

/** Whom an action is for. `key` is one text for it: what is remembered of a target is filed under it. */
export type Target =
  | { kind: "tokens"; key: string; match: RevocationMatch }
  | { kind: "address"; key: string; address: string }
  | { kind: "signing_key"; key: string; kid: string }
  | { kind: "other"; key: string };

/** Our own issuer, and the ids of those that the policy trusts, by their `iss`. */
export type Issuers = { own: string; ids: ReadonlyMap<string, string> };

const NARROWEST = ["token", "session", "grant", "subject", "client"] as const;
type Kind = (typeof NARROWEST)[number];

/** The order in which a detection is told apart where no action acts on anything. */
const ABOUT = [
  "jti",
  "session",
  "grant",
  "sub",
  "client_id",
  "kid",
  "endpoint",
  "address",
  "route",
] as const satisfies readonly (keyof DetectionSubject)[];

/** Whom the action is for, or undefined where the detection does not name it. */
export function targetOf(
  action: RemediationAction,
  { about }: Detection,
  issuers: Issuers,
): Target | undefined {
  switch (action.kind) {
    case "revoke":
      return action.target === "key" ? signedBy(about) : tokensOf(action.target, about, issuers);
    case "step_up":
    case "shrink_scope":
      return tokensOf(action.target, about, issuers);
    case "force_sign_in":
      return tokensOf("subject", about, issuers);
    case "block_address":
      return about.address === undefined
        ? undefined
        : { kind: "address", key: `address:${about.address}`, address: about.address };
    case "rotate_key":
      return about.kid === undefined
        ? undefined
        : { kind: "signing_key", key: `key:${about.kid}`, kid: about.kid };
    default:
      return { kind: "other", key: "" };
  }
}

/** What a rule remembers a detection under: whom it acts on, and where it acts on nobody, what the detection is about. */
export function groupOf(
  actions: readonly RemediationAction[],
  detection: Detection,
  issuers: Issuers,
): string {
  for (const action of actions) {
    const target = targetOf(action, detection, issuers);
    if (target && target.kind !== "other") return target.key;
  }
  const { about } = detection;
  const member = ABOUT.find((name) => about[name] !== undefined);
  return member === undefined ? "all" : `${member}:${about.iss ?? ""} ${about[member]}`;
}

function tokensOf(kind: Kind | "narrowest", about: DetectionSubject, issuers: Issuers): Target | undefined {
  if (kind !== "narrowest") return tokens(kind, about, issuers);
  for (const each of NARROWEST) {
    const found = tokens(each, about, issuers);
    if (found) return found;
  }
  return undefined;
}

function tokens(kind: Kind, about: DetectionSubject, issuers: Issuers): Target | undefined {
  const match = matchOf(kind, about, issuers);
  if (!match) return undefined;
  return { kind: "tokens", key: `${kind}:${Object.values(match).join(" ")}`, match };
}

function matchOf(kind: Kind, about: DetectionSubject, issuers: Issuers): RevocationMatch | undefined {
  const { iss, jti, session, grant, sub, client_id } = about;
  // Ids of ours are nobody else's; another issuer's are its own, and may be the same as somebody else's.
  const of = iss === undefined || iss === issuers.own ? {} : { iss };
  switch (kind) {
    case "token":
      return jti === undefined || iss === undefined ? undefined : { iss, jti };
    case "session":
      return session === undefined ? undefined : { ...of, session };
    case "grant":
      return grant === undefined ? undefined : { grant };
    case "client":
      return client_id === undefined ? undefined : { ...of, client_id };
    case "subject": {
      if (sub === undefined) return undefined;
      const id = iss === undefined ? undefined : issuers.ids.get(iss);
      // As tokens of ours name a person of a trusted provider, whose own tokens are known by it as well.
      return id === undefined ? { ...of, sub } : { sub: `${id}|${sub}` };
    }
  }
}

function signedBy({ kid }: DetectionSubject): Target | undefined {
  return kid === undefined ? undefined : { kind: "tokens", key: `key:${kid}`, match: { kid } };
}
