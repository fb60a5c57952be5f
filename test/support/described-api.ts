import * as z from "zod";
import type { DescribedOperation, OpenApiDocument } from "../../src/control/openapi-document.ts";

/** One operation of the document, by what its id is. */
export type Described = { id: string; method: string; path: string; operation: DescribedOperation };

/** The API as a deployment describes it, to hold its answers against. */
export class DescribedApi {
  readonly operations: Described[];
  /** The ids of those that were answered with a success. */
  readonly succeeded = new Set<string>();
  readonly faults: string[] = [];
  readonly #document: OpenApiDocument;
  readonly #issuer: string;

  private constructor(issuer: string, document: OpenApiDocument) {
    this.#issuer = issuer;
    this.#document = document;
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        ...{ id: operation.operationId, method: method.toUpperCase(), path, operation },
      })),
    );
  }

  static async of(issuer: string): Promise<DescribedApi> {
    const answer = await fetch(`${issuer}/openapi.json`);
    return new DescribedApi(issuer, (await answer.json()) as OpenApiDocument);
  }

  /** `fetch` that holds each answer against the document; what does not fit is in `faults`. */
  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const response = await globalThis.fetch(url, { redirect: "manual", ...init });
    const { method = "GET" } = init;
    const found = this.#find(method, new URL(url).pathname);
    if (!found) {
      this.faults.push(`${method} ${url} is not described`);
      return response;
    }
    const text = response.body === null ? "" : await response.text();
    this.faults.push(
      ...this.#faultsOf(found, response, text).map((fault) => `${found.id} (${response.status}): ${fault}`),
    );
    if (response.status < 300) this.succeeded.add(found.id);
    const empty = [204, 304].includes(response.status);
    return new Response(empty ? null : text, { status: response.status, headers: response.headers });
  };

  get issuer(): string {
    return this.#issuer;
  }

  #find(method: string, pathname: string): Described | undefined {
    const candidates = this.operations.filter((each) => {
      const pattern = each.path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+");
      return each.method === method && new RegExp(`^${pattern}$`).test(pathname);
    });
    // `/v1/grants/token` is itself before it is a grant's id.
    return candidates.find(({ path }) => path === pathname) ?? candidates[0];
  }

  #faultsOf({ operation }: Described, response: Response, text: string): string[] {
    const described = operation.responses[response.status];
    if (!described) return ["the status is not described"];
    if (!response.headers.has("x-request-id")) return ["has no X-Request-Id"];
    const { content } = described;
    if (!content) return text === "" ? [] : ["has a body that is not described"];
    const media = (response.headers.get("content-type") ?? "").split(";")[0]!;
    const { schema } = content[media] ?? {};
    if (!content[media]) return [`is ${media}, and not ${Object.keys(content)}`];
    if (!schema) return [];
    const values = media === "application/x-ndjson" ? text.split("\n").filter(Boolean) : [text];
    return values.flatMap((value) => this.misfits(schema, JSON.parse(value)));
  }

  /** What does not fit a schema of the document. */
  misfits(schema: object, value: unknown): string[] {
    const whole = JSON.stringify({ ...schema, $defs: this.#document.components.schemas });
    const read = JSON.parse(whole.replaceAll("#/components/schemas/", "#/$defs/"));
    const parsed = z.fromJSONSchema(read).safeParse(value);
    return parsed.success
      ? []
      : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  }
}
