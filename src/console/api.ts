import type { RequestContext } from "../platform/http.ts";
import { readProblem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** The control plane, in this very isolate. */
export type ControlPlane = {
  issuer: string;
  control(request: Request, context: RequestContext): Response | Promise<Response>;
};

type Query = Record<string, string | number | undefined>;

/** The HTTP contract as the visitor may use it: every page and every form goes through it, and nothing else. */
export class Api {
  readonly #deps: ControlPlane;
  readonly #accessToken: string;
  readonly #context: RequestContext;

  constructor(deps: ControlPlane, accessToken: string, context: RequestContext) {
    this.#deps = deps;
    this.#accessToken = accessToken;
    this.#context = context;
  }

  get<T>(path: string, query: Query = {}): Promise<Result<T>> {
    return this.#send<T>("GET", withQuery(path, query));
  }

  /** `key` makes a creation happen once, however often its form is sent. */
  post<T>(path: string, body?: object, { key, ...query }: Query & { key?: string } = {}): Promise<Result<T>> {
    const headers = key ? { "idempotency-key": key } : {};
    return this.#send<T>("POST", withQuery(path, query), body, headers);
  }

  put<T>(path: string, body: object, headers: Record<string, string> = {}): Promise<Result<T>> {
    return this.#send<T>("PUT", path, body, headers);
  }

  patch<T>(path: string, body: object): Promise<Result<T>> {
    return this.#send<T>("PATCH", path, body);
  }

  delete<T>(path: string, query: Query = {}): Promise<Result<T>> {
    return this.#send<T>("DELETE", withQuery(path, query));
  }

  /** The answer itself, for what is not JSON or has headers that count. */
  raw(method: string, path: string, init: RequestInit = {}): Response | Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${this.#accessToken}`);
    const request = new Request(`${this.#deps.issuer}${path}`, { ...init, method, headers });
    return this.#deps.control(request, this.#context);
  }

  async #send<T>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Result<T>> {
    const typed = body ? { ...headers, "content-type": "application/json" } : headers;
    const sent = { headers: typed, ...(body ? { body: JSON.stringify(body) } : {}) };
    const response = await this.raw(method, path, sent);
    if (response.status === 204) return ok(undefined as T);
    const answer: unknown = await response.json();
    return response.ok ? ok(answer as T) : err(readProblem(answer));
  }
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
