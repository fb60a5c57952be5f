import { BROWSER_CLIENT_ID, IDENTITY_AUDIENCE } from "./identity-provider.ts";
import { ORIGIN_AUDIENCE } from "./origin.ts";

/** Where the demo's servers listen; they move when a port is taken. */
export type Addresses = { origin: string; identityProvider: string };

/** What the roles of the demo's people bring. */
const ROLE_SCOPES = {
  developer: ["requests:create", "requests:read"],
  approver: ["requests:read", "requests:read_all", "requests:review", "grants:read", "grants:revoke"],
  operator: [
    ...["requests:read", "requests:read_all", "grants:read", "grants:revoke", "revocations:read"],
    ...["revocations:write", "keys:rotate", "policy:read", "policy:write", "clients:write"],
    ...["webhooks:read", "webhooks:write", "audit:read", "metrics:read"],
    ...["sessions:read", "sessions:revoke", "passkeys:reset"],
    ...["remediation:read", "remediation:write", "decisions:read"],
  ],
};

/** All of them: the most that the demo's client can get for a person. */
export const DEMO_SCOPES = [...new Set(Object.values(ROLE_SCOPES).flat())];

const BY_APPROVERS = {
  requesters: { roles: ["developer"] },
  stages: [{ roles: ["approver"] }],
  origin: "demo",
};

/** The policy that guards the demo origin, as it is put to `/v1/policy`. */
export function demoPolicy(addresses: Addresses) {
  return {
    issuers: [
      {
        id: "demo",
        issuer: addresses.identityProvider,
        jwks_uri: jwksUri(addresses),
        algorithms: ["ES256", "RS256"],
        audience: IDENTITY_AUDIENCE,
        claims: { roles: "roles" },
        // What the console shows and does is what its visitor's session may.
        sign_in: { client_id: BROWSER_CLIENT_ID, session_scopes: DEMO_SCOPES },
      },
    ],
    origins: { demo: { url: addresses.origin, audience: ORIGIN_AUDIENCE } },
    routes: [
      { id: "public", path: "/public/**", methods: ["GET", "HEAD"], origin: "demo", access: "public" },
      {
        ...route("me", "/me", ["GET"], { roles: Object.keys(ROLE_SCOPES) }),
        credential: [{ from: "session" }],
      },
      route("orders-read", "/orders/**", ["GET", "HEAD"], { scopes: ["orders:read"], resource: "orders" }),
      route("orders-write", "/orders/**", ["POST"], { scopes: ["orders:write"], resource: "orders" }),
      route("project-read", "/projects/:id", ["GET", "HEAD"], {
        scopes: ["projects:read"],
        resource: "projects/:id",
      }),
      {
        ...route("payouts-read", "/payouts", ["GET"], { scopes: ["payouts:read"], resource: "payouts" }),
        consistency: { tier: "strict" },
      },
    ],
    access_rules: [
      {
        id: "orders",
        resource: "orders",
        scopes: ["orders:read", "orders:write"],
        ...BY_APPROVERS,
        max_duration_seconds: 3600,
      },
      {
        id: "projects",
        resource: "projects/*",
        scopes: ["projects:read"],
        ...BY_APPROVERS,
        max_duration_seconds: 8 * 3600,
      },
      {
        id: "payouts",
        resource: "payouts",
        scopes: ["payouts:read"],
        ...BY_APPROVERS,
        max_duration_seconds: 900,
        default_duration_seconds: 300,
      },
    ],
    sessions: {},
    roles: Object.fromEntries(Object.entries(ROLE_SCOPES).map(([role, scopes]) => [role, { scopes }])),
  };
}

function jwksUri(addresses: Addresses): string {
  return `${addresses.identityProvider}/jwks`;
}

function route(
  id: string,
  path: string,
  methods: string[],
  access: { scopes?: string[]; roles?: string[]; resource?: string },
) {
  return { id, path, methods, origin: "demo", access, identity_headers: ["subject", "scope", "grant"] };
}

/** The three places of a policy document that hold an address of the demo. */
type Located = {
  issuers?: { id: string; issuer: string; jwks_uri?: string }[];
  origins?: Record<string, { url: string }>;
};

/**
 * The document with the demo's addresses moved from `before` to `after`, or undefined where nothing is to
 * move. A value that is not the old address was changed by the user and stays.
 */
export function moveAddresses<D extends Located>(
  document: D,
  before: Addresses,
  after: Addresses,
): D | undefined {
  const moved = structuredClone(document);
  const issuer = moved.issuers?.find((each) => each.id === "demo");
  if (issuer?.issuer === before.identityProvider) issuer.issuer = after.identityProvider;
  if (issuer?.jwks_uri === jwksUri(before)) issuer.jwks_uri = jwksUri(after);
  const origin = moved.origins?.demo;
  if (origin?.url === before.origin) origin.url = after.origin;
  return JSON.stringify(moved) === JSON.stringify(document) ? undefined : moved;
}
