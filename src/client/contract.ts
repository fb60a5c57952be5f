// Written by `npm run api` from the schemas that run. Do not edit.

import type { CallOptions, Lines, Pages, ServerSentEvent } from "./calls.ts";
import type { OperationTable } from "./operation-table.ts";

/** An access request with its reviews and its grant. */
export type AccessRequest = {
  id: string;
  state: "pending" | "approved" | "denied" | "cancelled" | "expired";
  requester: string;
  client_id: string;
  /** Who acts for the requester, nearest first. */
  actors?: string[];
  resource: string;
  scope: string;
  duration_seconds: number;
  justification: string;
  /** Epoch seconds. */
  starts_at?: number;
  ticket?: string;
  max_uses?: number;
  /** The access rule that it was taken by. */
  rule: string;
  decide_in_chat?: true;
  /** Epoch seconds. */
  created_at: number;
  /** Epoch seconds. */
  review_deadline: number;
  /** Epoch seconds. */
  decided_at?: number;
  /** Absent where people decided. */
  decided_by?: "rule" | "break_glass";
  /** The open stage, from 1. */
  stage?: number;
  stages?: number;
  /** Who must approve in the open stage. */
  awaiting?: ApprovalTree;
  escalated_to?: {
    roles: string[];
    subjects: string[];
  };
  reviews: Review[];
  grant?: Grant;
  extensions?: Extension[];
  /** Of emergency access: it is reviewed afterwards. */
  break_glass?: {
    /** Epoch seconds. */
    review_due_at: number;
    /** Epoch seconds. */
    alerted_at?: number;
    review?: Review;
  };
};

export type AccessRequestsCreateBody = {
  resource: string;
  scope: string;
  duration_seconds?: number;
  justification: string;
  starts_at?: number;
  ticket?: string;
  /** How many requests the grant opens at most. */
  max_uses?: number;
  /** At once, where the rule has break_glass. */
  emergency?: true;
};

export type AccessRequestsCreateLinkBody = {
  /** Subject, as the access rules name it. */
  approver: string;
  /** The extension that is decided. Absent: the request itself. */
  extension?: string;
  /** Roles that the approver has when the access rule is looked at. */
  roles?: string[];
  expires_in_seconds?: number;
};

export type AccessRequestsReviewBody = {
  outcome: "approve" | "deny";
  comment?: string;
  duration_seconds?: number;
  scope?: string;
  max_uses?: number;
  /** The extension (`ext_…`) that is reviewed. Absent: the request itself. */
  extension?: string;
  /** The approver's passkey's answer to a challenge for this very approval, where the rule has `high_risk`. */
  passkey?: {
    id: string;
    type: "public-key";
    response: {
      clientDataJSON: string;
      authenticatorData: string;
      signature: string;
      [member: string]: unknown;
    };
    [member: string]: unknown;
  };
};

/** An access rule, as who may ask or review by it sees it. */
export type AccessRuleTerms = {
  id: string;
  /** What the caller may do by it. */
  may: ("ask" | "review" | "emergency")[];
  resource: string;
  scopes: string[];
  /** Who approves, one stage after the other. */
  stages: ApprovalTree[];
  /** An approval needs the approver's passkey. */
  high_risk?: true;
  /** A condition decides who may ask. */
  conditional?: true;
  may_be_approved_at_once?: true;
  justification_min_length: number;
  /** A ticket is needed, one of these and what follows. */
  ticket?: {
    prefixes?: string[];
    suffix?: "digits" | "letters_and_digits";
  };
  default_duration_seconds: number;
  max_duration_seconds: number;
  max_total_seconds: number;
  review_deadline_seconds: number;
  max_uses?: number;
  cool_down_seconds?: number;
  max_parallel?: number;
  break_glass?: {
    max_duration_seconds: number;
    review_within_seconds: number;
  };
};

/** Whoever opens it decides as the approver, once. */
export type ApprovalLink = {
  url: string;
  approver: string;
  expires_at: number;
};

/** So many of these people; every branch; or one branch. */
export type ApprovalTree = {
  roles: string[];
  subjects: string[];
  count: number;
} | {
  all: ApprovalTree[];
} | {
  any: ApprovalTree[];
};

export type AuditEraseBody = {
  /** Everything that records say of them is erased. */
  subject: string;
  /** Is recorded: name nobody in it. */
  reason: string;
};

/** A change of authority, or a call that was refused. */
export type AuditRecord = {
  /** Its place in the log, from 0. */
  seq: number;
  id: string;
  /** Epoch seconds. */
  at: number;
  type: "access_request.created" | "access_request.reviewed" | "access_request.review_refused" | "access_request.stage_passed" | "access_request.escalated" | "access_request.approved" | "access_request.denied" | "access_request.cancelled" | "access_request.expired" | "grant.activated" | "grant.extension_requested" | "grant.extended" | "grant.extension_denied" | "grant.extension_cancelled" | "grant.extension_expired" | "grant.returned" | "grant.revoked" | "grant.used_up" | "grant.expired" | "break_glass.opened" | "break_glass.review_overdue" | "break_glass.reviewed" | "revocation.proposed" | "revocation.created" | "revocation.cancelled" | "revocation.lifted" | "revocation.emergency_import" | "denied_tokens.added" | "denied_tokens.removed" | "policy.put" | "policy.activated" | "client.created" | "client.updated" | "client.disabled" | "client.enabled" | "client.secret_rotated" | "client.secret_replaced" | "client.deleted" | "webhook_endpoint.created" | "webhook_endpoint.updated" | "webhook_endpoint.disabled" | "webhook_endpoint.secret_rotated" | "webhook_endpoint.deleted" | "stream.created" | "stream.deleted" | "key.created" | "key.promoted" | "key.rotation_requested" | "key.discarded" | "key.retired" | "key.compromised" | "passkey.added" | "passkey.removed" | "passkey.reset" | "device_login.approved" | "device_login.denied" | "session.opened" | "session.revoked" | "session.reuse_detected" | "session.expired" | "remediation.acted" | "remediation.held" | "remediation.confirmed" | "remediation.undone" | "remediation.dismissed" | "signal.received" | "backup.taken" | "backup.restored" | "call.refused" | "audit.erased" | "audit.pruned";
  /** The object that did it. */
  source: string;
  /** Numbers the object's records from 1 without a gap. */
  source_seq?: number;
  /** Of the call that it began with. */
  request_id?: string;
  /** Method and route of that call. */
  call?: string;
  actor?: {
    /** `time` and `portcullis` stand for what happens by itself. */
    subject: string;
    client_id?: string;
    /** Who acts for the subject, nearest first (RFC 8693). */
    actors?: string[];
  };
  /** The person or client that it is about. */
  about?: string;
  reason?: string;
  from?: {
    country?: string;
    asn?: number;
    address?: string;
  };
  /** Ids, names of the policy and numbers. */
  data?: {
    [member: string]: unknown;
  };
  /** Members whose value was erased. */
  erased?: ("actor" | "about" | "reason" | "from")[];
};

/** `receipt`: of the revocation that went with the change. */
export type ChangedClient = {
  id: string;
  name: string;
  auth_method: "client_secret" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  grant_types: ("client_credentials" | "refresh_token" | "urn:ietf:params:oauth:grant-type:token-exchange" | "urn:openid:params:grant-type:ciba")[];
  scopes: string[];
  roles: string[];
  jwks_uri?: string;
  introspects?: string[];
  /** It gets no token without a DPoP proof (RFC 9449 §5.2). */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4). */
  tls_client_certificate_bound_access_tokens?: boolean;
  jwks?: {
    keys: {
      kty: "EC" | "RSA" | "OKP";
      kid?: string;
      [member: string]: unknown;
    }[];
  };
  created_at: number;
  created_by: string;
  /** The entity tag, raised by every change. */
  revision: number;
  disabled: boolean;
  receipt?: Receipt;
};

/** A registered OAuth client. */
export type Client = {
  id: string;
  name: string;
  auth_method: "client_secret" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  grant_types: ("client_credentials" | "refresh_token" | "urn:ietf:params:oauth:grant-type:token-exchange" | "urn:openid:params:grant-type:ciba")[];
  scopes: string[];
  roles: string[];
  jwks_uri?: string;
  introspects?: string[];
  /** It gets no token without a DPoP proof (RFC 9449 §5.2). */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4). */
  tls_client_certificate_bound_access_tokens?: boolean;
  jwks?: {
    keys: {
      kty: "EC" | "RSA" | "OKP";
      kid?: string;
      [member: string]: unknown;
    }[];
  };
  created_at: number;
  created_by: string;
  /** The entity tag, raised by every change. */
  revision: number;
  disabled: boolean;
};

/** The secret is shown by this answer only. */
export type ClientWithSecret = {
  id: string;
  name: string;
  auth_method: "client_secret" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  grant_types: ("client_credentials" | "refresh_token" | "urn:ietf:params:oauth:grant-type:token-exchange" | "urn:openid:params:grant-type:ciba")[];
  scopes: string[];
  roles: string[];
  jwks_uri?: string;
  introspects?: string[];
  /** It gets no token without a DPoP proof (RFC 9449 §5.2). */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4). */
  tls_client_certificate_bound_access_tokens?: boolean;
  jwks?: {
    keys: {
      kty: "EC" | "RSA" | "OKP";
      kid?: string;
      [member: string]: unknown;
    }[];
  };
  created_at: number;
  created_by: string;
  /** The entity tag, raised by every change. */
  revision: number;
  disabled: boolean;
  client_id?: string;
  client_secret?: string;
  receipt?: Receipt;
};

export type ClientsCreateBody = {
  name: string;
  auth_method?: "client_secret" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  grant_types?: ("client_credentials" | "refresh_token" | "urn:ietf:params:oauth:grant-type:token-exchange" | "urn:openid:params:grant-type:ciba")[];
  scopes?: string[];
  roles?: string[];
  jwks_uri?: string;
  introspects?: string[];
  /** It gets no token without a DPoP proof (RFC 9449 §5.2). */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4). */
  tls_client_certificate_bound_access_tokens?: boolean;
  jwks?: {
    keys: {
      kty: "EC" | "RSA" | "OKP";
      kid?: string;
      [member: string]: unknown;
    }[];
  };
};

export type ClientsRotateSecretBody = {
  compromised?: boolean;
};

