import type { TokenSource } from "./access-token.ts";
import type { CallOptions, Lines, Page, Pages } from "./calls.ts";
import { PortcullisError, refusalOf } from "./errors.ts";
import type { OperationEntry } from "./operation-table.ts";
import type { Sender, Sending } from "./sending.ts";
import type { Prover } from "./signing.ts";
import { bodyOfLines, jsonLines, serverSentEvents } from "./streams.ts";

/** Every option that some operation takes. */
type AnyOptions = CallOptions & {
  idempotencyKey?: string;
  ifMatch?: number;
  lastEventId?: string;
  waitSeconds?: number;
};

type Query = Record<string, string | number | boolean | undefined>;

/** One call, with what it was given sorted out. */
type Call = { operation: OperationEntry; path: string; body: unknown; query: Query; options: AnyOptions };

export type CallerDeps = {
  issuer: string;
  sender: Sender;
  tokens: TokenSource;
  prover: Prover | undefined;
};

const WAIT_MARGIN_MS = 10_000;
/** As long as a timer can be: an import takes as long as it takes. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** Makes an operation's request of its arguments, and its value of the answer. */
export class Caller {
  readonly #deps: CallerDeps;

  constructor(deps: CallerDeps) {
    this.#deps = deps;
  }

  /** `args`: the path's parameters, body, query and options, as far as the operation has them. */
  call(operation: OperationEntry, args: unknown[]): unknown {
    switch (operation.answers) {
      case "pages":
        return this.#pages(operation, args);
      case "lines":
        return this.#streamed(operation, args, jsonLines);
      case "events":
        return this.#streamed(operation, args, serverSentEvents);
      default:
        return this.#value(operation, args);
    }
  }

  async #value(operation: OperationEntry, args: unknown[]): Promise<unknown> {
    const response = await this.#answer(arranged(operation, args));
    const text = await response.text();
    return operation.answers === "text" || text === "" ? text || undefined : JSON.parse(text);
  }

  #pages(operation: OperationEntry, args: unknown[]): Pages<unknown> {
    const page = async (cursor?: string): Promise<Page<unknown>> => {
      const call = arranged(operation, args);
      const query = cursor === undefined ? call.query : { ...call.query, cursor };
      return (await this.#answer({ ...call, query })).json() as Promise<Page<unknown>>;
    };
    return {
      page: () => page(),
      async *[Symbol.asyncIterator]() {
        for (let cursor: string | undefined, more = true; more; ) {
          const { items, next_cursor } = await page(cursor);
          yield* items;
          cursor = next_cursor;
          more = cursor !== undefined;
        }
      },
    };
  }

  async *#streamed(
    operation: OperationEntry,
    args: unknown[],
    values: (body: ReadableStream<Uint8Array> | null) => AsyncGenerator<unknown>,
  ): AsyncGenerator<unknown> {
    const { body } = await this.#answer(arranged(operation, args));
    yield* values(body);
  }

  /** The answer where it is one; throws what refuses. */
  async #answer(call: Call): Promise<Response> {
    const { operation } = call;
    const { tokens, prover } = this.#deps;
    // All attempts are one creation to the deployment.
    const idempotencyKey = call.options.idempotencyKey ?? (operation.keyed ? crypto.randomUUID() : undefined);
    const once = operation.sends === "lines" && !isRepeatable(call.body);
    let refused: string | undefined;
    for (let renewed = 0; ; renewed++) {
      let sent: string | undefined;
      const attempt: Sending["attempt"] = async () => {
        sent = operation.open ? undefined : await tokens.token(refused);
        refused = undefined;
        return this.#request(call, sent, idempotencyKey);
      };
      const response = await this.#deps.sender.send({ attempt, ...sendingOf(call, idempotencyKey) });
      const wantsNonce = prover?.learn(response) ?? false;
      if (response.ok || operation.also?.includes(response.status)) return response;
      const again = response.status === 401 && sent !== undefined && (wantsNonce || tokens.renews);
      if (!again || once || renewed > 1) throw await refusalOf(response);
      if (!wantsNonce) refused = sent;
    }
  }

  async #request(call: Call, token: string | undefined, idempotencyKey: string | undefined) {
    const { operation, path, body, options } = call;
    const { issuer, prover } = this.#deps;
    const { method } = operation;
    const url = `${issuer}${path}${queryText(call.query)}`;
    const headers: Record<string, string> = { accept: "application/json, */*;q=0.1" };
    if (token !== undefined) headers.authorization = `${prover ? "DPoP" : "Bearer"} ${token}`;
    if (token !== undefined && prover) headers.dpop = await prover.proof(method, url, token);
    if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
    if (options.ifMatch !== undefined) headers["if-match"] = `"${options.ifMatch}"`;
    if (options.lastEventId !== undefined) headers["last-event-id"] = options.lastEventId;
    if (options.waitSeconds !== undefined) headers.prefer = `wait=${options.waitSeconds}`;
    const init: RequestInit = { method, headers };
    if (operation.sends === "lines") {
      headers["content-type"] = "application/x-ndjson";
      init.body = bodyOfLines(body as Lines<unknown>) as NonNullable<RequestInit["body"]>;
      // A stream is sent while the answer is waited for.
      if (init.body instanceof ReadableStream) Object.assign(init, { duplex: "half" });
    } else if (body !== undefined) {
      headers["content-type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    return { url, init };
  }
}

function sendingOf(
  { operation, options, body }: Call,
  idempotencyKey: string | undefined,
): Omit<Sending, "attempt"> {
  const { waitSeconds, signal } = options;
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs(operation, waitSeconds);
  return {
    repeatable: operation.method === "GET" || (idempotencyKey !== undefined && isRepeatable(body)),
    streamed: operation.answers === "lines" || operation.answers === "events",
    ...(signal ? { signal } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(operation.also ? { final: operation.also } : {}),
  };
}

function defaultTimeoutMs({ sends }: OperationEntry, waitSeconds: number | undefined): number | undefined {
  if (sends === "lines") return NO_TIMEOUT_MS;
  return waitSeconds === undefined ? undefined : waitSeconds * 1_000 + WAIT_MARGIN_MS;
}

/** Whether a body can be sent once more: what was read from a stream is gone. */
function isRepeatable(body: unknown): boolean {
  if (typeof body !== "object" || body === null || body instanceof Blob) return true;
  return !(body instanceof ReadableStream || Symbol.asyncIterator in body || Symbol.iterator in body);
}

function arranged(operation: OperationEntry, args: unknown[]): Call {
  const rest = [...args];
  const path = operation.path.replace(/\{(\w+)\}/g, (_all, name: string) => segment(name, rest.shift()));
  const body = operation.sends === undefined ? undefined : rest.shift();
  const query = operation.query ? ((rest.shift() ?? {}) as Query) : {};
  return { operation, path, body, query, options: (rest.shift() ?? {}) as AnyOptions };
}

/** A parameter as one segment of the path: an empty one, or dots, would be another address. */
function segment(name: string, value: unknown): string {
  const text = String(value ?? "");
  if (/^\.{0,2}$/.test(text)) throw new PortcullisError(`${name} is missing, or is not one.`);
  return encodeURIComponent(text);
}

function queryText(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}
