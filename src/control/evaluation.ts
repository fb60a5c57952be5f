import * as z from "zod";
import type { AssumedSubject, DecisionAsk, DecisionTrace } from "../protocol/decision-trace.ts";
import type { Json } from "../protocol/json.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";

/** AuthZEN Authorization API 1.0 §5: members that it does not name are left out of account. */
const properties = z.record(z.string(), z.json()).exactOptional();
const subject = z.object({ type: z.string().min(1), id: z.string().min(1).max(16_384), properties });
const action = z.object({ name: z.string().min(1).max(64), properties });
const resource = z.object({ type: z.string().min(1), id: z.string().min(1).max(8_192), properties });
const context = z.record(z.string(), z.json());

const evaluation = z.object({
  subject: subject.exactOptional(),
  action: action.exactOptional(),
  resource: resource.exactOptional(),
  context: context.exactOptional(),
});

export const evaluationSchema = z.object({
  subject,
  action,
  resource,
  context: context.exactOptional(),
});

const MAX_EVALUATIONS = 100;

/** §7.1: what stands beside `evaluations` is the default of each of them. */
export const evaluationsSchema = evaluation.extend({
  evaluations: z.array(evaluation).max(MAX_EVALUATIONS).exactOptional(),
  options: z
    .object({
      evaluations_semantic: z
        .enum(["execute_all", "deny_on_first_deny", "permit_on_first_permit"])
        .default("execute_all"),
    })
    .exactOptional(),
});

export type Evaluation = z.output<typeof evaluation>;
export type Semantic = NonNullable<z.output<typeof evaluationsSchema>["options"]>["evaluations_semantic"];

/** §6.2 */
export type EvaluationAnswer = { decision: boolean; context?: Record<string, unknown> };

const vouched = z.object({
  client_id: z.string().min(1).max(255).exactOptional(),
  scopes: z.array(z.string()).max(256).default([]),
  roles: z.array(z.string()).max(256).default([]),
  resources: z.array(z.string()).max(256).default([]),
  acr: z.string().exactOptional(),
  auth_time: z.number().min(0).max(1e11).exactOptional(),
});

const surroundings = z.object({
  ip: z.union([z.ipv4(), z.ipv6()]).exactOptional(),
  cf: z.record(z.string(), z.json()).exactOptional(),
});

const METHOD = /^[A-Z]{1,20}$/;

/**
 * The request that an evaluation is about: `action` is the method, `resource` a `url`, `subject` an `access_token`
 * or, vouched for by the caller, a `subject`. What is named otherwise is nothing that could be allowed: the fault
 * says what.
 */
export function askOf({ subject, action, resource, context }: Evaluation): Result<DecisionAsk, string> {
  if (!subject || !action || !resource) return err("subject, action and resource are needed");
  if (resource.type !== "url") return err('resource.type must be "url"');
  if (!METHOD.test(action.name)) return err("action.name must be an HTTP method");
  const around = surroundings.safeParse(context ?? {});
  if (!around.success) return err("context.ip must be an address, and context.cf an object");
  const headers = new Headers();
  if (around.data.ip !== undefined) headers.set("cf-connecting-ip", around.data.ip);
  const ask: DecisionAsk = { method: action.name, url: resource.id, headers };
  if (around.data.cf) ask.cf = around.data.cf;
  if (subject.type === "access_token") return withToken(ask, subject.id);
  if (subject.type !== "subject") return err('subject.type must be "access_token" or "subject"');
  const assumed = assumedOf(subject.id, subject.properties ?? {});
  return assumed ? ok({ ...ask, assumed }) : err("subject.properties do not fit");
}

function withToken(ask: DecisionAsk, token: string): Result<DecisionAsk, string> {
  try {
    ask.headers.set("authorization", `Bearer ${token}`);
    return ok(ask);
  } catch {
    return err("subject.id must be an access token");
  }
}

function assumedOf(id: string, given: Record<string, Json>): AssumedSubject | undefined {
  const parsed = vouched.safeParse(given);
  if (!parsed.success) return undefined;
  const { acr, auth_time, ...has } = parsed.data;
  const sign_in: SignIn = {
    ...(acr === undefined ? {} : { acr }),
    ...(auth_time === undefined ? {} : { auth_time }),
  };
  return { subject: id, ...has, sign_in };
}

/** An outcome in AuthZEN's words. What could not be told is no permission. */
export function answerOf(trace: DecisionTrace): EvaluationAnswer {
  const { outcome, decision_id, reason, route, status, remedies } = trace;
  return {
    decision: outcome === "allow",
    context: {
      id: decision_id,
      reason,
      ...(route === undefined ? {} : { route }),
      ...(remedies.length > 0 ? { remedies } : {}),
      ...(status >= 500 ? { error: { status, message: reason } } : {}),
    },
  };
}

export function faultAnswer(message: string): EvaluationAnswer {
  return { decision: false, context: { error: { status: 400, message } } };
}

/** Whether the evaluations that follow are not looked at any more. */
export function isLast(semantic: Semantic, { decision }: EvaluationAnswer): boolean {
  if (semantic === "deny_on_first_deny") return !decision;
  return semantic === "permit_on_first_permit" && decision;
}