export type ClientsUpdateBody = {
  name?: string;
  auth_method?: "client_secret" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  grant_types?: ("client_credentials" | "refresh_token" | "urn:ietf:params:oauth:grant-type:token-exchange" | "urn:openid:params:grant-type:ciba")[];
  scopes?: string[];
  roles?: string[];
  introspects?: string[];
  /** It gets no token without a DPoP proof (RFC 9449 §5.2). */
  dpop_bound_access_tokens?: boolean;
  /** Its tokens are bound to the certificate of its TLS connection (RFC 8705 §3.4). */
  tls_client_certificate_bound_access_tokens?: boolean;
  jwks?: {
    keys: {
      kty: "EC" | "RSA" | "OKP";
      kid?: string;
      [member: string]: unknown;
    }[];
  } | null;
  jwks_uri?: string | null;
  disabled?: boolean;
};

/** That the log begins with what it was. */
export type ConsistencyProof = {
  from: number;
  to: number;
  /** SHA-256, base64. */
  from_root_hash: string;
  /** SHA-256, base64. */
  to_root_hash: string;
  hashes: string[];
  /** A signed note (C2SP). */
  checkpoint: string;
};

/** A stored request that other rules would have decided otherwise. */
export type DecidedOtherwise = {
  id: string;
  requester: string;
  resource: string;
  scope: string;
  created_at: number;
  was: "pending" | "approved" | "denied" | "cancelled" | "expired";
  /** `refused`: it could not even have been asked for. */
  would_be: "pending" | "approved" | "denied" | "cancelled" | "expired" | "refused";
  rule?: string;
  detail?: string;
};

/** A decision that was taken, as it is kept. */
export type DecisionRecord = {
  trace_version: 1;
  decision_id: string;
  outcome: "allow" | "refuse";
  reason: string;
  /** What the client is answered; 200 stands for what the origin says. */
  status: number;
  route?: string;
  origin?: string;
  seq?: number;
  replica_age_ms?: number;
  checks: {
    check: "target" | "route" | "credential" | "address" | "token" | "audience" | "sender" | "uses" | "freshness" | "window" | "revocation" | "scopes" | "roles" | "resource" | "token_age" | "step_up" | "condition" | "limit";
    outcome: "passed" | "failed" | "skipped";
    /** What the policy asks for, never what a token says. */
    demand?: {
      [member: string]: JsonValue;
    };
    reason?: string;
    [member: string]: unknown;
  }[];
  /** What would turn a refusal around. `other_route`, the nearest to an address that no route takes, is in explanations only. */
  remedies: {
    kind: string;
    [member: string]: unknown;
  }[];
  at: number;
  surface: "proxy" | "forward_auth" | "service" | "authzen" | "control";
  method: string;
  /** What went wrong at the origin of a request that was let through. */
  origin_fault?: string;
  /** Of the token that was verified. */
  token?: {
    iss: string;
    sub: string;
    kid: string;
    jti?: string;
    client_id?: string;
    grant?: string;
    session?: string;
  };
  /** What a token says whose signature did not hold. */
  unverified?: {
    iss: string;
    kid?: string;
    jti?: string;
  };
  address?: string;
  country?: string;
  asn?: number;
  [member: string]: unknown;
};

/** A decision with all that led to it. Members may be added. */
export type DecisionTrace = {
  trace_version: 1;
  decision_id: string;
  outcome: "allow" | "refuse";
  reason: string;
  /** What the client is answered; 200 stands for what the origin says. */
  status: number;
  route?: string;
  origin?: string;
  seq?: number;
  replica_age_ms?: number;
  checks: {
    check: "target" | "route" | "credential" | "address" | "token" | "audience" | "sender" | "uses" | "freshness" | "window" | "revocation" | "scopes" | "roles" | "resource" | "token_age" | "step_up" | "condition" | "limit";
    outcome: "passed" | "failed" | "skipped";
    /** What the policy asks for, never what a token says. */
    demand?: {
      [member: string]: JsonValue;
    };
    reason?: string;
    [member: string]: unknown;
  }[];
  /** What would turn a refusal around. `other_route`, the nearest to an address that no route takes, is in explanations only. */
  remedies: {
    kind: string;
    [member: string]: unknown;
  }[];
  [member: string]: unknown;
};

export type DecisionsEvaluateAllBody = {
  subject?: {
    type: string;
    id: string;
    properties?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  };
  action?: {
    name: string;
    properties?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  };
  resource?: {
    type: string;
    id: string;
    properties?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  };
  context?: {
    [member: string]: JsonValue;
  };
  evaluations?: {
    subject?: {
      type: string;
      id: string;
      properties?: {
        [member: string]: JsonValue;
      };
      [member: string]: unknown;
    };
    action?: {
      name: string;
      properties?: {
        [member: string]: JsonValue;
      };
      [member: string]: unknown;
    };
    resource?: {
      type: string;
      id: string;
      properties?: {
        [member: string]: JsonValue;
      };
      [member: string]: unknown;
    };
    context?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  }[];
  options?: {
    evaluations_semantic?: "execute_all" | "deny_on_first_deny" | "permit_on_first_permit";
    [member: string]: unknown;
  };
  [member: string]: unknown;
};

export type DecisionsEvaluateBody = {
  subject: {
    type: string;
    id: string;
    properties?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  };
  action: {
    name: string;
    properties?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  };
  resource: {
    type: string;
    id: string;
    properties?: {
      [member: string]: JsonValue;
    };
    [member: string]: unknown;
  };
  context?: {
    [member: string]: JsonValue;
  };
  [member: string]: unknown;
};

export type DecisionsExplainBody = {
  method: string;
  url: string;
  headers?: {
    [member: string]: string;
  };
  token?: string;
  cf?: {
    [member: string]: JsonValue;
  };
};

/** An event on its way to an endpoint, or there. */
export type Delivery = {
  id: string;
  event_id: string;
  event_type: string;
  state: "pending" | "delivered" | "dead_letter";
  /** Epoch seconds. */
  created_at: number;
  /** Epoch seconds. */
  next_attempt_at?: number;
  /** Epoch seconds. */
  finished_at?: number;
  dead_reason?: "schedule_exhausted" | "endpoint_disabled" | "queue_full" | "receiver_refused";
  /** The latest ones, newest first. */
  attempts: {
    number: number;
    /** Epoch seconds. */
    at: number;
    duration_seconds: number;
    status?: number;
    error?: "http_status" | "redirect" | "gone" | "refused" | "timeout" | "connection" | "url_refused" | "secret_unreadable" | "not_signed";
  }[];
};

/** Something that was noticed. */
export type Detection = {
  id: string;
  kind: DetectionKind;
  at: number;
  /** 0 where one event is enough. */
  window_seconds: number;
  count: number;
  threshold: number;
  /** Ids, never a token or a claim set. */
  about: {
    iss?: string;
    jti?: string;
    sub?: string;
    client_id?: string;
    grant?: string;
    session?: string;
    kid?: string;
    route?: string;
    address?: string;
    endpoint?: string;
  };
  facts?: {
    [member: string]: string | number;
  };
  received_at: number;
  /** What each rule made of it. */
  outcomes: {
    rule_id: string;
    outcome: string;
    remediation_id?: string;
  }[];
};

export type DetectionKind = "token_tampered" | "token_used_after_expiry" | "token_used_after_revocation" | "refresh_token_reused" | "token_overused" | "token_many_addresses" | "token_many_countries" | "token_many_networks" | "impossible_travel" | "scope_probing" | "unknown_key_storm" | "key_rotation_overdue" | "key_compromised" | "webhook_endpoint_dead" | "break_glass_used";

/** AuthZEN 1.0 §6.2. */
export type EvaluationAnswer = {
  decision: boolean;
  context?: {
    [member: string]: JsonValue;
  };
};

/** AuthZEN 1.0 §7.2; without `evaluations` as for one. */
export type EvaluationAnswers = {
  evaluations: EvaluationAnswer[];
} | EvaluationAnswer;

export type EventFilter = "*" | "access_request.*" | "grant.*" | "break_glass.*" | "revocation.*" | "remediation.*" | "key.*" | "session.*" | "signal.*" | "webhook_endpoint.*" | "audit.*" | "detection.*" | "access_request.created" | "access_request.approved" | "access_request.denied" | "access_request.cancelled" | "access_request.expired" | "access_request.stage_passed" | "access_request.reminder_due" | "access_request.escalated" | "grant.activated" | "grant.ending" | "grant.extension_requested" | "grant.extended" | "grant.extension_denied" | "grant.extension_cancelled" | "grant.extension_expired" | "grant.returned" | "grant.revoked" | "grant.used_up" | "grant.expired" | "break_glass.opened" | "break_glass.review_due" | "break_glass.review_overdue" | "break_glass.reviewed" | "revocation.created" | "revocation.lifted" | "revocation.confirmation_needed" | "revocation.emergency" | "remediation.acted" | "remediation.held" | "remediation.undone" | "key.rotation_overdue" | "key.compromised" | "session.revoked" | "session.reuse_detected" | "signal.received" | "webhook_endpoint.disabled" | "audit.checkpoint" | "webhook_endpoint.failing" | "detection.raised";

/** More time that was asked for: reviewed like the request itself. */
export type Extension = {
  id: string;
  state: "pending" | "approved" | "denied" | "cancelled" | "expired";
  duration_seconds: number;
  justification: string;
  /** Epoch seconds. */
  created_at: number;
  /** Epoch seconds. */
  review_deadline: number;
  /** Epoch seconds. */
  decided_at?: number;
  /** Absent where people decided. */
  decided_by?: "rule" | "break_glass";
  /** The open stage, from 1. */
  stage?: number;
  stages?: number;
  /** Who must approve in the open stage. */
  awaiting?: ApprovalTree;
  escalated_to?: {
    roles: string[];
    subjects: string[];
  };
  reviews: Review[];
};

/** Access for a window of time. */
export type Grant = {
  id: string;
  state: "scheduled" | "active" | "expired" | "revoked" | "used_up";
  access_request: string;
  subject: string;
  resource: string;
  scope: string;
  /** Epoch seconds. */
  access_start: number;
  /** Epoch seconds. */
  access_expiry: number;
  max_uses?: number;
  /** Uses that no isolate holds; told where one grant is read. */
  uses_left?: number;
  /** Epoch seconds. */
  used_up_at?: number;
  /** Epoch seconds. */
  revoked_at?: number;
  revoked_by?: string;
  revoke_reason?: string;
  /** Once the log has acknowledged it. */
  revoke_receipt?: Receipt;
};

export type GrantsExtendBody = {
  duration_seconds: number;
  justification: string;
};

export type GrantsRevokeBody = {
  reason: string;
};

export type GrantsTokenBody = {
  resource: string;
  scope: string;
};

