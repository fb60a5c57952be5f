import { Portcullis, type PortcullisOptions } from "../../src/client/portcullis.ts";

/** A request as the client sent it. */
export type Sent = { method: string; url: string; path: string; headers: Headers; body: string; at: number };

/** What becomes of one request: an answer, a fault of the network, or silence until it is given up. */
export type Fate = Response | Error | "silence" | ((sent: Sent) => Response | Promise<Response>);

export const ISSUER = "https://auth.example.com";
export const TOKEN = "eyJ-the-very-secret-token";

/** What the client meets in place of a network: each request has its fate, and every one is kept. */
export class FaultyDeployment {
  readonly sent: Sent[] = [];
  readonly pauses: number[] = [];
  readonly #fates: Fate[];
  readonly #always: Fate | undefined;

  /** The fates in their order; `always` is that of every request after them. */
  constructor(fates: Fate[], always?: Fate) {
    this.#fates = fates;
    this.#always = always;
  }

  /** A client of it, whose pauses take no time. */
  client(options: Partial<PortcullisOptions> = {}): Portcullis {
    const credential = "credentials" in options || "tokenProvider" in options ? {} : { token: TOKEN };
    return new Portcullis({
      issuer: ISSUER,
      ...credential,
      random: () => 0.5,
      sleep: async (ms) => void this.pauses.push(ms),
      fetch: (url, init) => this.#fetch(url, init),
      ...options,
    } as PortcullisOptions);
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const { pathname, search } = new URL(url);
    const headers = new Headers(init.headers as Record<string, string>);
    const body = init.body == null ? "" : await new Response(init.body as string).text();
    const sent = {
      method: init.method ?? "GET",
      url,
      path: pathname + search,
      headers,
      body,
      at: Date.now(),
    };
    this.sent.push(sent);
    const fate = this.#fates.shift() ?? this.#always;
    if (fate === undefined) throw new Error(`nothing is answered to ${sent.method} ${url}`);
    if (fate instanceof Error) throw fate;
    if (fate === "silence") return silence(init.signal as AbortSignal);
    return typeof fate === "function" ? fate(sent) : fate;
  }
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

export function refusal(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = { type: `urn:portcullis:problem:${code}`, title: "A title", status, detail: "Why.", code };
  const all = { "content-type": "application/problem+json", "x-request-id": "dec_1", ...headers };
  return new Response(JSON.stringify(body), { status, headers: all });
}
