/** Every scope of the control plane. Whatever else a scope is called, it is an origin's. */
export const CONTROL_SCOPES: readonly string[] = [
  ...[
    "requests:create",
    "requests:read",
    "requests:read_all",
    "requests:review",
    "links:create",
    "grants:read",
    "grants:revoke",
  ],
  ...["revocations:read", "revocations:write", "keys:rotate", "policy:read", "policy:write", "clients:write"],
  "decisions:evaluate",
  "passkeys:reset",
  "decisions:read",
  ...["webhooks:read", "webhooks:write", "audit:read", "metrics:read", "sessions:read", "sessions:revoke"],
  "audit:erase",
  "backup:read",
  ...["remediation:read", "remediation:write"],
  ...["signals:read", "signals:revoke", "ssf:manage"],
];