/** It waits for a second person, and hits nothing yet. */
export type HeldBackRevocation = {
  id: string;
  state: "awaiting_confirmation";
  would_cut: WouldCut;
  exact: boolean;
  expires_at: number;
};

/** What an import would do; nothing is changed. */
export type ImportDryRun = {
  dry_run: true;
  tokens: number;
  rules: number;
  refused: number;
  errors: {
    line: number;
    error: string;
  }[];
  would_cut: {
    tokens: number;
  };
  exact: boolean;
};

/** What became of the lines; the good ones stand. */
export type ImportOutcome = {
  accepted: number;
  unchanged: number;
  refused: number;
  /** The first hundred lines that were refused, and why. */
  errors: {
    line: number;
    error: string;
  }[];
  awaiting_confirmation?: string[];
  receipt?: Receipt;
};

/** That a record is in the log. */
export type InclusionProof = {
  seq: number;
  /** SHA-256, base64. */
  leaf_hash: string;
  size: number;
  /** SHA-256, base64. */
  root_hash: string;
  hashes: string[];
  /** A signed note (C2SP). */
  checkpoint: string;
};

/** An access token (RFC 6749 §5.1). It ends with its grant. */
export type IssuedToken = {
  access_token: string;
  token_type: "Bearer" | "DPoP";
  /** Seconds. */
  expires_in: number;
  scope: string;
};

export type JsonValue = string | number | boolean | null | JsonValue[] | {
  [member: string]: JsonValue;
};

/** The receipt, and the key that signs now. */
export type KeyReplacement = {
  /** The log entry's id, or the revocation's. */
  id: string;
  /** The entry's place in the log. */
  seq: number;
  accepted_at: number;
  /** After this moment no accept decision of that tier is taken against the change. */
  effective_by: {
    strict: number;
    bounded: number;
    eventual: number;
  };
  compromised_kid: string;
  kid?: string;
};

export type KeysRotateBody = {
  /** Replaced at once, and all that it signed is denied. Absent: a planned rotation. */
  compromised_kid?: string;
  reason?: string;
};

/** A passkey of the caller's. */
export type Passkey = {
  /** The credential's, base64url. */
  id: string;
  name: string;
  created_at: number;
  last_used_at?: number;
};

export type PasskeysAddBody = {
  name: string;
  credential: {
    id: string;
    type: "public-key";
    response: {
      clientDataJSON: string;
      authenticatorData: string;
      publicKey: string;
      publicKeyAlgorithm: number;
      transports?: string[];
      [member: string]: unknown;
    };
    [member: string]: unknown;
  };
  /** Of a passkey that there is, for `passkey.add`. */
  proof?: {
    id: string;
    type: "public-key";
    response: {
      clientDataJSON: string;
      authenticatorData: string;
      signature: string;
      [member: string]: unknown;
    };
    [member: string]: unknown;
  };
};

export type PasskeysChallengeBody = {
  confirms: {
    kind: "passkey.register";
  } | {
    kind: "passkey.add";
  } | {
    kind: "passkey.remove";
    passkey_id: string;
  } | {
    kind: "access_request.approve";
    access_request_id: string;
    extension?: string;
    scope?: string;
    duration_seconds?: number;
    max_uses?: number;
  } | {
    kind: "revocation.confirm";
    revocation_id: string;
  } | {
    kind: "remediation.confirm";
    remediation_id: string;
  };
};

export type PasskeysRemoveBody = {
  proof: {
    id: string;
    type: "public-key";
    response: {
      clientDataJSON: string;
      authenticatorData: string;
      signature: string;
      [member: string]: unknown;
    };
    [member: string]: unknown;
  };
};

export type PasskeysResetBody = {
  subject: string;
  reason: string;
};

/** What a planned rotation did, and what it leaves to time. */
export type PlannedRotation = {
  rotated: {
    purpose: "access_token" | "assertion";
    kid: string;
    replaced_kid: string;
  }[];
  scheduled: {
    purpose: "access_token" | "assertion";
    kid: string;
    signs_from?: number;
  }[];
};

