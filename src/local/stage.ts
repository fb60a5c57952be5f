import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Call, call, complaint } from "./http-call.ts";
import type { Narrator } from "./narrator.ts";
import type { Receiver } from "./receiver.ts";
import type { RunningRecord } from "./running.ts";
import type { ClientCredentials } from "./set-up.ts";

const POLL_INTERVAL_MS = 20;

/** What the story is played on. */
export type Stage = {
  running: RunningRecord;
  client: ClientCredentials;
  receiver: Receiver;
  tell: Narrator;
  signal: AbortSignal;
};

/** A step that did not go as told. */
export class StoryFault extends Error {
  readonly expected: string;
  readonly came: string;

  constructor(expected: string, came: string) {
    super(`expected ${expected}, but ${came} came`);
    this.expected = expected;
    this.came = came;
  }
}

/** Throws `StoryFault` unless it holds. */
export function check(holds: boolean, expected: string, came: string): asserts holds {
  if (!holds) throw new StoryFault(expected, came);
}

export type Told = Call & {
  /** Whose request it is, as told. */
  as?: string;
  /** The status that the story promises. */
  status: number;
  /** What is printed after the request line instead of the whole body. */
  showSent?: unknown;
  /** What is printed of the answer; absent: only its status. */
  showGot?: (answer: Answer) => unknown;
};

/** Sends one request to the gate, tells it and its answer, and checks the status. */
export async function exchange(stage: Stage, method: string, path: string, told: Told): Promise<Answer> {
  const { as, status, showSent, showGot, ...options } = told;
  stage.signal.throwIfAborted();
  stage.tell.sent(`${method} ${path}${as ? ` (${as})` : ""}`, showSent ?? options.json);
  const answer = await call(`${stage.running.issuer}${path}`, { ...options, method });
  stage.tell.got(answer.status, answer.status === status ? showGot?.(answer) : undefined);
  check(answer.status === status, `status ${status}`, complaint(answer));
  return answer;
}

/** The status of every ask, one each 20 ms, until it is 401 or the time is up. */
export async function untilRefused(
  stage: Stage,
  path: string,
  token: string,
  withinMs: number,
): Promise<{ lastAcceptedSentMs: number; refusedMs: number; answer: Answer }> {
  const url = `${stage.running.issuer}${path}`;
  let lastAcceptedSentMs = 0;
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    stage.signal.throwIfAborted();
    const sentMs = Date.now();
    const answer = await call(url, { token });
    if (answer.status === 401) return { lastAcceptedSentMs, refusedMs: Date.now(), answer };
    check(answer.status === 200, "status 200 or 401", complaint(answer));
    lastAcceptedSentMs = sentMs;
    await sleep(Math.max(0, sentMs + POLL_INTERVAL_MS - Date.now()));
  }
  throw new StoryFault("a refusal", `status 200 for ${withinMs} ms`);
}
