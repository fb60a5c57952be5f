import type { ProblemCode } from "../protocol/problem.ts";
import type { JsonSchema } from "./json-schemas.ts";

/** An OpenAPI document, as far as it is read here. */
export type OpenApiDocument = {
  openapi: string;
  info: JsonSchema;
  servers: { url: string }[];
  tags: { name: string; description?: string }[];
  paths: { [path: string]: { [method: string]: DescribedOperation } };
  components: { [kind: string]: { [name: string]: JsonSchema } };
};

export type DescribedOperation = {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security: Record<string, readonly string[]>[];
  parameters?: DescribedParameter[];
  requestBody?: { required?: boolean; content: DescribedContent };
  responses: { [status: string]: { description: string; headers?: object; content?: DescribedContent } };
  /** The codes of the problems that it can answer with. */
  "x-problems": readonly ProblemCode[];
  /** False for what the typed client does not have. */
  "x-client": boolean;
};

export type DescribedParameter = {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: JsonSchema;
};

export type DescribedContent = { [media: string]: { schema?: JsonSchema; example?: unknown } };