/** The policy document. */
export type Policy = {
  $schema?: string;
  issuers?: {
    /** Short name; people of this issuer become subjects `<id>|<sub>`. */
    id: string;
    /** Exact `iss` of its tokens. */
    issuer: string;
    /** Where its public keys are. Give this or `jwks`. */
    jwks_uri?: string;
    jwks?: {
      keys: {
        kty: "EC" | "RSA" | "OKP";
        kid?: string;
        [member: string]: unknown;
      }[];
    };
    /** Name of the deployment's secret that it signs with, for HS256 only; never the secret itself. */
    secret_ref?: string;
    algorithms: ("ES256" | "ES384" | "EdDSA" | "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "HS256")[];
    /** Its tokens must name this audience (RFC 7519 §4.1.3). */
    audience: string;
    /** Accepted `typ` headers, compared without case and without `application/`. */
    token_types?: string[];
    claims?: {
      /** Claim that lists roles (array, or a string separated by spaces). */
      roles?: string;
      /** Claim that lists scopes; usually `scope`. */
      scopes?: string;
    };
    /** People sign in with a browser here (OpenID Connect). Absent: they do not. */
    sign_in?: {
      /** This deployment's client at the provider. */
      client_id: string;
      /** Name of the deployment's secret with the client's secret. Absent: a public client. */
      client_secret_ref?: string;
      client_auth?: "client_secret_basic" | "client_secret_post";
      /** Asked of the provider. */
      scopes?: string[];
      /** The most that a browser's session can have, whatever its person may do elsewhere. */
      session_scopes?: string[];
    };
    /** People whom Cloudflare Access lets through are signed in by its JWT. Absent: they are not. */
    cloudflare_access?: {
      /** The most that a browser's session can have, whatever its person may do elsewhere. */
      session_scopes?: string[];
    };
  }[];
  origins?: {
    [member: string]: {
      /** Scheme, host and port; the request's path is appended. Give this or `service`. */
      url?: string;
      /** A service binding of this Worker: the request goes there without a network between. */
      service?: string;
      /** Audience of access tokens for this origin. */
      audience: string;
      timeout_ms?: number;
      /** Requests carry an HTTP Message Signature (RFC 9421) by the key of the assertions. */
      message_signature?: boolean;
    };
  };
  routes?: {
    id: string;
    /** Absent: any host. A leading `*.` stands for one label; without a port, any port fits. */
    host?: string;
    path: string;
    /** Absent: every method but `TRACE`. `GET` does not include `HEAD`. */
    methods?: ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS")[];
    origin: string;
    access: "public" | {
      /** All of them are needed. */
      scopes?: string[];
      /** One of them is needed, beside all of `scopes`. */
      any_scopes?: string[];
      /** One of them is needed, where any is listed. */
      roles?: string[];
      /** The token must have been granted for this resource; `:name` takes the path's parameter. */
      resource?: string;
      /** Tokens that were issued longer ago (`iat`) are refused. */
      max_token_age_seconds?: number;
      /** How the person must have signed in (RFC 9470). */
      step_up?: {
        /** The token's `acr` must be one of them; the one that is liked best stands first. */
        acr_values?: string[];
        /** The person must have signed in (`auth_time`) at most so long ago. */
        max_age_seconds?: number;
      };
      /** A CEL expression over `token`, `request`, `time` and `cf`; only exactly `true` lets a request through. */
      condition?: string;
      /** Of the condition's `time`; absent: UTC. */
      time_zone?: string;
    };
    /** How many requests are let through; those beyond it are answered with 429. */
    limit?: {
      /** Whose requests are counted together. Only `ip` counts those without a token. */
      by: "token" | "subject" | "client" | "ip";
      /** One of the deployment's rate limiters: `burst_10s` is the binding LIMITER_BURST_10S. Its count is near the truth, and each location's own. */
      limiter?: string;
      /** A token bucket that counts every request everywhere, at the cost of one object call a request. */
      exact?: {
        /** So many at once, and as many again in each period. */
        requests: number;
        period_seconds: number;
      };
    };
    consistency?: {
      tier: "strict";
    } | {
      tier: "bounded";
      max_staleness_ms?: number;
    } | {
      tier: "eventual";
    };
    /** What happens when the revocation state is older than the tier allows and cannot be refreshed. */
    on_stale?: "deny" | {
      allow_for_seconds: number;
    };
    /** Where the access token may be sent; a request carries exactly one. */
    credential?: {
      from: "authorization";
    } | {
      from: "cookie";
      name: string;
    } | {
      from: "header";
      name: string;
    } | {
      from: "session";
      /** What an unsafe request has to show: that a page of the same origin made it; `token`: the session's token in X-CSRF-Token as well. */
      csrf?: "origin" | "token";
    }[];
    /** `off`: no token that is bound to a DPoP key is taken. `required`: only such tokens are. */
    dpop?: {
      mode?: "off" | "optional" | "required";
      /** `exact`: a proof is good once, everywhere, at the cost of one object call a request. */
      single_use?: "isolate" | "exact";
      /** A proof must hold a nonce of ours that is recent. */
      nonce?: boolean;
    };
    /** The same for tokens that are bound to a TLS client certificate. */
    mtls?: "off" | "optional" | "required";
    /** Whether the origin receives the access token as it was sent. */
    authorization?: "strip" | "pass";
    /** Whether answers say in Server-Timing how long the decision and the origin took. */
    server_timing?: boolean;
    /** X-Portcullis-… headers for the origin, beside the signed assertion. */
    identity_headers?: ("subject" | "scope" | "grant")[];
  }[];
  access_rules?: {
    id: string;
    /** `:name` and `*` each stand for any one segment. */
    resource: string;
    /** The origin that tokens of this rule are for. */
    origin: string;
    scopes: string[];
    requesters: {
      roles?: string[];
      subjects?: string[];
      /** CEL over requester, resource, request, time: they may ask where it is exactly true. */
      condition?: string;
    };
    /** Who must approve, one stage after the other. One person's approval counts once. */
    stages: {
      roles?: string[];
      subjects?: string[];
      /** How many of them; 1 where it is absent. */
      count?: number;
      all?: {
        roles?: string[];
        subjects?: string[];
        /** How many of them; 1 where it is absent. */
        count?: number;
        all?: {
          roles?: string[];
          subjects?: string[];
          /** How many of them; 1 where it is absent. */
          count?: number;
        }[];
        any?: {
          roles?: string[];
          subjects?: string[];
          /** How many of them; 1 where it is absent. */
          count?: number;
        }[];
      }[];
      any?: {
        roles?: string[];
        subjects?: string[];
        /** How many of them; 1 where it is absent. */
        count?: number;
        all?: {
          roles?: string[];
          subjects?: string[];
          /** How many of them; 1 where it is absent. */
          count?: number;
        }[];
        any?: {
          roles?: string[];
          subjects?: string[];
          /** How many of them; 1 where it is absent. */
          count?: number;
        }[];
      }[];
    }[];
    /** Lets approvers decide by a button in a chat message; else they open the request. */
    decide_in_chat?: boolean;
    /** An approval counts only with the approver's passkey, bound to what is approved. */
    high_risk?: boolean;
    /** CEL: approved at once where it is exactly true. */
    approve_when?: string;
    /** CEL: denied at once where it is exactly true. Where it fails, nothing is approved at once. */
    deny_when?: string;
    /** The zone of `time` in conditions. */
    time_zone?: string;
    justification_min_length?: number;
    /** A ticket is required. */
    ticket?: {
      /** A ticket is one of these and what follows. Absent: any ticket. */
      prefixes?: string[];
      /** What follows the prefix, 1–32 of them; digits where it is absent. Needs `prefixes`. */
      suffix?: "digits" | "letters_and_digits";
    };
    max_duration_seconds: number;
    /** Absent: one hour, or the maximum where that is shorter. */
    default_duration_seconds?: number;
    /** How long a grant may become by extensions. Absent: max_duration_seconds. */
    max_total_seconds?: number;
    warn_before_end_seconds?: number;
    review_deadline_seconds?: number;
    /** Approvers are reminded once in each stage that has waited so long. */
    reminder_after_seconds?: number;
    /** Who may also approve, in the place of anybody, once a stage has waited so long. */
    escalation?: {
      /** Counted from when the stage began. */
      after_seconds: number;
      roles?: string[];
      subjects?: string[];
    };
    /** How long after a denial the same person cannot ask for the same resource by this rule. */
    cool_down_seconds?: number;
    /** Open requests and grants that are not over, together, that one person may have by this rule. */
    max_parallel?: number;
    /** How many requests a grant of this rule opens at most. Absent: counted only where it is asked for. */
    max_uses?: number;
    /** Who may take this access at once in an emergency. It is told before the token is given. */
    break_glass?: {
      roles?: string[];
      subjects?: string[];
      max_duration_seconds?: number;
      /** Who reviews each use afterwards; never who used it. */
      reviewers: {
        roles?: string[];
        subjects?: string[];
      };
      /** Counted from the end of the grant. */
      review_within_seconds?: number;
    };
    access_token_ttl_seconds?: number;
    /** Its tokens name their place in a Token Status List, for verifiers that do not ask the gate. */
    status_list?: true;
  }[];
  /** Scopes that a role brings when an identity provider's token is exchanged for ours. */
  roles?: {
    [member: string]: {
      scopes: string[];
    };
  };
  /** The audit log. Absent: kept for ever, without addresses, anchored once a minute. */
  audit?: {
    /** Records older than this lose their text; their hashes stay, and so do all proofs. Absent: kept. */
    retain_days?: number;
    /** Records say from which address a call came, and not only from which country and network. */
    record_addresses?: boolean;
    /** How long after a record the next signed checkpoint is anchored in KV and told to endpoints. */
    checkpoint_seconds?: number;
  };
  token_endpoint?: {
    /** A DPoP proof must hold a nonce of ours that is recent. */
    dpop_nonce?: boolean;
  };
  /** Who may act for whom by token exchange with an actor token; nobody where it is empty. */
  delegation?: {
    id: string;
    /** Who may act: subjects, which a client's id is too, or roles. */
    actors: {
      roles?: string[];
      subjects?: string[];
    };
    /** For whom. */
    for: {
      roles?: string[];
      subjects?: string[];
    };
    /** The most that a token of theirs can have. */
    scopes: string[];
  }[];
  /** Absent: confirm_above is 1000. */
  revocations?: {
    /** A revocation that would cut more live tokens than this needs a second person. */
    confirm_above: number;
    /** The second person confirms with a passkey. */
    confirm_with_passkey?: boolean;
  };
  /** Absent: refusals only, for 24 hours, without addresses. */
  decision_log?: {
    /** The share of acceptances of which a line is written and a record is kept. */
    sample_accepted?: number;
    /** How long records are kept, where there are not so many that they go earlier. */
    retention_hours?: number;
    /** Whether records say the client's address, country and network. */
    addresses?: boolean;
  };
  /** The life of our own signing keys. Absent: ES256, replaced every 30 days, published a day ahead. */
  keys?: {
    /** Algorithm of the keys that are made from now on. */
    algorithm?: "ES256" | "EdDSA" | "RS256";
    /** How long a key signs before the next one takes its place. */
    rotation_seconds?: number;
    /** How long a key is in the JWK set before it signs: longer than any verifier keeps its copy. */
    publish_ahead_seconds?: number;
    /** Where a rotation is overdue for longer, no more tokens are issued. */
    overdue_grace_seconds?: number;
  };
  /** Sessions of people whose token is exchanged. Absent: none, and no refresh token. */
  sessions?: {
    /** A session that is not refreshed for this long is over. */
    idle_seconds?: number;
    /** A session is over this long after it began, however it is used. */
    absolute_seconds?: number;
    /** Life of its access tokens, and so the longest that a lost role still counts. */
    access_token_ttl_seconds?: number;
    /** A refresh token that is sent again within this time gets the same answer; later it ends the session. */
    reuse_window_seconds?: number;
    /** What the identity provider said of a person counts this long; then a refresh must bring a fresh `subject_token`. Absent: as long as the session. */
    reassert_seconds?: number;
  };
  /** What is noticed about tokens, and from when on. Absent: everything, by the defaults. */
  detections?: {
    /** Whether a detection names the client's address; without it, no address can be blocked. */
    show_address?: boolean;
    /** Tokens from one address whose signature does not hold under the key that they name. */
    token_tampered?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** One token, used after its end. */
    token_used_after_expiry?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
      /** Uses so soon after the end are a clock that is behind, or a client that renews late. */
      grace_seconds?: number;
    };
    /** One revoked token, used still. */
    token_used_after_revocation?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** A spent refresh token was used again; its session is over. */
    refresh_token_reused?: {
      /** Whether it is detected. */
      enabled?: boolean;
    };
    /** Requests with one token (of a session: with its tokens). */
    token_overused?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
      /** How many times its own highest count is a detection, once it is known for five windows. */
      times_own_rate?: number;
    };
    /** Addresses that one token, or session, is used from. */
    token_many_addresses?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** Countries that one token, or session, is used from. */
    token_many_countries?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** Networks (ASN) that one token, or session, is used from. */
    token_many_networks?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** Moves of one token, or session, that are too fast. A VPN switched on or off is one move. */
    impossible_travel?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
      /** Shorter ways are none. */
      min_distance_km?: number;
      /** Slower than this is possible. */
      max_speed_kmh?: number;
      /** Whether ways within one country count: providers move their addresses about in one. */
      same_country?: boolean;
    };
    /** Different routes and resources that one subject was refused (403). */
    scope_probing?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** Different `kid`s from one address that no trusted issuer has. */
    unknown_key_storm?: {
      /** Whether it is detected. */
      enabled?: boolean;
      /** How many in one window are a detection. */
      threshold?: number;
      /** The length of the window that is counted in. */
      window_seconds?: number;
      /** Counts up to 50,000 of them a shard one by one, where otherwise the busiest are followed. */
      exact?: boolean;
    };
    /** A signing key is not replaced in time. */
    key_rotation_overdue?: {
      /** Whether it is detected. */
      enabled?: boolean;
    };
    /** A signing key was replaced as compromised. */
    key_compromised?: {
      /** Whether it is detected. */
      enabled?: boolean;
    };
    /** A receiver is gone, or has not answered for three days. */
    webhook_endpoint_dead?: {
      /** Whether it is detected. */
      enabled?: boolean;
    };
    /** Somebody took access without an approval. */
    break_glass_used?: {
      /** Whether it is detected. */
      enabled?: boolean;
    };
  };
  /** What is done about what is detected. Absent: a gentle set of rules, see docs/remediation.md. */
  remediation?: {
    /** All that match a detection act, each by itself. */
    rules: RemediationRule[];
  };
  /** Shared signals (SSF). Absent: nobody is listened to. */
  signals?: {
    /** Who may tell this deployment of its people: SETs of CAEP and RISC, Global Token Revocation. */
    transmitters?: {
      id: string;
      /** Exact `iss` of what it signs. */
      issuer: string;
      /** Where its public keys are. Give this or `jwks`. */
      jwks_uri?: string;
      jwks?: {
        keys: {
          kty: "EC" | "RSA" | "OKP";
          kid?: string;
          [member: string]: unknown;
        }[];
      };
      algorithms: ("ES256" | "ES384" | "EdDSA" | "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512")[];
      /** Its security event tokens must name this audience. */
      audience: string;
      /** Id of the trusted issuer whose people it may speak of, and of nobody else's. */
      subjects_of: string;
      /** The trusted issuer's `sub` is the email address, so that an email names a person. */
      email_is_sub?: boolean;
      /** What an opaque identifier that stands alone is: the issuer's `sub`, or its `sid`. */
      opaque_names?: "subject" | "session";
      /** A security event token that was issued longer ago is refused. */
      max_age_seconds?: number;
      /** It may end all sessions of a person with POST /v1/signals/global-token-revocation. */
      global_token_revocation?: boolean;
      /** What an event leads to, where that is not the default. */
      events?: {
        [member: string]: "revoke_subject" | "revoke_sessions" | "revoke_session" | "step_up" | "restore_subject" | "notify" | "ignore" | {
          [member: string]: "revoke_subject" | "revoke_sessions" | "revoke_session" | "step_up" | "restore_subject" | "notify" | "ignore";
        };
      };
    }[];
  };
};

/** The version that is in force, and by when everywhere. */
export type PolicyActivation = {
  version: number;
  receipt: Receipt;
  /** What is allowed and may not be what was meant. */
  warnings?: string[];
};

/** What the document would change; nothing is changed. */
export type PolicyCheck = {
  valid: true;
  active_version: number;
  changes: {
    [member: string]: {
      added: string[];
      removed: string[];
      changed: string[];
      reordered?: boolean;
    };
  };
  warnings: string[];
  /** As it would be kept: with its defaults, and in the order of the schema. */
  document: Policy;
  simulation?: {
    asks: {
      [member: string]: JsonValue;
    }[];
    replayed?: number;
    decided_otherwise?: DecidedOtherwise[];
  };
};

