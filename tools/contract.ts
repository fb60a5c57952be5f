import type { JsonSchema } from "../src/control/json-schemas.ts";
import type { DescribedOperation, OpenApiDocument } from "../src/control/openapi-document.ts";
import { comment, schemaType } from "./schema-type.ts";

/** An operation that the typed client has. */
type ClientOperation = {
  namespace: string;
  name: string;
  method: string;
  path: string;
  described: DescribedOperation;
};

const HEADING = `// Written by \`npm run api\` from the schemas that run. Do not edit.

import type { CallOptions, Lines, Pages, ServerSentEvent } from "./calls.ts";
import type { OperationTable } from "./operation-table.ts";
`;

/** Options of the typed client that stand for headers. */
const HEADER_OPTIONS: Record<string, string> = {
  "Idempotency-Key": "idempotencyKey?: string",
  "If-Match": "ifMatch?: number",
  "Last-Event-ID": "lastEventId?: string",
  Prefer: "waitSeconds?: number",
};

/** `src/client/contract.ts`: the types of everything that is sent, and where each operation is. */
export function contractText(document: OpenApiDocument): string {
  const operations = clientOperations(document);
  const types = operations.flatMap(({ described }) => typesIn(described));
  const named = Object.entries(document.components.schemas ?? {});
  const used = withAllTheyName(types, document);
  const declarations = named
    .filter(([name]) => used.has(name))
    .map(([name, schema]) => `${comment(schema, "")}export type ${name} = ${schemaType(schema)};\n`);
  const namespaces = Map.groupBy(operations, ({ namespace }) => namespace);
  const methods = [...namespaces].map(
    ([namespace, own]) => `  ${namespace}: {\n${own.map(methodText).join("")}  };\n`,
  );
  const table = [...namespaces].map(
    ([namespace, own]) => `  ${namespace}: {\n${own.map(tableText).join("")}  },\n`,
  );
  return [
    HEADING,
    ...declarations,
    `/** Every operation for programs, by its id. */\nexport type Api = {\n${methods.join("")}};\n`,
    `/** Where each is, and what it sends and answers. */\nexport const OPERATIONS = {\n${table.join("")}} as const satisfies OperationTable;\n`,
  ].join("\n");
}

export function clientOperations({ paths }: OpenApiDocument): ClientOperation[] {
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => {
        const [namespace = "", name = ""] = described.operationId.split(".");
        return { namespace, name, method: method.toUpperCase(), path, described };
      }),
    )
    .filter(({ described }) => described["x-client"])
    .sort((a, b) => (a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0));
}

