import { type Addresses, demoPolicy } from "../../src/local/demo-policy.ts";

/** Scopes of people who act through clients of their own. */
export const REQUESTER_SCOPES = ["requests:create", "requests:read"];
export const APPROVER_SCOPES = ["requests:read", "requests:review"];

const BASE = { origin: "demo", max_duration_seconds: 3600 };
const BY_APPROVERS = { requesters: { roles: ["developer"] }, stages: [{ roles: ["approver"] }] };

/**
 * The demo's policy with what the tests need beside it: one order behind a strict route, a rule that is decided
 * within a second, one that needs two approvals, and one whose requesters are its approvers.
 */
export function testPolicy(addresses: Addresses) {
  const policy = demoPolicy(addresses);
  const read = policy.routes.find((route) => route.id === "orders-read")!;
  const strict = { ...read, id: "order-strict", path: "/orders/1001", consistency: { tier: "strict" } };
  const rules = [
    { id: "quick", resource: "quick", scopes: ["quick:read"], ...BY_APPROVERS, review_deadline_seconds: 1 },
    {
      id: "double",
      resource: "double",
      scopes: ["double:read"],
      ...BY_APPROVERS,
      stages: [{ roles: ["approver"], count: 2 }],
    },
    {
      id: "peers",
      resource: "peers",
      scopes: ["peers:read"],
      requesters: { roles: ["peer"] },
      stages: [{ roles: ["peer"] }],
    },
  ];
  return {
    ...policy,
    routes: [...policy.routes, strict],
    access_rules: [...policy.access_rules, ...rules.map((rule) => ({ ...BASE, ...rule }))],
  };
}