export type PolicyCheckBody = Policy | {
  people?: {
    subject: string;
    roles?: string[];
  }[];
  asks?: {
    /** One of `people`, or somebody without a role. */
    subject: string;
    resource: string;
    scope: string;
    duration_seconds?: number;
    justification?: string;
    ticket?: string;
    /** Epoch seconds; absent: now. */
    at?: number;
  }[];
  /** So many of the latest access requests are decided again by the new rules. */
  replay?: number;
  document: Policy;
};

export type PolicyVersion = {
  version: number;
  document: Policy;
};

/** A version as lists show it. */
export type PolicyVersionInfo = {
  version: number;
  created_at: number;
  created_by: string;
  active: boolean;
};

export type PolicyVersionRecord = {
  version: number;
  created_at: number;
  created_by: string;
  active: boolean;
  document: Policy;
};

/** What the canary measured, and how old replicas were. */
export type Propagation = {
  window_seconds: number;
  tiers: {
    strict: {
      promise_ms: number;
      count: number;
      /** Accept decisions that were taken later than promised. */
      broken: number;
      p50: number;
      p95: number;
      p99: number;
      max: number;
    } | null;
    bounded: {
      promise_ms: number;
      count: number;
      /** Accept decisions that were taken later than promised. */
      broken: number;
      p50: number;
      p95: number;
      p99: number;
      max: number;
    } | null;
    eventual: {
      promise_ms: number;
      count: number;
      /** Accept decisions that were taken later than promised. */
      broken: number;
      p50: number;
      p95: number;
      p99: number;
      max: number;
    } | null;
  };
  replica_age: {
    strict: {
      at_most_ms: number | null;
      decisions: number;
    }[];
    bounded: {
      at_most_ms: number | null;
      decisions: number;
    }[];
    eventual: {
      at_most_ms: number | null;
      decisions: number;
    }[];
  };
};

/** What is there, and what is missing. */
export type Readiness = {
  ready: boolean;
  checks: {
    name: string;
    ready: boolean;
    detail: string;
    /** Nobody is kept from being ready by it. */
    optional?: true;
  }[];
};

/** Acknowledges a change of authority. Times are epoch seconds. */
export type Receipt = {
  /** The log entry's id, or the revocation's. */
  id: string;
  /** The entry's place in the log. */
  seq: number;
  accepted_at: number;
  /** After this moment no accept decision of that tier is taken against the change. */
  effective_by: {
    strict: number;
    bounded: number;
    eventual: number;
  };
};

/** A rule that fired, and what it did. */
export type Remediation = {
  id: string;
  rule_id: string;
  detection_id: string;
  detection_kind: DetectionKind;
  at: number;
  state: "acted" | "held" | "hold_expired" | "shadow" | "dismissed" | "undone";
  would_cut: number;
  would_hold?: true;
  actions: {
    kind: string;
    /** Whom it is for; null where the detection named nobody. */
    on: {
      /** Issuer, exactly as in the token */
      iss?: string;
      /** One token */
      jti?: string;
      /** Every token of one grant */
      grant?: string;
      /** Every token of one session (`sid`) */
      session?: string;
      /** Every token of one subject */
      sub?: string;
      /** Every token of one client */
      client_id?: string;
      /** Every token bound to one sender key (RFC 9449) */
      jkt?: string;
      /** Every token signed by one key */
      kid?: string;
      /** Every request to a route from one address, of IPv6 from its /64; alone, and with expires_at */
      address?: string;
    } | {
      address: string;
    } | Record<string, never> | null;
    scopes?: string[];
    /** How long it lasts. */
    seconds?: number;
    acr_values?: string[];
    would_cut?: number;
    revocation_id?: string;
    receipt?: Receipt;
    result?: string;
    lift_receipt?: Receipt;
    not_undone?: string;
    [member: string]: unknown;
  }[];
  held?: {
    until: number;
    needed: number;
    confirmations: {
      actor: string;
      at: number;
      comment?: string;
    }[];
  };
  ended?: {
    at: number;
    by: string;
    reason: string;
  };
};

/** What rules would have done; nothing was done. */
export type RemediationReplay = {
  detections: number;
  truncated: boolean;
  rules: {
    rule_id: string;
    outcomes: {
      [member: string]: number;
    };
    tokens_cut: number;
  }[];
  firings: {
    rule_id: string;
    detection_id: string;
    kind: DetectionKind;
    at: number;
    outcome: "acted" | "held" | "shadow" | "below_threshold" | "cooling_down" | "over_hourly_limit";
    would_hold: boolean;
    would_cut: number;
    actions: string[];
  }[];
};

/** What is done when something is noticed. */
export type RemediationRule = {
  id: string;
  when: DetectionKind | DetectionKind[];
  /** CEL over `detection`, `about`, `facts` and `time` (UTC); the rule acts only where it is true. */
  condition?: string;
  /** So many such detections of the same target in the window. Absent: the first is enough. */
  threshold?: {
    count: number;
    window_seconds: number;
  };
  actions: {
    kind: "count";
  } | {
    kind: "notify";
  } | {
    kind: "revoke";
    target: "narrowest" | "token" | "session" | "grant" | "subject" | "client" | "key";
    /** Absent: as long as a token may live; a subject or client until it is lifted. */
    seconds?: number;
  } | {
    kind: "step_up";
    /** `narrowest`: the first of token, session, grant, subject and client that the detection names. */
    target?: "narrowest" | "token" | "session" | "grant" | "subject" | "client";
    acr_values?: string[];
    /** The sign-in has to be later than the detection. */
    new_sign_in?: boolean;
    /** Absent: as long as a token may live. */
    seconds?: number;
  } | {
    kind: "shrink_scope";
    /** `narrowest`: the first of token, session, grant, subject and client that the detection names. */
    target: "narrowest" | "token" | "session" | "grant" | "subject" | "client";
    scopes: string[];
    /** Absent: as long as a token may live. */
    seconds?: number;
  } | {
    kind: "force_sign_in";
  } | {
    kind: "block_address";
    seconds?: number;
  } | {
    kind: "rotate_key";
  }[];
  /** So long after it acted, the rule leaves the same target alone. */
  cooldown_seconds?: number;
  /** Live tokens that one firing may cut; more wait for a person, and everybody is told. */
  max_cut?: number;
  /** How often the rule may act in an hour. */
  max_per_hour?: number;
  /** Only records what it would have done. */
  shadow?: boolean;
};

export type RemediationRules = {
  rules: RemediationRule[];
  /** The policy says nothing, and these apply. */
  default: boolean;
};

export type RemediationRulesPutBody = {
  /** All that match a detection act, each by itself. */
  rules: RemediationRule[];
};

export type RemediationRulesReplayBody = {
  /** All that match a detection act, each by itself. */
  rules: RemediationRule[];
  /** Epoch seconds */
  since: number;
};

export type RemediationsConfirmBody = {
  comment?: string;
  /** An answer to a challenge for this confirmation, where the policy has `confirm_with_passkey`. */
  passkey?: {
    id: string;
    type: "public-key";
    response: {
      clientDataJSON: string;
      authenticatorData: string;
      signature: string;
      [member: string]: unknown;
    };
    [member: string]: unknown;
  };
};

export type RemediationsUndoBody = {
  reason: string;
};

/** What an approver said, and what it left of the ask. */
export type Review = {
  id: string;
  approver: string;
  /** Who acted for the approver, nearest first. */
  actors?: string[];
  outcome: "approve" | "deny";
  comment?: string;
  duration_seconds?: number;
  scope?: string;
  max_uses?: number;
  /** The webhook endpoint or the maker of the link that vouches. */
  via?: string;
  /** The approver's passkey that has confirmed it. */
  passkey?: string;
  extension?: string;
  /** Epoch seconds. */
  reviewed_at: number;
  stage: number;
};

/** A rule that refuses tokens, with its state and its history. */
export type Revocation = {
  id: string;
  match: {
    /** Issuer, exactly as in the token */
    iss?: string;
    /** One token */
    jti?: string;
    /** Every token of one grant */
    grant?: string;
    /** Every token of one session (`sid`) */
    session?: string;
    /** Every token of one subject */
    sub?: string;
    /** Every token of one client */
    client_id?: string;
    /** Every token bound to one sender key (RFC 9449) */
    jkt?: string;
    /** Every token signed by one key */
    kid?: string;
    /** Every request to a route from one address, of IPv6 from its /64; alone, and with expires_at */
    address?: string;
  };
  /** Absent: what it hits is refused. */
  effect?: {
    kind: "step_up";
    acr_values?: string[];
    signed_in_since?: number;
  } | {
    kind: "shrink_scope";
    scopes: string[];
  };
  issued_before?: number;
  reason: string;
  actor: string;
  created_at: number;
  expires_at?: number;
  emergency?: true;
  state: "awaiting_confirmation" | "in_force" | "lifted" | "expired" | "cancelled" | "confirmation_expired";
  /** Its place in the log; absent before it is confirmed. */
  seq?: number;
  lifted_at?: number;
  lifted_by?: string;
  /** Where a second person is or was needed: what it would cut, until when it can be confirmed. */
  confirmation?: {
    would_cut: WouldCut;
    exact: boolean;
    expires_at: number;
  };
  /** Oldest first. */
  history: {
    event: "proposed" | "created" | "confirmed" | "cancelled" | "lifted";
    at: number;
    actor: string;
    reason?: string;
  }[];
  /** What acknowledged it; told where one revocation is read. */
  receipt?: Receipt;
};

/** What the revocation would cut; nothing is changed. */
export type RevocationDryRun = {
  dry_run: true;
  would_cut: WouldCut;
  /** False where the index was full: there are more. */
  exact: boolean;
  sample: {
    jti: string;
    sub: string;
    client_id: string;
    grant?: string;
    exp: number;
  }[];
};

/** One line of NDJSON: a token by name, or a rule. */
export type RevocationLine = {
  jti: string;
  iss?: string;
  expires_at?: number;
  reason?: string;
} | {
  id?: string;
  match: {
    /** Issuer, exactly as in the token */
    iss?: string;
    /** One token */
    jti?: string;
    /** Every token of one grant */
    grant?: string;
    /** Every token of one session (`sid`) */
    session?: string;
    /** Every token of one subject */
    sub?: string;
    /** Every token of one client */
    client_id?: string;
    /** Every token bound to one sender key (RFC 9449) */
    jkt?: string;
    /** Every token signed by one key */
    kid?: string;
    /** Every request to a route from one address, of IPv6 from its /64; alone, and with expires_at */
    address?: string;
  };
  effect?: {
    kind: "step_up";
    acr_values?: string[];
    signed_in_since?: number;
  } | {
    kind: "shrink_scope";
    scopes: string[];
  };
  issued_before?: number;
  reason: string;
  expires_at?: number;
};

