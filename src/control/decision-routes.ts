import { type Context, Hono } from "hono";
import * as z from "zod";
import {
  answer,
  type HttpEnv,
  jsonBody,
  type RequestContext,
  refuse,
  requireScope,
} from "../platform/http.ts";
import { controlPathOf } from "../policy/reserved-paths.ts";
import type { DecisionAsk, DecisionTrace } from "../protocol/decision-trace.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  answerOf,
  askOf,
  type Evaluation,
  type EvaluationAnswer,
  evaluationSchema,
  evaluationsSchema,
  faultAnswer,
  isLast,
} from "./evaluation.ts";

export type DecisionDeps = {
  issuer: string;
  /** Plain http is taken, as a local deployment takes it. */
  local: boolean;
  /** The gate's own decision, with what led to it; nothing is forwarded and nothing is counted. */
  explain(ask: DecisionAsk, context: RequestContext): Promise<DecisionTrace>;
  /** The same for a request that somebody lets through or refuses by it: it is a decision like the gate's. */
  decide(ask: DecisionAsk, context: RequestContext): Promise<DecisionTrace>;
};

const MAX_HEADERS = 64;

const explainSchema = z.strictObject({
  method: z.string().regex(/^[A-Z]{1,20}$/, "must be an HTTP method in upper case"),
  url: z.string().min(1).max(16_384),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/), z.string().max(16_384))
    .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `at most ${MAX_HEADERS}`)
    .default({}),
  token: z.string().min(1).max(16_384).exactOptional(),
  cf: z.record(z.string(), z.json()).exactOptional(),
});

const METADATA_MAX_AGE = { "cache-control": "public, max-age=3600" };
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** AuthZEN 1.0 §9: what works here, and nothing else. */
export function decisionMetadataRoutes({ issuer }: Pick<DecisionDeps, "issuer">) {
  return new Hono<HttpEnv>().get("/.well-known/authzen-configuration", (c) =>
    c.json(
      {
        policy_decision_point: issuer,
        access_evaluation_endpoint: `${issuer}/access/v1/evaluation`,
        access_evaluations_endpoint: `${issuer}/access/v1/evaluations`,
      },
      200,
      METADATA_MAX_AGE,
    ),
  );
}

/** Decisions as answers: why the gate would do what it would do, and AuthZEN's evaluations. */
export function decisionRoutes(deps: DecisionDeps) {
  const evaluate = requireScope("decisions:evaluate");
  return new Hono<HttpEnv>()
    .post("/v1/explain", requireScope("policy:read"), jsonBody(explainSchema), async (c) => {
      const ask = explainAsk(c.req.valid("json"));
      if (!ask.ok) return refuse(c, ask.error);
      const elsewhere = decidedElsewhere(ask.value, deps);
      if (elsewhere !== undefined) return refuse(c, problem("invalid_body", `url: ${elsewhere}.`));
      return answer(c, ok(await deps.explain(ask.value, c.env)));
    })
    .post("/access/v1/evaluation", evaluate, jsonBody(evaluationSchema), (c) =>
      evaluateAlone(c, c.req.valid("json"), deps),
    )
    .post("/access/v1/evaluations", evaluate, jsonBody(evaluationsSchema), async (c) => {
      const { evaluations, options, ...common } = c.req.valid("json");
      // §7.1: without any, it is one evaluation like that of the other endpoint.
      if (!evaluations?.length) return evaluateAlone(c, common, deps);
      const answers: EvaluationAnswer[] = [];
      for (const each of evaluations) {
        const one = await evaluateOne({ ...common, ...each }, c.env, deps);
        const given = one.ok ? one.value : faultAnswer(one.error);
        answers.push(given);
        if (isLast(options?.evaluations_semantic ?? "execute_all", given)) break;
      }
      return evaluated(c, { evaluations: answers });
    });
}

async function evaluateAlone(
  c: Context<HttpEnv>,
  evaluation: Evaluation,
  deps: DecisionDeps,
): Promise<Response> {
  const given = await evaluateOne(evaluation, c.env, deps);
  if (given.ok) return evaluated(c, given.value);
  return refuse(c, problem("invalid_body", `The evaluation is refused: ${given.error}.`));
}

async function evaluateOne(
  evaluation: Evaluation,
  context: RequestContext,
  deps: DecisionDeps,
): Promise<Result<EvaluationAnswer, string>> {
  const ask = askOf(evaluation);
  if (!ask.ok) return ask;
  const elsewhere = decidedElsewhere(ask.value, deps);
  return elsewhere === undefined ? ok(answerOf(await deps.decide(ask.value, context))) : err(elsewhere);
}

/** What never reaches the gate, so that no route decides on it. */
function decidedElsewhere({ url }: DecisionAsk, { issuer, local }: DecisionDeps): string | undefined {
  if (!local && !url.startsWith("https://")) return "only https is taken here";
  if (controlPathOf(url, issuer) === undefined) return undefined;
  return "the control plane itself answers this address, and no route";
}

/** §10.1: the caller's own id of the request is the answer's. */
function evaluated(c: Context<HttpEnv>, body: object): Response {
  const id = c.req.header("x-request-id") ?? "";
  return answer(c, ok(body), 200, REQUEST_ID.test(id) ? { "x-request-id": id } : {});
}

function explainAsk(body: z.output<typeof explainSchema>): Result<DecisionAsk, Problem> {
  const { method, url, token, cf } = body;
  const headers = new Headers();
  try {
    for (const [name, value] of Object.entries(body.headers)) headers.append(name, value);
    if (token !== undefined && headers.has("authorization")) {
      return err(problem("invalid_body", "token: give it, or a header Authorization, not both."));
    }
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  } catch {
    return err(problem("invalid_body", "A header or the token holds a character that none can hold."));
  }
  return ok({ method, url, headers, ...(cf === undefined ? {} : { cf }) });
}
