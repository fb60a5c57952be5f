import type { Receipt } from "../revocation/receipt.ts";

/** How old an edge's knowledge may be when it accepts, by tier, in milliseconds. */
export type Bounds = { boundedMs: number; eventualMs: number };

/**
 * The bounds that a receipt states. An edge that has not yet learned of a new policy still works under the
 * one before: the wider bounds of a replaced policy hold until the last such edge has refreshed.
 */
export type BoundsState = { current: Bounds; previous?: Bounds; previousUntilMs?: number };

const DEFAULT_BOUNDS: Bounds = { boundedMs: 2_000, eventualMs: 60_000 };

export const INITIAL_BOUNDS: BoundsState = { current: DEFAULT_BOUNDS };

export function boundsAt(state: BoundsState, nowMs: number): Bounds {
  if (!state.previous || nowMs >= (state.previousUntilMs ?? 0)) return state.current;
  return widest(state.current, state.previous);
}

export function replaceBounds(state: BoundsState, next: Bounds, nowMs: number): BoundsState {
  const previous = boundsAt(state, nowMs);
  return {
    current: next,
    previous,
    previousUntilMs: nowMs + Math.max(previous.boundedMs, previous.eventualMs),
  };
}

export function receiptFor(id: string, seq: number, acceptedAtMs: number, bounds: Bounds): Receipt {
  return {
    id,
    seq,
    accepted_at: acceptedAtMs / 1000,
    effective_by: {
      strict: acceptedAtMs / 1000,
      bounded: (acceptedAtMs + bounds.boundedMs) / 1000,
      eventual: (acceptedAtMs + bounds.eventualMs) / 1000,
    },
  };
}

function widest(a: Bounds, b: Bounds): Bounds {
  return { boundedMs: Math.max(a.boundedMs, b.boundedMs), eventualMs: Math.max(a.eventualMs, b.eventualMs) };
}