export type RevocationsConfirmBody = {
  comment?: string;
  /** An answer to a challenge for this confirmation, where the policy has `confirm_with_passkey`. */
  passkey?: {
    id: string;
    type: "public-key";
    response: {
      clientDataJSON: string;
      authenticatorData: string;
      signature: string;
      [member: string]: unknown;
    };
    [member: string]: unknown;
  };
};

export type RevocationsCreateBody = {
  match: {
    /** Issuer, exactly as in the token */
    iss?: string;
    /** One token */
    jti?: string;
    /** Every token of one grant */
    grant?: string;
    /** Every token of one session (`sid`) */
    session?: string;
    /** Every token of one subject */
    sub?: string;
    /** Every token of one client */
    client_id?: string;
    /** Every token bound to one sender key (RFC 9449) */
    jkt?: string;
    /** Every token signed by one key */
    kid?: string;
    /** Every request to a route from one address, of IPv6 from its /64; alone, and with expires_at */
    address?: string;
  };
  /** Absent: what it hits is refused. */
  effect?: {
    kind: "step_up";
    acr_values?: string[];
    signed_in_since?: number;
  } | {
    kind: "shrink_scope";
    scopes: string[];
  };
  issued_before?: number;
  reason: string;
  expires_at?: number;
  /** In force at once, whatever it cuts, without a second person. Everybody is told. */
  emergency?: true;
};

/** A refresh-token family, or a browser's session. */
export type Session = {
  /** The `sid` of its access tokens. */
  id: string;
  state: "active" | "expired" | "revoked";
  subject: string;
  client_id: string;
  /** What each refresh must prove. */
  cnf?: {
    jkt?: string;
    "x5t#S256"?: string;
  };
  /** The identity provider, by its id in the policy. */
  issuer_id: string;
  provider_session?: string;
  audience: string;
  scope: string;
  opened_at: number;
  refreshed_at: number;
  idle_end: number;
  absolute_end: number;
  ended?: {
    at: number;
    by: string;
    reason: string;
  };
};

export type SessionsRevokeBody = {
  reason: string;
};

/** What a transmitter told us, and what it led to. */
export type Signal = {
  id: string;
  /** `transmitter:<id>`, or the subject of a client. */
  actor: string;
  via: "security_event_token" | "global_token_revocation";
  jti: string;
  event: string;
  /** Which kind of the event, such as the level of a risk. */
  kind?: string;
  action: "revoke_subject" | "revoke_sessions" | "revoke_session" | "step_up" | "restore_subject" | "notify" | "ignore";
  /** Epoch seconds. */
  issued_at: number;
  /** Epoch seconds. */
  received_at: number;
  subject?: string;
  provider_session?: string;
  revocation_id?: string;
  lifted?: string[];
};

/** A signing key of the deployment; moments ahead are planned. */
export type SigningKey = {
  kid: string;
  purpose: "access_token" | "assertion";
  alg: "ES256" | "EdDSA" | "RS256";
  state: "next" | "current" | "previous" | "retired" | "compromised";
  created_at: number;
  published_at?: number;
  signs_from?: number;
  signs_until?: number;
  /** When it leaves, or left, the JWK set. */
  retires_at?: number;
  compromised_at?: number;
};

/** Decisions over time. */
export type Traffic = {
  since: number;
  until: number;
  step_seconds: number;
  route?: string;
  /** Steps without a decision are left out. */
  series: {
    at: number;
    allow: number;
    refuse: number;
    /** Decisions by reason: those of acceptances are `token`, `public`, `vouched`. */
    reasons: {
      [member: string]: number;
    };
  }[];
  /** The 20 that were refused most. */
  routes: {
    route: string;
    allow: number;
    refuse: number;
    /** Decisions by reason: those of acceptances are `token`, `public`, `vouched`. */
    reasons: {
      [member: string]: number;
    };
  }[];
  /** The 20 that were refused most, by the hour. */
  tokens: {
    iss: string;
    jti: string;
    refused: number;
  }[];
};

/** Where events are sent. */
export type WebhookEndpoint = {
  id: string;
  url: string;
  events: EventFilter[];
  description?: string;
  reviews_as?: {
    roles: string[];
    subjects?: string[];
  };
  slack?: {
    channel?: string;
    approvers: {
      [member: string]: {
        subject: string;
        roles: string[];
      };
    };
  };
  enabled: boolean;
  /** The receiver answered 410. */
  disabled_reason?: "gone";
  /** Epoch seconds. */
  created_at: number;
  /** The entity tag, raised by every change. */
  revision: number;
  signature?: "hmac" | "ed25519";
  /** `whpk_…`, newest first. */
  public_keys?: string[];
  /** Shown by the call that made it, and never again. */
  secret?: string;
};

export type WebhookEndpointsCreateBody = {
  /** https, a public host name, port 443 or 8443. */
  url: string;
  /** Types, families (`grant.*`) or everything (`*`). */
  events: EventFilter[];
  description?: string;
  /** A secret that both sides have, or a key of which receivers get the public half. */
  signature?: "hmac" | "ed25519";
  /** Lets the holder of the secret send signed decisions. */
  reviews_as?: {
    /** Roles that its approvers have when the access rule is looked at. */
    roles?: string[];
    /** The only approvers that it may name. Absent: any. */
    subjects?: string[];
  };
  /** Sends messages of Slack instead of Standard Webhooks. */
  slack?: {
    bot_token?: string;
    channel?: string;
    /** Of the Slack app, under Basic Information. Needed for `approvers`. */
    signing_secret?: string;
    /** Slack users whose clicks count as reviews, where the access rule has `decide_in_chat`. */
    approvers?: {
      [member: string]: {
        /** Subject, as the access rules name it. */
        subject: string;
        /** Roles that it has when the access rule is looked at. */
        roles?: string[];
      };
    };
  };
};

export type WebhookEndpointsRedeliverBody = {
  /** Epoch seconds: what became a dead letter then or later. */
  since?: number;
  /** These, whatever became of them; one that waits to be sent is left as it is. */
  deliveries?: string[];
};

export type WebhookEndpointsUpdateBody = {
  /** https, a public host name, port 443 or 8443. */
  url?: string;
  /** Types, families (`grant.*`) or everything (`*`). */
  events?: EventFilter[];
  description?: string | null;
  reviews_as?: {
    /** Roles that its approvers have when the access rule is looked at. */
    roles?: string[];
    /** The only approvers that it may name. Absent: any. */
    subjects?: string[];
  } | null;
  slack?: {
    bot_token?: string;
    channel?: string;
    /** Of the Slack app, under Basic Information. Needed for `approvers`. */
    signing_secret?: string;
    /** Slack users whose clicks count as reviews, where the access rule has `decide_in_chat`. */
    approvers?: {
      [member: string]: {
        /** Subject, as the access rules name it. */
        subject: string;
        /** Roles that it has when the access rule is looked at. */
        roles?: string[];
      };
    };
  };
  enabled?: boolean;
};

/** Live tokens that are hit, and how many hold them. */
export type WouldCut = {
  tokens: number;
  grants: number;
  subjects: number;
  clients: number;
};

