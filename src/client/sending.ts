import { type PortcullisError, PortcullisUnreachable, retryAfterSeconds } from "./errors.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** How calls are sent, and repeated. */
export type SendingOptions = {
  fetch?: Fetch;
  /** For each attempt; 30 seconds where it is absent. */
  timeoutMs?: number;
  /** How often a call that may be repeated is; 3 where it is absent. */
  retries?: number;
  /** For tests: a pause, and where in its span it lies (0 to 1). */
  sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  random?: () => number;
};

/** One attempt: made anew for each, since a proof and a token may be other ones. */
export type Attempt = () => Promise<{ url: string; init: RequestInit }>;

export type Sending = {
  attempt: Attempt;
  /** The same request again changes nothing. */
  repeatable: boolean;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** Only until the answer begins: what follows is read for as long as it comes. */
  streamed?: boolean;
  /** Statuses that are an answer and no reason to try again. */
  final?: readonly number[];
};

const TIMEOUT_MS = 30_000;
const RETRIES = 3;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
/** A deployment that asks for a longer pause gets none: the caller is told. */
const LONGEST_ASKED_MS = 30_000;
const PASSING = [408, 425, 429, 500, 502, 503, 504];

/** Sends a request until it is answered: what may be repeated is, with growing pauses and as the answer asks. */
export class Sender {
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;
  readonly #retries: number;
  readonly #sleep: NonNullable<SendingOptions["sleep"]>;
  readonly #random: () => number;

  constructor(options: SendingOptions) {
    // Some runtimes want to be called on the global object.
    this.#fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#retries = options.retries ?? RETRIES;
    this.#sleep = options.sleep ?? pause;
    this.#random = options.random ?? Math.random;
  }

  /** The answer, whatever its status; throws where nobody answers, or the caller has ended the call. */
  async send(sending: Sending): Promise<Response> {
    const { repeatable, signal, final = [] } = sending;
    for (let tried = 1; ; tried++) {
      const outcome = await this.#try(sending);
      const over = !repeatable || tried > this.#retries;
      if ("fault" in outcome) {
        if (over) throw outcome.fault;
        await this.#sleep(this.#pauseMs(tried), signal);
        continue;
      }
      const { response } = outcome;
      if (over || !PASSING.includes(response.status) || final.includes(response.status)) return response;
      const asked = (retryAfterSeconds(response) ?? 0) * 1_000;
      if (asked > LONGEST_ASKED_MS) return response;
      await response.body?.cancel();
      await this.#sleep(Math.max(asked, this.#pauseMs(tried)), signal);
    }
  }

  async #try({ attempt, signal, timeoutMs = this.#timeoutMs, streamed }: Sending) {
    signal?.throwIfAborted();
    const { url, init } = await attempt();
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), timeoutMs);
    const either = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal;
    try {
      const response = await this.#fetch(url, { ...init, redirect: "manual", signal: either });
      return { response: streamed && response.ok ? response : await whole(response) };
    } catch {
      // The fault itself may quote what was sent.
      signal?.throwIfAborted();
      const { origin } = new URL(url);
      const fault: PortcullisError = timer.signal.aborted
        ? new PortcullisUnreachable(`${origin} did not answer within ${timeoutMs} ms.`)
        : new PortcullisUnreachable(`${origin} could not be reached, or broke the answer off.`);
      return { fault };
    } finally {
      clearTimeout(timeout);
    }
  }

  /** Anywhere below twice the last one, so that callers that failed together do not come back together. */
  #pauseMs(tried: number): number {
    return this.#random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tried - 1));
  }
}

/** Read to its end, so that a body that breaks off is a failed attempt. */
async function whole(response: Response): Promise<Response> {
  const { status, headers } = response;
  const empty = status === 204 || status === 304 || status < 200;
  return new Response(empty ? null : await response.arrayBuffer(), { status, headers });
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", ended, { once: true });
    function done() {
      signal?.removeEventListener("abort", ended);
      resolve();
    }
    function ended() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
  });
}
