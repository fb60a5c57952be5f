import type { Content, Operation, Operations } from "../platform/operation.ts";
import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { codesOf, oauthErrorAnswer, PROBLEM_SCHEMAS, problemAnswers } from "./described-problems.ts";
import type { DescribedRoute } from "./described-routes.ts";
import { type JsonSchema, JsonSchemas } from "./json-schemas.ts";
import type {
  DescribedContent,
  DescribedOperation,
  DescribedParameter,
  OpenApiDocument,
} from "./openapi-document.ts";

/** OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1) of the routes, each of which has an operation. */
export function openApiDocument(
  issuer: string,
  routes: readonly DescribedRoute[],
  operations: Operations,
): OpenApiDocument {
  const schemas = new JsonSchemas();
  const paths: OpenApiDocument["paths"] = {};
  const tags = new Set<string>();
  const byName = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  for (const [name, operation] of Object.entries(operations)) {
    const route = byName.get(name);
    if (!route) continue;
    const described = describe(route, operation, schemas);
    for (const tag of described.tags) tags.add(tag);
    // A parameter may say of which characters it is (`:path{.+}`); the document names it only.
    const path = route.path.replace(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: described };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Portcullis",
      version: "1",
      summary: "Ask for access, have it approved, check it, take it back.",
      description:
        "Times are epoch seconds, durations end in `_seconds`. Errors are problem details (RFC 9457) with a `code` of a closed set; " +
        "the OAuth endpoints answer as RFC 6749 says. Every answer has `X-Request-Id`. Lists are paged by `cursor` and `limit`.",
    },
    servers: [{ url: issuer }],
    tags: [...tags].map((name) => ({ name })),
    paths,
    components: {
      schemas: sorted({ ...PROBLEM_SCHEMAS, ...schemas.named }),
      securitySchemes: securitySchemes(issuer),
      headers: { "X-Request-Id": { description: "Names the request in the log.", schema: TEXT } },
    },
  };
}

const TEXT = { type: "string" };

function describe(
  { method, path, demand }: DescribedRoute,
  operation: Operation,
  schemas: JsonSchemas,
): DescribedOperation {
  const { id, summary, description } = operation;
  const body = demand.body
    ? {
        ...{ media: "application/json", required: true, schema: demand.body },
        ...("example" in operation ? { example: operation.example } : {}),
      }
    : operation.body;
  const query = demand.query ?? operation.query;
  const parameters = [
    ...Array.from(path.matchAll(/:(\w+)/g), ([, name]) => pathParameter(name!)),
    ...(query ? queryParameters(schemas.of(query)) : []),
    ...(operation.headers ?? []).map((name) => HEADERS[name]),
  ];
  const problems = codesOf({ method, path, demand }, operation);
  const name = id.replace(/(?:^|\.)(\w)/g, (_all, first: string) => first.toUpperCase());
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [id.split(".")[0]!],
    security: security(operation, demand.scopes),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: { required: body.required ?? false, content: contentOf(body, schemas, `${name}Body`) },
        }
      : {}),
    responses: {
      ...answersOf(operation, schemas),
      ...Object.fromEntries(
        (operation.oauthErrors ?? []).map((status) => [status, oauthErrorAnswer(status)]),
      ),
      ...problemAnswers(problems, operation),
    },
    "x-problems": problems,
    "x-client": operation.client ?? true,
  };
}

function answersOf({ answers }: Operation, schemas: JsonSchemas): DescribedOperation["responses"] {
  const entries = Object.entries(answers).map(([status, { description, content, headers = {} }]) => {
    const own = Object.entries(headers).map(([name, says]) => [name, { description: says, schema: TEXT }]);
    const all = { "X-Request-Id": REQUEST_ID, ...Object.fromEntries(own) };
    return [
      status,
      { description, headers: all, ...(content ? { content: contentOf(content, schemas) } : {}) },
    ];
  });
  return Object.fromEntries(entries);
}

const REQUEST_ID = { $ref: "#/components/headers/X-Request-Id" };

function contentOf(
  { media, schema, example }: Content,
  schemas: JsonSchemas,
  name?: string,
): DescribedContent {
  return {
    [media]: {
      ...(schema ? { schema: schemas.of(schema, name) } : {}),
      ...(example === undefined ? {} : { example }),
    },
  };
}

function pathParameter(name: string): DescribedParameter {
  return { name, in: "path", required: true, schema: TEXT };
}

function queryParameters({ properties = {}, required = [] }: JsonSchema): DescribedParameter[] {
  return Object.entries(properties as Record<string, JsonSchema>).map(
    ([name, { description, ...schema }]) => ({
      name,
      in: "query",
      required: (required as string[]).includes(name),
      ...(typeof description === "string" ? { description } : {}),
      schema,
    }),
  );
}

const IF_MATCH = "The ETag of the version that was edited.";

function header(name: string, description: string, required = false): DescribedParameter {
  return { name, in: "header", required, description, schema: TEXT };
}

const HEADERS: Record<NonNullable<Operation["headers"]>[number], DescribedParameter> = {
  dpop: header("DPoP", "A proof (RFC 9449): what is issued is bound to its key."),
  "idempotency-key": header(
    "Idempotency-Key",
    "The same key again answers what the first call did; with another body it is refused.",
  ),
  "if-match": header("If-Match", IF_MATCH),
  "if-match (required)": header("If-Match", IF_MATCH, true),
  "last-event-id": header("Last-Event-ID", "The last event that was seen; those after it follow."),
  prefer: header("Prefer", "`wait=30`: answer when it is decided, or after so many seconds, at most 60."),
};

function security({ credential }: Operation, scopes: readonly string[] = []) {
  if (credential === "client" || credential === "session") return [{ [credential]: [] }];
  if (credential !== undefined) return [];
  // One of them is enough.
  return scopes.length > 0 ? scopes.map((scope) => ({ oauth: [scope] })) : [{ oauth: [] }];
}

function securitySchemes(issuer: string): Record<string, JsonSchema> {
  const scopes = Object.fromEntries(CONTROL_SCOPES.map((scope) => [scope, `The scope ${scope}.`]));
  return {
    oauth: {
      type: "oauth2",
      description:
        "An access token of this deployment: `Authorization: Bearer`, or `DPoP` where it is bound.",
      flows: { clientCredentials: { tokenUrl: `${issuer}/oauth/token`, scopes } },
    },
    client: {
      type: "http",
      scheme: "basic",
      description: "Client id and secret; or `client_secret_post`, or `private_key_jwt`, as registered.",
    },
    session: { type: "apiKey", in: "cookie", name: "__Host-portcullis", description: "A browser's session." },
  };
}

function sorted<T>(members: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
}