/** Every operation for programs, by its id. */
export type Api = {
  accessRequests: {
    /** Ask for access. Needs `requests:create`. The first access rule of the policy that covers it says who approves it, and for how long. */
    create(body: AccessRequestsCreateBody, options?: CallOptions & { idempotencyKey?: string }): Promise<AccessRequest>;
    /** List access requests, newest first. Needs `requests:read`. One's own; those that wait for one's review (`reviewable=true`); all with `requests:read_all`. */
    list(query?: { state?: "pending" | "approved" | "denied" | "cancelled" | "expired"; resource?: string; requester?: string; reviewable?: boolean; limit?: number; cursor?: string }, options?: CallOptions): Pages<AccessRequest>;
    /** Read an access request, or wait for its decision. Needs `requests:read`. */
    get(id: string, options?: CallOptions & { waitSeconds?: number }): Promise<AccessRequest>;
    /** Follow an access request as server-sent events. Needs `requests:read`. It ends after two minutes, or when nothing more can happen; `Last-Event-ID` goes on from there. */
    events(id: string, options?: CallOptions & { lastEventId?: string }): AsyncIterable<ServerSentEvent>;
    /** Approve or deny an access request or an extension. Needs `requests:review`. A review may narrow what was asked for, never widen it. Nobody reviews their own request. */
    review(id: string, body: AccessRequestsReviewBody, options?: CallOptions): Promise<AccessRequest>;
    /** Withdraw one's own access request. Needs `requests:create`. */
    cancel(id: string, options?: CallOptions): Promise<AccessRequest>;
    /** Collect an access token of one's grant. Needs `requests:create`. As often as is needed while the grant is active; 409 while it is pending or scheduled. */
    token(id: string, options?: CallOptions): Promise<IssuedToken>;
    /** Make a link with which one approver decides without signing in. Needs `links:create` or `requests:review`. */
    createLink(id: string, body: AccessRequestsCreateLinkBody, options?: CallOptions): Promise<ApprovalLink>;
  };
  accessRules: {
    /** List the rules by which one may ask or review, in their order. Needs `requests:read`. The first one that covers what is wanted is the one that counts. */
    list(query?: { askable?: boolean; reviewable?: boolean; resource?: string; scope?: string; limit?: number; cursor?: string }, options?: CallOptions): Pages<AccessRuleTerms>;
  };
  audit: {
    /** List what was recorded, newest first. Needs `audit:read`. */
    list(query?: { type?: string; actor?: string; about?: string; source?: string; request_id?: string; since?: number; until?: number; limit?: number; cursor?: number }, options?: CallOptions): Pages<AuditRecord>;
    /** Prove that a record is in the log, or that the log begins with what it was. Needs `audit:read`. `seq` asks for an inclusion proof, `from` for a consistency proof from that size (RFC 6962 §2.1). */
    proof(query?: { seq?: number; from?: number }, options?: CallOptions): Promise<InclusionProof | ConsistencyProof>;
    /** Erase what records say of a person. Needs `audit:erase`. The log stays verifiable: it commits to salted hashes. The erasure is recorded. */
    erase(body: AuditEraseBody, options?: CallOptions): Promise<{
      records: number;
    }>;
  };
  clients: {
    /** Register an OAuth client. Needs `clients:write`. Nobody hands out scopes or roles that their own token does not have. */
    create(body: ClientsCreateBody, options?: CallOptions & { idempotencyKey?: string }): Promise<ClientWithSecret>;
    /** List OAuth clients, newest first. Needs `clients:write`. */
    list(query?: { limit?: number; cursor?: string }, options?: CallOptions): Pages<Client>;
    /** Read an OAuth client. Needs `clients:write`. */
    get(id: string, options?: CallOptions): Promise<Client>;
    /** Change an OAuth client, disable it, or enable it again. Needs `clients:write`. Each member replaces the client's own whole. Disabling denies every token that it has. */
    update(id: string, body: ClientsUpdateBody, options?: CallOptions & { ifMatch?: number }): Promise<ChangedClient>;
    /** Delete an OAuth client and deny every token of it. Needs `clients:write`. */
    delete(id: string, options?: CallOptions): Promise<{
      id: string;
      receipt: Receipt;
    }>;
    /** Give an OAuth client a new secret. Needs `clients:write`. The one before it stays valid until the next rotation, unless it is `compromised`. */
    rotateSecret(id: string, body?: ClientsRotateSecretBody, options?: CallOptions): Promise<ClientWithSecret>;
  };
  decisions: {
    /** List decisions that were taken, newest first. Needs `decisions:read`. Refusals, and acceptances by the policy's sample. */
    list(query?: { outcome?: "allow" | "refuse"; reason?: string; route?: string; sub?: string; jti?: string; since?: number; limit?: number; cursor?: string }, options?: CallOptions): Pages<DecisionRecord>;
    /** Read a decision that was taken, with every check. Needs `decisions:read`. */
    get(id: string, options?: CallOptions): Promise<DecisionRecord>;
    /** Ask what the gate would do with a request, and why. Needs `policy:read`. The gate's own engine; nothing is forwarded and nothing is counted. */
    explain(body: DecisionsExplainBody, options?: CallOptions): Promise<DecisionTrace>;
    /** Ask for one decision (AuthZEN 1.0). Needs `decisions:evaluate`. */
    evaluate(body: DecisionsEvaluateBody, options?: CallOptions): Promise<EvaluationAnswer>;
    /** Ask for several decisions at once (AuthZEN 1.0). Needs `decisions:evaluate`. */
    evaluateAll(body: DecisionsEvaluateAllBody, options?: CallOptions): Promise<EvaluationAnswers>;
  };
  deliveries: {
    /** Send a delivery again. Needs `webhooks:write`. */
    redeliver(id: string, options?: CallOptions): Promise<Delivery>;
  };
  detections: {
    /** List what was noticed, newest first. Needs `remediation:read` or `remediation:write`. */
    list(query?: { limit?: number; cursor?: number; kind?: DetectionKind; since?: number; iss?: string; jti?: string; sub?: string; client_id?: string; grant?: string; session?: string; kid?: string; route?: string; address?: string; endpoint?: string }, options?: CallOptions): Pages<Detection>;
    /** Read a detection. Needs `remediation:read` or `remediation:write`. */
    get(id: string, options?: CallOptions): Promise<Detection>;
  };
  grants: {
    /** List grants, newest first. Needs `grants:read` or `requests:read`. One's own; all with `grants:read`. */
    list(query?: { state?: "scheduled" | "active" | "expired" | "revoked" | "used_up"; resource?: string; subject?: string; limit?: number; cursor?: string }, options?: CallOptions): Pages<Grant>;
    /** Read a grant. Needs `grants:read` or `requests:read`. */
    get(id: string, options?: CallOptions): Promise<Grant>;
    /** Take a grant back, or return one's own. Needs `grants:revoke` or `requests:create`. */
    revoke(id: string, body: GrantsRevokeBody, options?: CallOptions): Promise<Receipt>;
    /** Collect an access token of whichever live grant covers what is named. Needs `requests:create`. */
    token(body: GrantsTokenBody, options?: CallOptions): Promise<IssuedToken>;
    /** Ask for more time of one's grant. Needs `requests:create`. */
    extend(id: string, body: GrantsExtendBody, options?: CallOptions & { idempotencyKey?: string }): Promise<AccessRequest>;
  };
  health: {
    /** Ask whether the Worker answers. */
    live(options?: CallOptions): Promise<{
      status: "ok";
    }>;
    /** Ask whether it can decide requests, and what is missing. */
    ready(options?: CallOptions): Promise<Readiness>;
  };
  keys: {
    /** List the signing keys and their states. Needs `keys:rotate`. */
    list(options?: CallOptions): Promise<{
      items: SigningKey[];
    }>;
    /** Rotate the signing keys, or replace one that leaked. Needs `keys:rotate`. */
    rotate(body: KeysRotateBody, options?: CallOptions & { idempotencyKey?: string }): Promise<PlannedRotation | KeyReplacement>;
  };
  metrics: {
    /** Read counters and gauges for a scraper. Needs `metrics:read`. */
    read(options?: CallOptions): Promise<string>;
  };
  passkeys: {
    /** List one's passkeys. Needs `requests:review` or `revocations:write` or `remediation:write`. */
    list(options?: CallOptions): Promise<{
      items: Passkey[];
    }>;
    /** Add a passkey. Needs `requests:review` or `revocations:write` or `remediation:write`. From the second one on with the word of one that there is. */
    add(body: PasskeysAddBody, options?: CallOptions): Promise<Passkey>;
    /** Begin to confirm something with a passkey. Needs `requests:review` or `revocations:write` or `remediation:write`. The challenge is good for one answer, for exactly what it names, and for five minutes. */
    challenge(body: PasskeysChallengeBody, options?: CallOptions): Promise<{
      public_key: {
        [member: string]: unknown;
      };
    }>;
    /** Remove a passkey. Needs `requests:review` or `revocations:write` or `remediation:write`. */
    remove(id: string, body: PasskeysRemoveBody, options?: CallOptions): Promise<{
      id: string;
    }>;
    /** Let somebody who has lost their passkeys begin anew. Needs `passkeys:reset`. */
    reset(body: PasskeysResetBody, options?: CallOptions): Promise<{
      removed: number;
    }>;
  };
  policy: {
    /** Read the policy that is in force. Needs `policy:read`. */
    get(options?: CallOptions): Promise<PolicyVersion>;
    /** Put a new policy into force. Needs `policy:write`. */
    put(body: Policy, options: CallOptions & { ifMatch: number }): Promise<PolicyActivation>;
    /** Read the JSON Schema of the policy, for editors. Needs `policy:read`. */
    schema(options?: CallOptions): Promise<{
      [member: string]: unknown;
    }>;
    /** Check a policy, and try its access rules, without effect. Needs `policy:read` or `policy:write`. The body is the document alone, or `{document, people, asks, replay}`. `replay` needs `requests:read_all`. */
    check(body: PolicyCheckBody, options?: CallOptions): Promise<PolicyCheck>;
    /** List the versions of the policy, newest first. Needs `policy:read`. */
    versions(query?: { limit?: number; cursor?: number }, options?: CallOptions): Pages<PolicyVersionInfo>;
    /** Read a version of the policy. Needs `policy:read`. */
    version(n: string, options?: CallOptions): Promise<PolicyVersionRecord>;
    /** Go back to a version of the policy. Needs `policy:write`. */
    activate(n: string, options?: CallOptions): Promise<PolicyActivation>;
  };
  remediationRules: {
    /** Read the rules that act on detections. Needs `remediation:read` or `remediation:write`. */
    get(options?: CallOptions): Promise<RemediationRules>;
    /** Put new rules that act on detections. Needs `remediation:write`. */
    put(body: RemediationRulesPutBody, options: CallOptions & { ifMatch: number }): Promise<{
      version: number;
      receipt: Receipt;
    }>;
    /** Try rules on the detections of the past, without effect. Needs `remediation:write`. */
    replay(body: RemediationRulesReplayBody, options?: CallOptions): Promise<RemediationReplay>;
  };
  remediations: {
    /** List what was done about detections, newest first. Needs `remediation:read` or `remediation:write`. */
    list(query?: { limit?: number; cursor?: number; rule?: string; state?: "acted" | "held" | "shadow" | "dismissed" | "undone" }, options?: CallOptions): Pages<Remediation>;
    /** Read a remediation. Needs `remediation:read` or `remediation:write`. */
    get(id: string, options?: CallOptions): Promise<Remediation>;
    /** Take back what a remediation did. Needs `remediation:write`. */
    undo(id: string, body: RemediationsUndoBody, options?: CallOptions): Promise<Remediation>;
    /** Let a remediation that was held act. Needs `remediation:write`. */
    confirm(id: string, body: RemediationsConfirmBody, options?: CallOptions): Promise<Remediation>;
  };
  revocations: {
    /** Revoke tokens by what they say. Needs `revocations:write`. All members of `match` must hold. Above the policy's `confirm_above` live tokens it waits for a second person (202). */
    create(body: RevocationsCreateBody, query?: { dry_run?: boolean }, options?: CallOptions & { idempotencyKey?: string }): Promise<RevocationDryRun | Receipt | HeldBackRevocation>;
    /** List revocations, newest first, or search them. Needs `revocations:read`. With `state` or `q` a page is what was found among at most 2,000 of them, `searched` says of how many: it may be short, or empty, and `next_cursor` goes on. */
    list(query?: { limit?: number; cursor?: string; state?: "awaiting_confirmation" | "in_force" | "lifted" | "expired" | "cancelled" | "confirmation_expired"; q?: string }, options?: CallOptions): Pages<Revocation>;
    /** Read a revocation and its history. Needs `revocations:read`. */
    get(id: string, options?: CallOptions): Promise<Revocation>;
    /** Lift a revocation, or cancel one that waits. Needs `revocations:write`. */
    lift(id: string, query?: { reason?: string }, options?: CallOptions): Promise<Receipt | Revocation>;
    /** Confirm, as the second person, a revocation that waits for one. Needs `revocations:write`. */
    confirm(id: string, body: RevocationsConfirmBody, options?: CallOptions): Promise<Receipt>;
    /** Deny tokens by the million, as NDJSON. Needs `revocations:write`. Read as a stream, of any size. A bad line is named with its number; the good ones stand. */
    import(body: Lines<RevocationLine>, query?: { publish?: boolean; lift?: boolean; emergency?: boolean; dry_run?: boolean }, options?: CallOptions): Promise<ImportOutcome | ImportDryRun>;
    /** Read every rule in force and every denied token, as NDJSON. Needs `revocations:read`. The lines can be imported again. An answer that breaks off is not whole. */
    export(options?: CallOptions): AsyncIterable<RevocationLine>;
    /** Read how fast revocations took hold in the last 24 hours. Needs `revocations:read`. */
    propagation(options?: CallOptions): Promise<Propagation>;
  };
  sessions: {
    /** List sessions, newest first. One's own; all with `sessions:read`. */
    list(query?: { subject?: string; client_id?: string; state?: "active" | "expired" | "revoked"; limit?: number; cursor?: string }, options?: CallOptions): Pages<Session>;
    /** Read a session. */
    get(id: string, options?: CallOptions): Promise<Session>;
    /** End a session and every token of it. One's own; others' with `sessions:revoke`. */
    revoke(id: string, body: SessionsRevokeBody, options?: CallOptions): Promise<Receipt>;
  };
  signals: {
    /** List what a transmitter told, newest first. Needs `signals:read`. */
    list(query?: { transmitter: string; limit?: number; cursor?: string }, options?: CallOptions): Pages<Signal>;
  };
  traffic: {
    /** Read decisions over time, and what is refused most. Needs `metrics:read`. */
    read(query?: { since?: number; until?: number; step_seconds?: number; route?: string }, options?: CallOptions): Promise<Traffic>;
  };
  webhookEndpoints: {
    /** Have events sent to a URL. Needs `webhooks:write`. */
    create(body: WebhookEndpointsCreateBody, options?: CallOptions & { idempotencyKey?: string }): Promise<WebhookEndpoint>;
    /** List webhook endpoints, newest first. Needs `webhooks:read`. */
    list(query?: { limit?: number; cursor?: string }, options?: CallOptions): Pages<WebhookEndpoint>;
    /** Read a webhook endpoint. Needs `webhooks:read`. */
    get(id: string, options?: CallOptions): Promise<WebhookEndpoint>;
    /** Change a webhook endpoint, disable it, or enable it again. Needs `webhooks:write`. */
    update(id: string, body: WebhookEndpointsUpdateBody, options?: CallOptions & { ifMatch?: number }): Promise<WebhookEndpoint>;
    /** Delete a webhook endpoint and what waits for it. Needs `webhooks:write`. */
    delete(id: string, options?: CallOptions): Promise<{
      id: string;
    }>;
    /** Give a webhook endpoint a new secret. Needs `webhooks:write`. What is sent is signed with both until the next rotation. */
    rotateSecret(id: string, options?: CallOptions): Promise<WebhookEndpoint>;
    /** List the deliveries of a webhook endpoint, newest first. Needs `webhooks:read`. */
    deliveries(id: string, query?: { limit?: number; cursor?: string; state?: "pending" | "delivered" | "dead_letter" }, options?: CallOptions): Pages<Delivery>;
    /** Send a test event to a webhook endpoint. Needs `webhooks:write`. */
    test(id: string, options?: CallOptions): Promise<{
      delivery_id: string;
    }>;
    /** Send deliveries of a webhook endpoint again: its dead letters since a moment, or chosen ones. Needs `webhooks:write`. Oldest first, at most 1,000 a call: repeat it while there is a `remaining`. */
    redeliver(id: string, body: WebhookEndpointsRedeliverBody, query?: { dry_run?: boolean }, options?: CallOptions): Promise<{
      redelivered: number;
      remaining: number;
      dry_run: true;
    } | {
      redelivered: number;
      remaining: number;
    }>;
  };
};

