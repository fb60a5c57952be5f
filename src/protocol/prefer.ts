const WAIT = /^wait\s*=\s*(?:"([0-9]{1,9})"|([0-9]{1,9}))\s*(?:;.*)?$/i;

/** The seconds of `Prefer: wait=…` (RFC 7240 §4.3), undefined where none are preferred; the first one counts. */
export function preferredWaitSeconds(prefer: string | undefined): number | undefined {
  for (const preference of prefer?.split(",") ?? []) {
    const [, quoted, plain] = WAIT.exec(preference.trim()) ?? [];
    const seconds = quoted ?? plain;
    if (seconds !== undefined) return Number(seconds);
  }
  return undefined;
}
