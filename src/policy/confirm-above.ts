/** What holds where the policy says nothing. */
export const DEFAULT_CONFIRM_ABOVE = 1_000;

/** How many live tokens one person may cut with one revocation. */
export function confirmAbove({ revocations }: { revocations?: { confirm_above: number } }): number {
  return revocations?.confirm_above ?? DEFAULT_CONFIRM_ABOVE;
}
