import { hasAny, type Visitor } from "./visitor.ts";

export type Place = { path: string; label: string; anyOf: readonly string[] };

/** Where one can go. A place is shown to who has one of the scopes that its page reads with. */
const PLACES: readonly Place[] = [
  { path: "/console/ask", label: "Ask", anyOf: ["requests:create"] },
  { path: "/console/inbox", label: "Inbox", anyOf: ["requests:review"] },
  { path: "/console/grants", label: "Grants", anyOf: ["grants:read"] },
  { path: "/console/revocations", label: "Revocations", anyOf: ["revocations:read"] },
  { path: "/console/keys", label: "Keys", anyOf: ["keys:rotate"] },
  { path: "/console/policy", label: "Policy", anyOf: ["policy:read"] },
  { path: "/console/clients", label: "Clients", anyOf: ["clients:write"] },
  { path: "/console/webhooks", label: "Webhooks", anyOf: ["webhooks:read"] },
  { path: "/console/traffic", label: "Traffic", anyOf: ["metrics:read"] },
  { path: "/console/detections", label: "Detections", anyOf: ["remediation:read", "remediation:write"] },
  { path: "/console/why", label: "Why", anyOf: ["decisions:read", "policy:read"] },
  { path: "/console/audit", label: "Audit", anyOf: ["audit:read"] },
  {
    path: "/console/passkeys",
    label: "Passkeys",
    anyOf: ["requests:review", "revocations:write", "remediation:write"],
  },
];

export function placesFor(visitor: Pick<Visitor, "scopes">): Place[] {
  return PLACES.filter(({ anyOf }) => hasAny(visitor, anyOf));
}
