/** How the audit log is kept, as the policy says it. */
export type AuditPolicy = {
  retain_days?: number;
  record_addresses: boolean;
  checkpoint_seconds: number;
};

/** What holds where the policy says nothing. */
export const DEFAULT_AUDIT_POLICY: AuditPolicy = { record_addresses: false, checkpoint_seconds: 60 };

export function auditPolicy({ audit }: { audit?: AuditPolicy }): AuditPolicy {
  return audit ?? DEFAULT_AUDIT_POLICY;
}
