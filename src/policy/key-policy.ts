import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";

const DAY_SECONDS = 86_400;

/** How our own signing keys live, as the policy says it. */
export type KeyPolicy = {
  algorithm: SigningAlgorithm;
  rotation_seconds: number;
  publish_ahead_seconds: number;
  overdue_grace_seconds: number;
};

/** What holds where the policy says nothing. */
export const DEFAULT_KEY_POLICY: KeyPolicy = {
  algorithm: "ES256",
  rotation_seconds: 30 * DAY_SECONDS,
  publish_ahead_seconds: DAY_SECONDS,
  overdue_grace_seconds: 7 * DAY_SECONDS,
};

export function keyPolicy({ keys }: { keys?: KeyPolicy }): KeyPolicy {
  return keys ?? DEFAULT_KEY_POLICY;
}
