import { hasAny, type Visitor } from "./visitor.ts";

export type Place = { path: string; label: string; anyOf: readonly string[] };
export type PlaceGroup = { name: string; places: readonly Place[] };

/** Where one can go, by what one goes there for. A place is shown to who has one of the scopes that its page reads with. */
const GROUPS: readonly PlaceGroup[] = [
  {
    name: "Access",
    places: [
      { path: "/console/ask", label: "Ask", anyOf: ["requests:create"] },
      { path: "/console/inbox", label: "Inbox", anyOf: ["requests:review"] },
      { path: "/console/grants", label: "Grants", anyOf: ["grants:read"] },
      { path: "/console/revocations", label: "Revocations", anyOf: ["revocations:read"] },
    ],
  },
  {
    name: "Watch",
    places: [
      { path: "/console/traffic", label: "Traffic", anyOf: ["metrics:read"] },
      { path: "/console/detections", label: "Detections", anyOf: ["remediation:read", "remediation:write"] },
      { path: "/console/why", label: "Why", anyOf: ["decisions:read", "policy:read"] },
      { path: "/console/audit", label: "Audit", anyOf: ["audit:read"] },
    ],
  },
  {
    name: "Configure",
    places: [
      { path: "/console/policy", label: "Policy", anyOf: ["policy:read"] },
      { path: "/console/clients", label: "Clients", anyOf: ["clients:write"] },
      { path: "/console/webhooks", label: "Webhooks", anyOf: ["webhooks:read"] },
      { path: "/console/keys", label: "Keys", anyOf: ["keys:rotate"] },
    ],
  },
  {
    name: "You",
    places: [
      {
        path: "/console/passkeys",
        label: "Passkeys",
        anyOf: ["requests:review", "revocations:write", "remediation:write"],
      },
    ],
  },
];

/** The groups that have something for the visitor. */
export function placesFor(visitor: Pick<Visitor, "scopes">): PlaceGroup[] {
  return GROUPS.map(({ name, places }) => ({
    name,
    places: places.filter(({ anyOf }) => hasAny(visitor, anyOf)),
  })).filter(({ places }) => places.length > 0);
}
