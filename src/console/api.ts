import type { RequestContext } from "../platform/http.ts";
import { readProblem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** The control plane, in this very isolate. */
export type ControlPlane = {
  issuer: string;
  control(request: Request, context: RequestContext): Response | Promise<Response>;
};

/** Whose calls they are. */
export type Caller = {
  accessToken: string;
  /** Another token of the same session, where this one is refused before its time. */
  renewed(refused: string): Promise<Result<{ access_token: string }>>;
};

/** The token was refused, and nothing was done: its key was replaced, or it was revoked by itself. */
const REFUSED_TOKEN = /\berror="invalid_token"/;

type Query = Record<string, string | number | undefined>;
type RawInit = { headers?: Record<string, string>; body?: string };

/** The HTTP contract as the visitor may use it: every page and every form goes through it, and nothing else. */
export class Api {
  readonly #deps: ControlPlane;
  readonly #caller: Caller;
  readonly #context: RequestContext;

  #renewing: Promise<string | undefined> | undefined;

  constructor(deps: ControlPlane, caller: Caller, context: RequestContext) {
    this.#deps = deps;
    this.#caller = caller;
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

  /** `revision`: only where nobody has changed it since that one was read. */
  patch<T>(path: string, body: object, revision?: string): Promise<Result<T>> {
    const headers = revision === undefined ? {} : { "if-match": `"${revision}"` };
    return this.#send<T>("PATCH", path, body, headers);
  }

  delete<T>(path: string, query: Query = {}): Promise<Result<T>> {
    return this.#send<T>("DELETE", withQuery(path, query));
  }

  /** The answer itself, for what is not JSON or has headers that count. */
  async raw(method: string, path: string, init: RawInit = {}): Promise<Response> {
    const call = (accessToken: string) => {
      const headers = { ...init.headers, authorization: `Bearer ${accessToken}` };
      const request = new Request(`${this.#deps.issuer}${path}`, { ...init, method, headers });
      return this.#deps.control(request, this.#context);
    };
    const { accessToken, renewed } = this.#caller;
    const answer = await call(accessToken);
    if (!REFUSED_TOKEN.test(answer.headers.get("www-authenticate") ?? "")) return answer;
    // Once for all calls of the page.
    this.#renewing ??= renewed(accessToken).then((got) => (got.ok ? got.value.access_token : undefined));
    const another = await this.#renewing;
    return another === undefined ? answer : call(another);
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
