import type { Clock } from "../platform/clock.ts";
import { ATTEMPT_TIMEOUT_MS, type AttemptOutcome, outcomeOf } from "./delivery.ts";

export type Posted = {
  url: string;
  /** Beside those that every post has. */
  headers: Record<string, string>;
  body: string;
  /** Whether a 2xx with this body is a success. Absent: it is, and the body is not read. */
  accepts?: (body: string) => boolean;
};

/** As much of an answer's body as is looked at. */
const MAX_ANSWER_BYTES = 16 * 1024;

/** Posts one message, once. Never rejects: whatever happens is an outcome. */
export async function sendOnce(
  message: Posted,
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
        ...message.headers,
      },
      body: message.body,
      redirect: "manual",
      signal,
    });
    const { accepts } = message;
    if (accepts && response.ok && !accepts(await textUpTo(response, MAX_ANSWER_BYTES))) {
      return { status: response.status, error: "refused" };
    }
    // Nobody waits for it: a receiver that keeps its answer open does not hold up the outcome.
    void response.body?.cancel().catch(() => {});
    return outcomeOf(response.status, response.headers.get("retry-after"), clock());
  } catch {
    return { error: signal.aborted ? "timeout" : "connection" };
  } finally {
    clearTimeout(timer);
  }
}

/** The beginning of the body; what is beyond the limit is not waited for. */
async function textUpTo(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    bytes += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (bytes >= maxBytes) break;
  }
  return text;
}
