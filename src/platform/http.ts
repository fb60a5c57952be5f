import { sValidator } from "@hono/standard-validator";
import type { Context, MiddlewareHandler } from "hono";
import type * as z from "zod";
import { type Problem, problem, problemResponse } from "../protocol/problem.ts";
import type { Result } from "../protocol/result.ts";

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
};

/** What belongs to one request and is given to the control plane with it. */
export type RequestContext = { requestId: string; waitUntil: (work: Promise<unknown>) => void };

/** What the control plane has set before a room's route runs. */
export type HttpEnv = { Bindings: RequestContext; Variables: { requestId: string; actor: Actor } };

/** Refuses, before anything else is read, an actor whose token lacks the scope. */
export function requireScope(...anyOf: string[]): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    if (anyOf.some((scope) => c.var.actor.scopes.includes(scope))) return next();
    const needed = anyOf.join(" or ");
    return refuse(
      c,
      problem("insufficient_scope", `This call needs the scope ${needed}.`, { scope: anyOf[0]! }),
    );
  };
}

/** Validates the JSON body; a fault is answered with the path of the first member that does not fit. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  return sValidator("json", schema, (result, c) => {
    if (!result.success) return refuse(c as Context<HttpEnv>, bodyProblem(result.error));
  });
}

/** Validates the query; unknown parameters are refused like unknown members. */
export function queryParams<S extends z.ZodType>(schema: S) {
  return sValidator("query", schema, (result, c) => {
    if (!result.success) {
      const { detail, extra } = bodyProblem(result.error);
      return refuse(c as Context<HttpEnv>, problem("invalid_request", `Query: ${detail}`, extra));
    }
  });
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
