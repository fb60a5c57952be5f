import { request } from "node:http";
import type { Person } from "../../src/local/people.ts";

const MAX_HOPS = 12;

/** A page as the browser got it, after every redirect. */
export type Page = { url: URL; status: number; headers: Headers; text: string; hops: URL[] };

type Answer = Pick<Page, "status" | "headers" | "text">;
type Visit = { method?: string; form?: Record<string, string>; headers?: Record<string, string> };

/**
 * As much of a browser as signing in needs: a cookie jar for each host that keeps what a browser would, redirects that
 * are followed, the headers of a navigation. What a page of the demo provider asks is answered on the way.
 */
export class Browser {
  /** By host and port, as `__Host-` cookies are. */
  readonly jars = new Map<string, Map<string, string>>();
  readonly #person: Person;

  constructor(person: Person) {
    this.#person = person;
  }

  cookie(url: string, name: string): string | undefined {
    return this.jars.get(new URL(url).host)?.get(name);
  }

  setCookie(url: string, name: string, value: string): void {
    this.#jar(new URL(url)).set(name, value);
  }

  /** Everything that the browser would send to a host. */
  cookies(url: string): string {
    return Array.from(this.#jar(new URL(url)), ([name, value]) => `${name}=${value}`).join("; ");
  }

  /** Opens a page; signs in at the provider where it is asked to. */
  async open(address: string, visit: Visit = {}): Promise<Page> {
    let next: { url: URL; visit: Visit } = { url: new URL(address), visit };
    const hops: URL[] = [];
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      const answer = await this.step(next.url.href, next.visit);
      hops.push(next.url);
      const location = answer.headers.get("location");
      if (location !== null) next = { url: new URL(location, next.url), visit: {} };
      else if (next.url.pathname.startsWith("/interaction/") && next.visit.method !== "POST") {
        next = { url: next.url, visit: { method: "POST", form: { person: this.#person } } };
      } else return { url: next.url, ...answer, hops };
    }
    throw new Error(`more than ${MAX_HOPS} redirects: ${hops.map(({ pathname }) => pathname).join(" ")}`);
  }

  /** One navigation, without following where it leads. */
  async step(address: string, { method = "GET", form, headers = {} }: Visit = {}): Promise<Answer> {
    const body = form && new URLSearchParams(form).toString();
    const sent = {
      accept: "text/html",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
      ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
      ...headers,
    };
    return this.#send(address, method, sent, body);
  }

  /** A script of a page of the same origin. */
  script(address: string, { method = "GET", headers = {} }: Omit<Visit, "form"> = {}): Promise<Answer> {
    const { origin } = new URL(address);
    const sent = { "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", origin, ...headers };
    return this.#send(address, method, sent);
  }

  async #send(
    address: string,
    method: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Answer> {
    const answer = await send(address, method, { cookie: this.cookies(address), ...headers }, body);
    this.#keep(new URL(address), answer);
    return answer;
  }

  #jar({ host }: URL): Map<string, string> {
    const known = this.jars.get(host) ?? new Map<string, string>();
    this.jars.set(host, known);
    return known;
  }

  #keep(url: URL, answer: Answer): void {
    const jar = this.#jar(url);
    for (const line of answer.headers.getSetCookie()) {
      const [pair = "", ...attributes] = line.split("; ");
      const at = pair.indexOf("=");
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      // What a browser holds a cookie with this prefix to, else it drops it.
      const sound = ["Path=/", "Secure"].every((each) => attributes.includes(each));
      if (name.startsWith("__Host-") && (!sound || /domain/i.test(line))) continue;
      if (value === "" || attributes.includes("Max-Age=0")) jar.delete(name);
      else jar.set(name, value);
    }
  }
}

/** Sends exactly these headers: `fetch` has its own mind about those that only browsers send. */
export function send(
  address: string,
  method: string,
  headers: Record<string, string>,
  body = "",
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const length = method === "GET" ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const present = Object.entries(headers).filter(([, value]) => value !== "");
  const sending = request(
    address,
    { method, headers: { ...Object.fromEntries(present), ...length } },
    (answer) => {
      const got = new Headers();
      for (const [name, value] of Object.entries(answer.headersDistinct)) {
        for (const each of value ?? []) got.append(name, each);
      }
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode!, headers: got, text }));
      answer.on("error", reject);
    },
  );
  sending.on("error", reject).end(body);
  return promise;
}
