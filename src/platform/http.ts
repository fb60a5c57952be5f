import { sValidator } from "@hono/standard-validator";
import type { Context, MiddlewareHandler } from "hono";
import * as z from "zod";
import type { Confirmation } from "../protocol/confirmation.ts";
import { type Problem, problem, problemResponse } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import { demanding } from "./demand.ts";

/**
 * Who makes a control-plane call, as its access token says. `subject` is `issuer|sub` or a client id; `actors`
 * act for it, nearest first (RFC 8693 §4.1).
 */
export type Actor = {
  subject: string;
  clientId: string;
  scopes: string[];
  roles: string[];
  actors?: string[];
  /** What the token is bound to; tokens that are issued to the actor are bound to the same. */
  confirmation?: Confirmation;
  /** How the person signed in; the tokens of their grants say so too. */
  signIn?: SignIn;
};

/** What belongs to one request and is given to the control plane with it. */
export type RequestContext = { requestId: string; waitUntil: (work: Promise<unknown>) => void };

/** What the control plane has set before a room's route runs. */
export type HttpEnv = { Bindings: RequestContext; Variables: { requestId: string; actor: Actor } };

const NOTHING = z.strictObject({});

/** Refuses, before anything else is read, an actor whose token lacks the scope. */
export function requireScope(...anyOf: string[]): MiddlewareHandler<HttpEnv> {
  return demanding<MiddlewareHandler<HttpEnv>>({ scopes: anyOf }, async (c, next) => {
    if (anyOf.some((scope) => c.var.actor.scopes.includes(scope))) return next();
    const needed = anyOf.join(" or ");
    return refuse(
      c,
      problem("insufficient_scope", `This call needs the scope ${needed}.`, { scope: anyOf[0]! }),
    );
  });
}

/** Validates the JSON body; a fault is answered with the path of the first member that does not fit. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  const validate = sValidator("json", schema, (result, c) => {
    if (!result.success) return refuse(c as Context<HttpEnv>, bodyProblem(result.error));
  });
  return demanding({ body: schema }, validate);
}

/** Validates the query; unknown parameters are refused like unknown members. */
export function queryParams<S extends z.ZodType>(schema: S) {
  const validate = sValidator("query", schema, (result, c) => {
    if (!result.success) {
      const { detail, extra } = bodyProblem(result.error);
      return refuse(c as Context<HttpEnv>, problem("invalid_request", `Query: ${detail}`, extra));
    }
  });
  return demanding({ query: schema }, validate);
}

/** The body of a POST that needs none: where there is one, it must fit all the same. */
export async function optionalJsonBody<S extends z.ZodType>(
  c: Context<HttpEnv>,
  schema: S,
): Promise<Result<z.output<S>>> {
  const text = await c.req.text();
  let body: unknown = {};
  if (text !== "") {
    if (!/^application\/json\s*(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
      return err(problem("unsupported_media_type", "Send application/json, or no body."));
    }
    try {
      body = JSON.parse(text);
    } catch {
      return err(problem("invalid_body", "The body is not well-formed JSON."));
    }
  }
  const parsed = schema.safeParse(body);
  return parsed.success ? ok(parsed.data) : err(bodyProblem(parsed.error.issues));
}

/** Refuses a body where the call takes none: what it says would be ignored. */
export const noBody = demanding<MiddlewareHandler<HttpEnv>>({ noBody: true }, async (c, next) => {
  const body = await optionalJsonBody(c, NOTHING);
  return body.ok ? next() : refuse(c, body.error);
});

/** A proxy that compresses the answer weakens the tag; the number names the same version all the same. */
const ENTITY_TAG = /^(?:W\/)?"(0|[1-9]\d{0,8})"$/;

/** The version that an `If-Match` names (RFC 9110 §13.1.1). */
export function readEntityTag(ifMatch: string): Result<number> {
  const match = ENTITY_TAG.exec(ifMatch.trim());
  if (match) return ok(Number(match[1]));
  const detail = 'If-Match must be the ETag of the version that you edited, such as "7".';
  return err(problem("invalid_request", detail));
}

/** The version that a change has to name, as reading it at the path answers. */
export function readIfMatch(header: string | undefined, path: string): Result<number> {
  if (header !== undefined) return readEntityTag(header);
  const detail = `Send If-Match with the ETag that GET ${path} answered, e.g. If-Match: "3"; "0" where no policy was ever put.`;
  return err(problem("precondition_required", detail));
}

type Issue = { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined };

export function bodyProblem(issues: readonly Issue[]): Problem {
  const faults = issues.map((issue) => {
    const path = (issue.path ?? [])
      .map((part) => String(typeof part === "object" ? part.key : part))
      .join(".");
    return `${path || "(body)"}: ${issue.message}`;
  });
  return problem("invalid_body", faults[0] ?? "The body does not fit.", { faults: faults.slice(0, 20) });
}

export function refuse(c: Context<HttpEnv>, p: Problem): Response {
  return problemResponse(p, c.var.requestId);
}

/** Answers a room's result: the value as JSON, or its problem. `headers` go with the value only. */
export function answer<T>(
  c: Context<HttpEnv>,
  result: Result<T>,
  status: 200 | 201 | 202 = 200,
  headers: Record<string, string> = {},
): Response {
  if (!result.ok) return refuse(c, result.error);
  return Response.json(result.value, { status, headers: { "cache-control": "no-store", ...headers } });
}
