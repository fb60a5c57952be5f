import type { AuditNote } from "../platform/audit-outbox.ts";
import { type AuditType, PORTCULLIS } from "../protocol/audit-record.ts";
import type { KeyPurpose } from "../protocol/jwk.ts";
import type { SigningAlgorithm } from "../protocol/signature-algorithm.ts";
import type { Receipt } from "../revocation/receipt.ts";
import {
  inState,
  issuingStopsAt,
  type KeyState,
  keyState,
  overdueSince,
  type Periods,
  PURPOSES,
  retiresAt,
  signsFrom,
} from "./key-ring.ts";
import type { SigningKeyRow } from "./keyring-store.ts";

/** A key as operators see it. Times are epoch seconds; those ahead are what is planned. */
export type KeyInfo = {
  kid: string;
  purpose: KeyPurpose;
  alg: SigningAlgorithm;
  state: KeyState;
  created_at: number;
  published_at?: number;
  signs_from?: number;
  signs_until?: number;
  /** When it leaves, or left, the JWK set. */
  retires_at?: number;
  compromised_at?: number;
};

/** What a planned rotation did, and what it leaves to time. */
export type PlannedRotation = {
  rotated: { purpose: KeyPurpose; kid: string; replaced_kid: string }[];
  /** The key signs once every verifier can know it; without `signs_from` it is not published yet. */
  scheduled: { purpose: KeyPurpose; kid: string; signs_from?: number }[];
};

/** What replaced a compromised key; `kid` is absent where the compromised one did not sign any more. */
export type KeyReplacement = { compromised_kid: string; kid?: string; receipt: Receipt };

/** A rotation that did not happen in time. Nothing is issued from `issuing_stops_at` on. */
export type OverdueRotation = { purpose: KeyPurpose; kid: string; due_at: number; issuing_stops_at: number };

export function keyInfo(key: SigningKeyRow, ring: readonly SigningKeyRow[], periods: Periods): KeyInfo {
  const current = inState(ring, key.purpose, "current");
  const starts =
    key.signsFrom ?? (current && keyState(key) === "next" ? signsFrom(key, current, periods) : undefined);
  const retires = key.retiredAt ?? retiresAt(key);
  return {
    kid: key.kid,
    purpose: key.purpose,
    alg: key.publicJwk.alg,
    state: keyState(key),
    created_at: key.createdAt,
    ...(key.publishedAt === undefined ? {} : { published_at: key.publishedAt }),
    ...(starts === undefined ? {} : { signs_from: starts }),
    ...(key.signsUntil === undefined ? {} : { signs_until: key.signsUntil }),
    ...(retires === undefined ? {} : { retires_at: retires }),
    ...(key.compromisedAt === undefined ? {} : { compromised_at: key.compromisedAt }),
  };
}

export function overdueRotations(
  ring: readonly SigningKeyRow[],
  periods: Periods,
  now: number,
): OverdueRotation[] {
  return PURPOSES.flatMap((purpose) => {
    const due = overdueSince(ring, purpose, periods, now);
    const kid = inState(ring, purpose, "current")?.kid;
    if (due === undefined || kid === undefined) return [];
    return [{ purpose, kid, due_at: due, issuing_stops_at: issuingStopsAt(due, periods) }];
  });
}

/** What a planned rotation led to, given the keys that signed before it. */
export function plannedRotation(
  ring: readonly SigningKeyRow[],
  before: ReadonlyMap<KeyPurpose, string>,
  periods: Periods,
): PlannedRotation {
  const done: PlannedRotation = { rotated: [], scheduled: [] };
  for (const [purpose, replaced] of before) {
    const current = inState(ring, purpose, "current");
    const next = inState(ring, purpose, "next");
    if (current && current.kid !== replaced) {
      done.rotated.push({ purpose, kid: current.kid, replaced_kid: replaced });
    } else if (current && next) {
      const from = signsFrom(next, current, periods);
      done.scheduled.push({ purpose, kid: next.kid, ...(from === undefined ? {} : { signs_from: from }) });
    }
  }
  return done;
}

/** What is recorded of a key's life. The deployment sees to it by itself, but for a compromise. */
export function keyNote(type: AuditType, key: SigningKeyRow, revocation?: string): AuditNote {
  const { kid, purpose, publicJwk } = key;
  return { type, by: PORTCULLIS, data: { kid, purpose, alg: publicJwk.alg, revocation } };
}

/** How long the key of each purpose has been signing, as the metric that says so. */
export function keyAges(ring: readonly SigningKeyRow[], now: number): Record<string, number> {
  return Object.fromEntries(
    PURPOSES.flatMap((purpose) => {
      const key = inState(ring, purpose, "current");
      if (!key) return [];
      const since = key.signsFrom ?? key.createdAt;
      return [[`portcullis_key_age_seconds{purpose="${purpose}"}`, Math.max(0, now - since)] as const];
    }),
  );
}
