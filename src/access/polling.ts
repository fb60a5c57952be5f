/** How a client that asked by the backchannel may poll (CIBA §7.3): stored with the request. */
export type Polling = { client_id: string; interval_ms: number; polled_at_ms?: number };

/** RFC 8628 §3.5: who does not wait, waits so much longer from then on. */
const SLOWER_BY_MS = 5_000;

/** Takes one poll; every poll counts, also one that came too early. */
export function takePoll(polling: Polling, nowMs: number): { polling: Polling; early: boolean } {
  const { interval_ms, polled_at_ms = Number.NEGATIVE_INFINITY } = polling;
  const early = nowMs < polled_at_ms + interval_ms;
  return {
    polling: { ...polling, interval_ms: interval_ms + (early ? SLOWER_BY_MS : 0), polled_at_ms: nowMs },
    early,
  };
}