/** Where each is, and what it sends and answers. */
export const OPERATIONS = {
  accessRequests: {
    create: { method: "POST", path: "/v1/access-requests", sends: "json", answers: "json", keyed: true },
    list: { method: "GET", path: "/v1/access-requests", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/access-requests/{id}", answers: "json" },
    events: { method: "GET", path: "/v1/access-requests/{id}/events", answers: "events" },
    review: { method: "POST", path: "/v1/access-requests/{id}/reviews", sends: "json", answers: "json" },
    cancel: { method: "POST", path: "/v1/access-requests/{id}/cancel", answers: "json" },
    token: { method: "POST", path: "/v1/access-requests/{id}/token", answers: "json" },
    createLink: { method: "POST", path: "/v1/access-requests/{id}/links", sends: "json", answers: "json" },
  },
  accessRules: {
    list: { method: "GET", path: "/v1/access-rules", query: true, answers: "pages" },
  },
  audit: {
    list: { method: "GET", path: "/v1/audit/events", query: true, answers: "pages" },
    proof: { method: "GET", path: "/v1/audit/proof", query: true, answers: "json" },
    erase: { method: "POST", path: "/v1/audit/erasures", sends: "json", answers: "json" },
  },
  clients: {
    create: { method: "POST", path: "/v1/clients", sends: "json", answers: "json", keyed: true },
    list: { method: "GET", path: "/v1/clients", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/clients/{id}", answers: "json" },
    update: { method: "PATCH", path: "/v1/clients/{id}", sends: "json", answers: "json" },
    delete: { method: "DELETE", path: "/v1/clients/{id}", answers: "json" },
    rotateSecret: { method: "POST", path: "/v1/clients/{id}/rotate-secret", sends: "json", answers: "json" },
  },
  decisions: {
    list: { method: "GET", path: "/v1/decisions", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/decisions/{id}", answers: "json" },
    explain: { method: "POST", path: "/v1/explain", sends: "json", answers: "json" },
    evaluate: { method: "POST", path: "/access/v1/evaluation", sends: "json", answers: "json" },
    evaluateAll: { method: "POST", path: "/access/v1/evaluations", sends: "json", answers: "json" },
  },
  deliveries: {
    redeliver: { method: "POST", path: "/v1/deliveries/{id}/redeliver", answers: "json" },
  },
  detections: {
    list: { method: "GET", path: "/v1/detections", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/detections/{id}", answers: "json" },
  },
  grants: {
    list: { method: "GET", path: "/v1/grants", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/grants/{id}", answers: "json" },
    revoke: { method: "POST", path: "/v1/grants/{id}/revoke", sends: "json", answers: "json" },
    token: { method: "POST", path: "/v1/grants/token", sends: "json", answers: "json" },
    extend: { method: "POST", path: "/v1/grants/{id}/extend", sends: "json", answers: "json", keyed: true },
  },
  health: {
    live: { method: "GET", path: "/healthz", answers: "json", open: true },
    ready: { method: "GET", path: "/readyz", answers: "json", open: true, also: [503] },
  },
  keys: {
    list: { method: "GET", path: "/v1/keys", answers: "json" },
    rotate: { method: "POST", path: "/v1/keys/rotate", sends: "json", answers: "json", keyed: true },
  },
  metrics: {
    read: { method: "GET", path: "/metrics", answers: "text" },
  },
  passkeys: {
    list: { method: "GET", path: "/v1/passkeys", answers: "json" },
    add: { method: "POST", path: "/v1/passkeys", sends: "json", answers: "json" },
    challenge: { method: "POST", path: "/v1/passkeys/challenges", sends: "json", answers: "json" },
    remove: { method: "POST", path: "/v1/passkeys/{id}/remove", sends: "json", answers: "json" },
    reset: { method: "POST", path: "/v1/passkeys/reset", sends: "json", answers: "json" },
  },
  policy: {
    get: { method: "GET", path: "/v1/policy", answers: "json" },
    put: { method: "PUT", path: "/v1/policy", sends: "json", answers: "json" },
    schema: { method: "GET", path: "/v1/policy/schema", answers: "json" },
    check: { method: "POST", path: "/v1/policy/check", sends: "json", answers: "json" },
    versions: { method: "GET", path: "/v1/policy/versions", query: true, answers: "pages" },
    version: { method: "GET", path: "/v1/policy/versions/{n}", answers: "json" },
    activate: { method: "POST", path: "/v1/policy/versions/{n}/activate", answers: "json" },
  },
  remediationRules: {
    get: { method: "GET", path: "/v1/remediation-rules", answers: "json" },
    put: { method: "PUT", path: "/v1/remediation-rules", sends: "json", answers: "json" },
    replay: { method: "POST", path: "/v1/remediation-rules/replay", sends: "json", answers: "json" },
  },
  remediations: {
    list: { method: "GET", path: "/v1/remediations", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/remediations/{id}", answers: "json" },
    undo: { method: "POST", path: "/v1/remediations/{id}/undo", sends: "json", answers: "json" },
    confirm: { method: "POST", path: "/v1/remediations/{id}/confirm", sends: "json", answers: "json" },
  },
  revocations: {
    create: { method: "POST", path: "/v1/revocations", sends: "json", query: true, answers: "json", keyed: true },
    list: { method: "GET", path: "/v1/revocations", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/revocations/{id}", answers: "json" },
    lift: { method: "DELETE", path: "/v1/revocations/{id}", query: true, answers: "json" },
    confirm: { method: "POST", path: "/v1/revocations/{id}/confirm", sends: "json", answers: "json" },
    import: { method: "POST", path: "/v1/revocations/import", sends: "lines", query: true, answers: "json" },
    export: { method: "GET", path: "/v1/revocations/export", answers: "lines" },
    propagation: { method: "GET", path: "/v1/revocations/propagation", answers: "json" },
  },
  sessions: {
    list: { method: "GET", path: "/v1/sessions", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/sessions/{id}", answers: "json" },
    revoke: { method: "POST", path: "/v1/sessions/{id}/revoke", sends: "json", answers: "json" },
  },
  signals: {
    list: { method: "GET", path: "/v1/signals/events", query: true, answers: "pages" },
  },
  traffic: {
    read: { method: "GET", path: "/v1/traffic", query: true, answers: "json" },
  },
  webhookEndpoints: {
    create: { method: "POST", path: "/v1/webhook-endpoints", sends: "json", answers: "json", keyed: true },
    list: { method: "GET", path: "/v1/webhook-endpoints", query: true, answers: "pages" },
    get: { method: "GET", path: "/v1/webhook-endpoints/{id}", answers: "json" },
    update: { method: "PATCH", path: "/v1/webhook-endpoints/{id}", sends: "json", answers: "json" },
    delete: { method: "DELETE", path: "/v1/webhook-endpoints/{id}", answers: "json" },
    rotateSecret: { method: "POST", path: "/v1/webhook-endpoints/{id}/rotate-secret", answers: "json" },
    deliveries: { method: "GET", path: "/v1/webhook-endpoints/{id}/deliveries", query: true, answers: "pages" },
    test: { method: "POST", path: "/v1/webhook-endpoints/{id}/test", answers: "json" },
    redeliver: { method: "POST", path: "/v1/webhook-endpoints/{id}/redeliver", sends: "json", query: true, answers: "json" },
  },
} as const satisfies OperationTable;
