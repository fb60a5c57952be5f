/** What is kept of decisions, as the policy says it. */
export type DecisionLogPolicy = { sample_accepted: number; retention_hours: number; addresses: boolean };

/** What holds where the policy says nothing. */
export const DEFAULT_DECISION_LOG: DecisionLogPolicy = {
  sample_accepted: 0,
  retention_hours: 24,
  addresses: false,
};

export function decisionLog({ decision_log }: { decision_log?: DecisionLogPolicy }): DecisionLogPolicy {
  return decision_log ?? DEFAULT_DECISION_LOG;
}
