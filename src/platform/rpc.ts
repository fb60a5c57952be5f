import { problem } from "../protocol/problem.ts";
import { err, type Result } from "../protocol/result.ts";
import { type Cause, currentCause } from "./cause.ts";
import { faultText, type Logger } from "./log.ts";

/** The methods of another object as a room sees them. Every one is idempotent by id, so a retry is safe. */
// biome-ignore lint/suspicious/noExplicitAny: a port's own type gives the arguments
export type Port = Record<string, (...args: any[]) => Promise<Result<any>>>;

/** The part of a Durable Object namespace that is used: a name gives a stub. */
export type Namespace = { getByName(name: string): unknown };

export type RpcOptions = { timeoutMs?: number; attempts?: number; log?: Logger };

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_ATTEMPTS = 3;

/** What every object of ours has beside its own methods. */
type Stub = Record<string, (...args: unknown[]) => Promise<Result<unknown>>> & {
  callCausedBy(cause: Cause, method: string, args: unknown[]): Promise<Result<unknown>>;
};

/**
 * The one place where stubs are made. The object learns who caused the call. A call takes a fresh stub for each attempt (a stub that threw is
 * broken), retries what the platform marks `retryable`, never what it marks `overloaded`, and answers
 * everything unexpected as the problem `unavailable`: callers see a `Result`, never an exception.
 */
export function objectPort<P extends Port>(namespace: Namespace, name: string, options: RpcOptions = {}): P {
  return new Proxy({} as P, {
    get: (_target, method) =>
      // A port may be returned from an async function: it must not look like a promise.
      method === "then"
        ? undefined
        : (...args: unknown[]) => callWithRetry(namespace, name, String(method), args, options),
  });
}

async function callWithRetry(
  namespace: Namespace,
  name: string,
  method: string,
  args: unknown[],
  options: RpcOptions,
): Promise<Result<unknown>> {
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    try {
      const stub = namespace.getByName(name) as Stub;
      const cause = currentCause();
      const call = cause ? stub.callCausedBy(cause, method, args) : stub[method]!(...args);
      return await withTimeout(call, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    } catch (fault) {
      const { retryable, overloaded } = fault as { retryable?: boolean; overloaded?: boolean };
      if (retryable && !overloaded && attempt < attempts) {
        await sleep(20 * 2 ** attempt * (0.5 + Math.random()));
        continue;
      }
      options.log?.("error", "rpc.failed", { method, attempt, fault: faultText(fault) });
      return err(
        problem(
          "unavailable",
          `The object that answers "${method}" could not be reached. Try again shortly.`,
        ),
      );
    }
  }
}

export async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
