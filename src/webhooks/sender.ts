import type { Clock } from "../platform/clock.ts";
import { ATTEMPT_TIMEOUT_MS, type AttemptOutcome, outcomeOf } from "./delivery.ts";
import type { SignatureHeaders } from "./signature.ts";

/** Posts one signed message, once. Never rejects: whatever happens is an outcome. The answer's body is not read. */
export async function sendOnce(
  message: { url: string; signature: SignatureHeaders; body: string },
  clock: Clock,
  timeoutMs: number = ATTEMPT_TIMEOUT_MS,
): Promise<AttemptOutcome> {
  const controller = new AbortController();
  const { signal } = controller;
  // Not AbortSignal.timeout: its timer would keep the object in memory for long after the answer.
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    const response = await fetch(message.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "Portcullis-Webhooks/1",
        ...message.signature,
      },
      body: message.body,
      redirect: "manual",
      signal,
    });
    // Nobody waits for it: a receiver that keeps its answer open does not hold up the outcome.
    void response.body?.cancel().catch(() => {});
    return outcomeOf(response.status, response.headers.get("retry-after"), clock());
  } catch {
    return { error: signal.aborted ? "timeout" : "connection" };
  } finally {
    clearTimeout(timer);
  }
}
