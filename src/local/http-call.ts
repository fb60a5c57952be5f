/** One HTTP exchange as the demo tells it. */
export type Answer = {
  status: number;
  headers: Headers;
  /** Parsed JSON; undefined where the body is not JSON. */
  body: unknown;
};

export type Call = {
  method?: string;
  token?: string;
  /** HTTP Basic (RFC 6749 §2.3.1): both parts are form-encoded first. */
  client?: { id: string; secret: string };
  json?: unknown;
  form?: Record<string, string>;
  headers?: Record<string, string>;
  timeoutMs?: number;
};

const TIMEOUT_MS = 15_000;

/** Sends one request; any status is an answer. Rejects where nobody answers within `timeoutMs`. */
export async function call(url: string, options: Call = {}): Promise<Answer> {
  const headers = new Headers(options.headers);
  if (options.token) headers.set("authorization", `Bearer ${options.token}`);
  if (options.client) headers.set("authorization", basic(options.client));
  const init: RequestInit = {
    method: options.method ?? (options.json !== undefined || options.form ? "POST" : "GET"),
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
  };
  if (options.json !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(options.json);
  } else if (options.form) {
    init.body = new URLSearchParams(options.form);
  }
  try {
    const response = await fetch(url, init);
    return answerOf(response, await response.text());
  } catch (fault) {
    const { cause = fault } = fault as Error;
    throw new Error(`${url} did not answer (${cause instanceof Error ? cause.message : cause})`);
  }
}

function answerOf(response: Response, text: string): Answer {
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

/** The named member of a JSON object, as text; undefined where it is not there or not a string. */
export function textOf(body: unknown, ...path: string[]): string | undefined {
  const value = memberOf(body, ...path);
  return typeof value === "string" ? value : undefined;
}

export function memberOf(body: unknown, ...path: string[]): unknown {
  let value = body;
  for (const name of path) {
    if (value === null || typeof value !== "object") return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** What a refusal says for itself: RFC 9457 `detail`, or RFC 6749 `error_description`. */
export function complaint(answer: Answer): string {
  const detail = textOf(answer.body, "detail") ?? textOf(answer.body, "error_description");
  return detail === undefined ? `status ${answer.status}` : `status ${answer.status}: ${detail}`;
}

function basic({ id, secret }: { id: string; secret: string }): string {
  const encoded = [id, secret].map((part) => new URLSearchParams([["", part]]).toString().slice(1));
  return `Basic ${Buffer.from(encoded.join(":")).toString("base64")}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
