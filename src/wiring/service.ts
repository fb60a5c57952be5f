import type { controlApp } from "../control/app.ts";
import { authorizeFor, isRevokedFor } from "../edge/service.ts";
import type { RequestContext } from "../platform/http.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok } from "../protocol/result.ts";
import type { OpenedRequest, PortcullisService } from "../protocol/service.ts";
import type { wireEdge } from "./edge.ts";

export type ServiceWiring = {
  issuer: string;
  control(): Promise<Pick<ReturnType<typeof controlApp>, "fetch">>;
  edge: Pick<ReturnType<typeof wireEdge>, "verifier" | "decider">;
};

/** Visible ASCII: what else there may be would not go into a header. */
const FIELD_VALUE = /^[\x21-\x7e]*$/;
const UNFIT = problem("invalid_request", "token and idempotencyKey: visible ASCII only.");

/** The service as one call sees it. */
export function serviceFor(
  { issuer, control, edge }: ServiceWiring,
  context: RequestContext,
): PortcullisService {
  const deps = { ...edge.verifier, decide: edge.decider, ...context };
  return {
    authorize: (ask) => authorizeFor(ask, deps),
    isRevoked: (ask) => isRevokedFor(ask, deps),
    requestAccess: async ({ token, request, idempotencyKey = "" }) => {
      if (!FIELD_VALUE.test(token) || !FIELD_VALUE.test(idempotencyKey)) return err(UNFIT);
      const headers = {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...(idempotencyKey === "" ? {} : { "idempotency-key": idempotencyKey }),
      };
      const init = { method: "POST", headers, body: JSON.stringify(request) };
      const app = await control();
      const answer = await app.fetch(new Request(`${issuer}/v1/access-requests`, init), context);
      const body = await answer.json();
      return answer.ok ? ok(body as OpenedRequest) : err(problemOf(body));
    },
  };
}

function problemOf(body: unknown): Problem {
  const { code, detail } = body as Problem;
  return { code, detail };
}
