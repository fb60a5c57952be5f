import type { TrafficView } from "../../../src/console/traffic.ts";
import type { Visitor } from "../../../src/console/visitor.ts";
import type { DetectionView, FiringView } from "../../../src/console/watch-wire.ts";
import type { GrantView, RequestView, RuleView } from "../../../src/console/wire.ts";
import type { DecisionRecord } from "../../../src/protocol/decision-trace.ts";

export const NOW = 1_795_325_180;

export const VISITOR: Visitor = {
  subject: "corp|bob",
  scopes: new Set(["requests:read", "requests:read_all", "requests:review", "grants:read"]),
  roles: ["approver"],
  csrfToken: "csrf-of-bob",
};

/** Three minutes, of which the middle one had no decision. */
export function sampleTraffic(members: Partial<TrafficView> = {}): TrafficView {
  const since = NOW - (NOW % 60) - 120;
  return {
    ...{ since, until: since + 180, step_seconds: 60 },
    series: [
      { at: since, allow: 90, refuse: 3, reasons: { token: 90, token_expired: 3 } },
      { at: since + 120, allow: 10, refuse: 5, reasons: { public: 10, token_expired: 1, scope_missing: 4 } },
    ],
    routes: [{ route: "orders", allow: 100, refuse: 8, reasons: { token_expired: 4, scope_missing: 4 } }],
    tokens: [{ iss: "https://login.example", jti: "tok_1", refused: 4 }],
    ...members,
  };
}

export function sampleDecision(members: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    ...{ trace_version: 1, decision_id: "dec_9", outcome: "refuse", reason: "scope_missing", status: 403 },
    ...{ route: "orders", origin: "shop", seq: 42, replica_age_ms: 340 },
    checks: [
      { check: "token", outcome: "passed" },
      { check: "scopes", outcome: "failed", demand: { missing: ["orders:write"] } },
    ],
    remedies: [{ kind: "scope", missing: ["orders:write"] }],
    ...{ at: NOW - 5.25, surface: "proxy", method: "GET" },
    token: { iss: "https://login.example", sub: "corp|ann", kid: "k1", jti: "tok_1" },
    ...members,
  };
}

/** A pending request, with whatever differs. */
export function sampleRequest(members: Partial<RequestView> = {}): RequestView {
  return {
    id: "req_1",
    state: "pending",
    requester: "corp|alice",
    client_id: "cli_shell",
    resource: "orders",
    scope: "orders:read orders:write",
    duration_seconds: 600,
    justification: "the nightly job failed",
    rule: "orders",
    created_at: NOW - 60,
    review_deadline: NOW + 3600,
    stage: 1,
    stages: 1,
    awaiting: { roles: ["approver"], subjects: [], count: 1 },
    reviews: [],
    ...members,
  };
}

export function sampleGrant(members: Partial<GrantView> = {}): GrantView {
  return {
    id: "grt_1",
    state: "active",
    access_request: "req_0",
    subject: "corp|alice",
    resource: "orders",
    scope: "orders:read",
    access_start: NOW - 60,
    access_expiry: NOW + 540,
    ...members,
  };
}

export function sampleRule(members: Partial<RuleView> = {}): RuleView {
  return {
    id: "orders",
    may: ["ask"],
    resource: "orders",
    scopes: ["orders:read", "orders:write"],
    stages: [{ roles: ["approver"], subjects: [], count: 1 }],
    justification_min_length: 1,
    default_duration_seconds: 600,
    max_duration_seconds: 3600,
    max_total_seconds: 7200,
    review_deadline_seconds: 86_400,
    ...members,
  };
}

export function sampleDetection(members: Partial<DetectionView> = {}): DetectionView {
  return {
    ...{ id: "det_1", kind: "token_many_addresses", at: NOW - 60, received_at: NOW - 59 },
    ...{ window_seconds: 3600, count: 31, threshold: 30 },
    about: { iss: "https://login.example", sub: "alice", jti: "tok_1" },
    facts: { networks: 7 },
    outcomes: [{ rule_id: "shared-token", outcome: "acted", remediation_id: "rmd_1" }],
    ...members,
  };
}

/** A firing that acted, with whatever differs. */
export function sampleFiring(members: Partial<FiringView> = {}): FiringView {
  return {
    ...{
      id: "rmd_1",
      rule_id: "shared-token",
      detection_id: "det_1",
      detection_kind: "token_many_addresses",
    },
    ...{ at: NOW - 59, state: "acted", would_cut: 2 },
    actions: [
      {
        ...{ kind: "revoke", on: { sub: "corp|alice" }, would_cut: 2, revocation_id: "rev_1" },
        receipt: {
          ...{ id: "log_1", seq: 9, accepted_at: NOW - 58 },
          effective_by: { strict: NOW - 58, bounded: NOW - 56, eventual: NOW + 2 },
        },
      },
      { kind: "notify", on: {} },
    ],
    ...members,
  };
}
