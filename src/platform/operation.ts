import * as z from "zod";
import type { ProblemCode } from "../protocol/problem.ts";

/** A body of one media type. `example` fits the schema; a test holds it against it. */
export type Content = { media: string; schema?: z.ZodType; example?: unknown };

/** What an operation answers with one status. */
export type OperationAnswer = {
  description: string;
  content?: Content;
  /** Headers beside `X-Request-Id`, each with what it says. */
  headers?: Record<string, string>;
};

/** Who may call: whoever has an access token, unless this says otherwise. */
export type Credential = "none" | "client" | "signature" | "link" | "session";

/** Headers that a caller may send; the typed client takes them as options. */
export type RequestHeader =
  | "dpop"
  | "idempotency-key"
  | "if-match"
  | "if-match (required)"
  | "last-event-id"
  | "prefer";

/**
 * One operation of the HTTP contract, as people read it. Scopes, query and JSON body are not named here where the
 * route's own middleware demands them: the description takes them from what runs.
 */
export type Operation = {
  /** `namespace.method`: the operation's id, and where the typed client has it. */
  id: string;
  /** One line, in the imperative. */
  summary: string;
  description?: string;
  /** The body where no middleware reads it. */
  body?: Content & { required?: boolean };
  /** The example of a body that a middleware reads. */
  example?: unknown;
  query?: z.ZodType;
  headers?: readonly RequestHeader[];
  credential?: Credential;
  answers: { [status: number]: OperationAnswer };
  /** Problems of its own; what any call can meet is added to them. */
  errors?: readonly ProblemCode[];
  /** The error answers of an OAuth endpoint (RFC 6749 §5.2), by status. */
  oauthErrors?: readonly number[];
  /** It is not for programs that hold an access token: the typed client leaves it out. */
  client?: false;
};

/** A room's operations by `METHOD /path`, spelled as its routes spell them. */
export type Operations = Record<`${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}`, Operation>;

export function json(
  description: string,
  schema: z.ZodType,
  example: unknown,
  headers?: Record<string, string>,
): OperationAnswer {
  const content = { media: "application/json", schema, example };
  return { description, content, ...(headers ? { headers } : {}) };
}

/** An answer without a schema: pages, metrics, streams of text. */
export function raw(description: string, media: string, example?: string): OperationAnswer {
  return { description, content: { media, ...(example === undefined ? {} : { example }) } };
}

/** A page of a list, newest first. */
export function pageOf(items: z.ZodType) {
  return z.strictObject({
    items: z.array(items),
    next_cursor: z.string().exactOptional().describe("`cursor` of the next page; absent on the last one."),
  });
}

/** That a schema says neither more nor less than the type of what is sent. */
export type Same<A, B> = [A, keyof A] extends [B, keyof B]
  ? [B, keyof B] extends [A, keyof A]
    ? true
    : false
  : false;
