import type { PolicyDocument } from "./document.ts";
import type { RemediationRule } from "./remediation-schema.ts";

const EVERY: Pick<RemediationRule, "cooldown_seconds" | "max_cut" | "max_per_hour" | "shadow"> = {
  cooldown_seconds: 300,
  max_cut: 100,
  max_per_hour: 100,
  shadow: false,
};

/**
 * What holds where the policy has no section `remediation`. Gentle: what is refused already is only counted, a
 * cut is the narrowest that ends the harm, what may be a person on a journey is tried in the shadow first, and an
 * address, behind which others may be, is blocked only where it does not stop.
 */
export const DEFAULT_REMEDIATION_RULES: readonly RemediationRule[] = [
  {
    ...EVERY,
    id: "tampered-tokens",
    when: ["token_tampered", "unknown_key_storm"],
    actions: [{ kind: "notify" }],
  },
  {
    ...EVERY,
    id: "tampered-tokens-without-end",
    when: ["token_tampered", "unknown_key_storm"],
    threshold: { count: 3, window_seconds: 3_600 },
    actions: [{ kind: "block_address", seconds: 300 }, { kind: "notify" }],
  },
  {
    ...EVERY,
    id: "expired-token-in-use",
    when: "token_used_after_expiry",
    actions: [{ kind: "count" }],
  },
  {
    ...EVERY,
    id: "revoked-token-in-use",
    when: "token_used_after_revocation",
    actions: [{ kind: "revoke", target: "session" }, { kind: "notify" }],
  },
  {
    ...EVERY,
    id: "overused-token",
    when: "token_overused",
    actions: [{ kind: "revoke", target: "narrowest" }, { kind: "notify" }],
  },
  {
    ...EVERY,
    id: "shared-token",
    when: ["token_many_addresses", "token_many_countries", "token_many_networks", "impossible_travel"],
    actions: [{ kind: "step_up", target: "narrowest", new_sign_in: true }, { kind: "notify" }],
    shadow: true,
  },
  {
    ...EVERY,
    id: "reused-refresh-token",
    when: "refresh_token_reused",
    actions: [{ kind: "notify" }],
  },
  {
    ...EVERY,
    id: "compromised-key",
    when: "key_compromised",
    actions: [{ kind: "revoke", target: "key" }, { kind: "notify" }],
    max_cut: 1_000_000_000,
  },
  {
    ...EVERY,
    id: "missed-rotation",
    when: "key_rotation_overdue",
    actions: [{ kind: "rotate_key" }, { kind: "notify" }],
    cooldown_seconds: 3_600,
  },
  {
    ...EVERY,
    id: "for-the-record",
    when: ["scope_probing", "webhook_endpoint_dead", "break_glass_used"],
    actions: [{ kind: "count" }],
  },
];

/** The rules in force. */
export function remediationRules(document: PolicyDocument): readonly RemediationRule[] {
  return document.remediation?.rules ?? DEFAULT_REMEDIATION_RULES;
}
