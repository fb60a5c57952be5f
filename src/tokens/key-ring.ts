import type { KeyPurpose } from "../protocol/jwk.ts";

/**
 * `next` is published and does not sign yet; `current` signs; `previous` verifies until the last token that it
 * signed is over; nothing that a `retired` or `compromised` key signed is accepted.
 */
export type KeyState = "next" | "current" | "previous" | "retired" | "compromised";

/** What became of one signing key. All moments are epoch seconds. */
export type RingKey = {
  kid: string;
  purpose: KeyPurpose;
  createdAt: number;
  /** When every edge could know it, and the JWK set shows it. */
  publishedAt?: number;
  signsFrom?: number;
  signsUntil?: number;
  /** The end of the longest token that it has signed. */
  lastTokenEndsAt?: number;
  retiredAt?: number;
  compromisedAt?: number;
  /** Signs as soon as it was published long enough, whatever the age of the current one. */
  expedited?: boolean;
};

/** The policy's periods, and since when they are known here. */
export type Periods = {
  rotationSeconds: number;
  publishAheadSeconds: number;
  graceSeconds: number;
  adoptedAt: number;
};

export type Step =
  | { kind: "make"; purpose: KeyPurpose }
  | { kind: "promote"; kid: string }
  | { kind: "retire"; kid: string };

export type PlannedStep = { at: number; step: Step };

export const PURPOSES: readonly KeyPurpose[] = ["access_token", "assertion"];
/** An isolate signs assertions with a key for at most this long after it was given it. */
export const ASSERTION_KEY_HELD_SECONDS = 600;
export const ASSERTION_TTL_SECONDS = 120;
/** A token that was being signed when its key was replaced is recorded well within this time. */
const SETTLE_SECONDS = 60;
/** A step that is this late was missed. */
const OVERDUE_AFTER_SECONDS = 60;

export function keyState(key: RingKey): KeyState {
  if (key.compromisedAt !== undefined) return "compromised";
  if (key.retiredAt !== undefined) return "retired";
  if (key.signsUntil !== undefined) return "previous";
  return key.signsFrom === undefined ? "next" : "current";
}

export function inState<K extends RingKey>(
  ring: readonly K[],
  purpose: KeyPurpose,
  state: KeyState,
): K | undefined {
  return ring.find((key) => key.purpose === purpose && keyState(key) === state);
}

/** Whether the key verifies, so that every edge and the JWK set must have it. */
export function verifies(key: RingKey): boolean {
  const state = keyState(key);
  return state === "next" || state === "current" || state === "previous";
}

/** The earliest step that time demands; undefined before the first key is made. Only a promotion waits for publication. */
export function earliestStep(ring: readonly RingKey[], periods: Periods): PlannedStep | undefined {
  const planned = [
    ...PURPOSES.flatMap((purpose) => renewal(ring, purpose, periods) ?? []),
    ...ring.flatMap((key) => {
      const at = retiresAt(key);
      return at === undefined ? [] : { at, step: { kind: "retire", kid: key.kid } as const };
    }),
  ];
  return planned.sort((a, b) => a.at - b.at)[0];
}

function renewal(ring: readonly RingKey[], purpose: KeyPurpose, periods: Periods): PlannedStep | undefined {
  const current = inState(ring, purpose, "current");
  if (!current) return undefined;
  const next = inState(ring, purpose, "next");
  if (!next) {
    const at = rotatesAt(current, periods) - periods.publishAheadSeconds - leadSeconds(periods);
    return { at, step: { kind: "make", purpose } };
  }
  const at = signsFrom(next, current, periods);
  return at === undefined ? undefined : { at, step: { kind: "promote", kid: next.kid } };
}

/** When a next key takes over; undefined until it is published. */
export function signsFrom(next: RingKey, current: RingKey, periods: Periods): number | undefined {
  if (next.publishedAt === undefined) return undefined;
  // The second in which it was published does not count: it was not there for all of it.
  const earliest = next.publishedAt + 1 + periods.publishAheadSeconds;
  const planned = next.expedited ? earliest : Math.max(earliest, rotatesAt(current, periods));
  // Where nothing is issued any more, a key that some verifiers do not know yet is better than none.
  const stopped = issuingStopsAt(dueAt(current, periods), periods);
  return Math.min(planned, Math.max(next.publishedAt, stopped));
}

/** When a previous key has nothing left to verify. */
export function retiresAt(key: RingKey): number | undefined {
  if (keyState(key) !== "previous") return undefined;
  const replacedAt = key.signsUntil as number;
  const settledAt = replacedAt + SETTLE_SECONDS;
  if (key.purpose === "access_token") return Math.max(settledAt, key.lastTokenEndsAt ?? 0);
  return settledAt + ASSERTION_KEY_HELD_SECONDS + ASSERTION_TTL_SECONDS;
}

/** What a step changes: the changed keys. To make a key is not among it. */
export function afterStep<K extends RingKey>(ring: readonly K[], step: Step, now: number): K[] {
  if (step.kind === "make") return [];
  const key = ring.find(({ kid }) => kid === step.kid);
  if (!key) return [];
  if (step.kind === "retire") return [{ ...key, retiredAt: now }];
  const current = inState(ring, key.purpose, "current");
  return [{ ...key, signsFrom: now }, ...(current ? [{ ...current, signsUntil: now }] : [])];
}

/**
 * What it changes that a key is compromised: the keys to keep, and those to forget. One that signs is replaced
 * by the one just made, and the next one goes with it: whoever could read the one could read the other.
 */
export function afterCompromise<K extends RingKey>(
  ring: readonly K[],
  kid: string,
  made: K,
  now: number,
): { save: K[]; forget: string[] } {
  const key = ring.find((each) => each.kid === kid && verifies(each));
  if (!key) return { save: [], forget: [] };
  const compromised = { ...key, compromisedAt: now };
  if (keyState(key) !== "current") return { save: [compromised], forget: [] };
  const next = inState(ring, key.purpose, "next");
  return { save: [compromised, { ...made, signsFrom: now }], forget: next ? [next.kid] : [] };
}

/** Since when the key of a purpose should have been replaced and was not; undefined while it is in time. */
export function overdueSince(
  ring: readonly RingKey[],
  purpose: KeyPurpose,
  periods: Periods,
  now: number,
): number | undefined {
  const current = inState(ring, purpose, "current");
  if (!current) return undefined;
  const due = dueAt(current, periods);
  return now >= due + OVERDUE_AFTER_SECONDS ? due : undefined;
}

/** From when on nothing is issued, where a rotation is overdue since a moment. */
export function issuingStopsAt(overdue: number, periods: Periods): number {
  return overdue + OVERDUE_AFTER_SECONDS + periods.graceSeconds;
}

/** When a current key must have been replaced: periods that were shortened leave time to publish the next one. */
function dueAt(current: RingKey, periods: Periods): number {
  const adopted = periods.adoptedAt + periods.publishAheadSeconds + leadSeconds(periods);
  return Math.max(rotatesAt(current, periods), adopted);
}

function rotatesAt(current: RingKey, periods: Periods): number {
  return (current.signsFrom as number) + periods.rotationSeconds;
}

/** The next key is made a little sooner than it must be published: an hour for a day. */
function leadSeconds({ publishAheadSeconds }: Periods): number {
  return Math.ceil(publishAheadSeconds / 24);
}