function methodText({ name, described }: ClientOperation): string {
  const scopes = described.security.flatMap((each) => each.oauth ?? []);
  const scope = scopes.length > 0 ? ` Needs ${scopes.map((each) => `\`${each}\``).join(" or ")}.` : "";
  const says = `${described.summary}.${scope}${described.description ? ` ${described.description}` : ""}`;
  const options = optionsType(described);
  const parameters = [
    ...parametersIn(described, "path").map(({ name: parameter }) => `${parameter}: string`),
    ...bodyParameter(described),
    ...queryParameter(described),
    `options${options.includes("ifMatch:") ? "" : "?"}: ${options}`,
  ];
  return `    /** ${says} */\n    ${name}(${parameters.join(", ")}): ${answerType(described)};\n`;
}

function bodyParameter({ requestBody }: DescribedOperation): string[] {
  if (!requestBody) return [];
  const [[media, { schema = {} }] = ["", {}]] = Object.entries(requestBody.content);
  const optional = requestBody.required ? "" : "?";
  return [
    `body${optional}: ${media === NDJSON ? `Lines<${schemaType(schema)}>` : schemaType(schema, "    ")}`,
  ];
}

function queryParameter(described: DescribedOperation): string[] {
  const query = parametersIn(described, "query");
  if (query.length === 0) return [];
  const members = query.map(
    ({ name, required, schema }) => `${name}${required ? "" : "?"}: ${queryType(schema)}`,
  );
  return [`query?: { ${members.join("; ")} }`];
}

/** A flag is spelled out on the wire. */
function queryType(schema: JsonSchema): string {
  return String(schema.enum) === "true,false" ? "boolean" : schemaType(schema);
}

function optionsType(described: DescribedOperation): string {
  const members = parametersIn(described, "header").flatMap(({ name, required }) => {
    const option = HEADER_OPTIONS[name];
    return option === undefined ? [] : [required ? option.replace("?", "") : option];
  });
  return members.length > 0 ? `CallOptions & { ${members.join("; ")} }` : "CallOptions";
}

const NDJSON = "application/x-ndjson";

function answerType(described: DescribedOperation): string {
  const contents = answered(described);
  const media = Object.keys(contents[0] ?? {})[0];
  const schemas: JsonSchema[] = contents.flatMap((content) =>
    Object.values(content).flatMap(({ schema }) => (schema ? [schema] : [])),
  );
  if (media === NDJSON) return `AsyncIterable<${schemaType(schemas[0]!)}>`;
  if (media === "text/event-stream") return "AsyncIterable<ServerSentEvent>";
  if (media !== undefined && !media.endsWith("json")) return "Promise<string>";
  const item = itemOfPage(schemas[0]);
  if (item) return `Pages<${schemaType(item, "    ")}>`;
  const types = new Set(schemas.map((schema) => schemaType(schema, "    ")));
  return `Promise<${[...types].join(" | ") || "undefined"}>`;
}

/** The contents of the answers that are no refusal. */
function answered({ responses }: DescribedOperation) {
  return Object.values(responses).flatMap(({ content }) => {
    const refused = content && Object.keys(content)[0] === "application/problem+json";
    return content && !refused ? [content] : [];
  });
}

function itemOfPage(schema: JsonSchema | undefined): JsonSchema | undefined {
  const { items, next_cursor } = (schema?.properties ?? {}) as Record<string, JsonSchema>;
  return next_cursor && (items?.items as JsonSchema);
}

function tableText({ name, method, path, described }: ClientOperation): string {
  const body = described.requestBody && Object.keys(described.requestBody.content)[0];
  const headers = parametersIn(described, "header").map((each) => each.name);
  const content = answered(described)[0];
  const media = content && Object.keys(content)[0];
  const refusals = Object.entries(described.responses).filter(
    ([status, { content }]) => Number(status) >= 400 && content?.["application/json"],
  );
  const members = [
    ...[`method: "${method}"`, `path: "${path}"`],
    ...(body === undefined ? [] : [`sends: "${body === NDJSON ? "lines" : "json"}"`]),
    ...(parametersIn(described, "query").length > 0 ? ["query: true"] : []),
    `answers: "${kindOf(media, content?.[media ?? ""]?.schema)}"`,
    ...(headers.includes("Idempotency-Key") ? ["keyed: true"] : []),
    ...(described.security.length === 0 ? ["open: true"] : []),
    ...(refusals.length > 0 ? [`also: [${refusals.map(([status]) => status).join(", ")}]`] : []),
  ];
  return `    ${name}: { ${members.join(", ")} },\n`;
}

function kindOf(media: string | undefined, schema: JsonSchema | undefined): string {
  if (media === NDJSON) return "lines";
  if (media === "text/event-stream") return "events";
  if (media !== undefined && !media.endsWith("json")) return "text";
  return itemOfPage(schema) ? "pages" : "json";
}

function parametersIn({ parameters = [] }: DescribedOperation, place: string) {
  return parameters.filter((parameter) => parameter.in === place);
}

function typesIn(described: DescribedOperation): unknown[] {
  return [described.requestBody, described.parameters, ...answered(described)];
}

/** The names of every component that these use, and that those use in turn. */
function withAllTheyName(parts: unknown[], { components }: OpenApiDocument): Set<string> {
  const names = new Set<string>();
  const visit = (part: unknown) => {
    for (const [, name] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (names.has(name!)) continue;
      names.add(name!);
      visit(components.schemas?.[name!]);
    }
  };
  for (const part of parts) if (part !== undefined) visit(part);
  return names;
}
