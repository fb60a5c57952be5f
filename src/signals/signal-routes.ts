import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import {
  type Actor,
  answer,
  bodyProblem,
  type HttpEnv,
  queryParams,
  type RequestContext,
  refuse,
  requireScope,
} from "../platform/http.ts";
import type { Logger } from "../platform/log.ts";
import { readAuthorization } from "../protocol/bearer.ts";
import { fromUtf8 } from "../protocol/encoding.ts";
import { type Json, parseUniqueObject } from "../protocol/json.ts";
import { type Problem, problem, problemResponse } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { SET_MEDIA_TYPE } from "../protocol/security-event.ts";
import {
  callerOf,
  GLOBAL_REVOCATION_PATH,
  type GlobalRevocationDeps,
  REVOKE_SCOPE,
  revokeForClient,
  revokeForTransmitter,
  verifyCaller,
} from "./global-revocation.ts";
import { receiveEvent } from "./receive.ts";
import { type SetFault, setErrorResponse } from "./set-error.ts";
import type { SignalRecord } from "./signal.ts";

export type SignalDeps = GlobalRevocationDeps & {
  logger: Logger;
  /** Who calls with an access token of ours. */
  authenticate(request: Request, context: RequestContext): Promise<Actor | Response>;
};

const EVENTS_PATH = "/v1/signals/events";
const MAX_BYTES = 64 * 1024;
const TOO_LONG = `At most ${MAX_BYTES} bytes.`;

const subjectBody = z.strictObject({ sub_id: z.record(z.string(), z.json()) });

/** What is told to us: the token or JWT that is sent is the credential. */
export function inboundSignalRoutes(deps: SignalDeps) {
  const limitedSet = bodyLimit({
    maxSize: MAX_BYTES,
    onError: () => setErrorResponse({ err: "invalid_request", description: TOO_LONG }),
  });
  const limitedJson = bodyLimit({
    maxSize: MAX_BYTES,
    onError: (c) => refuse(c as Context<HttpEnv>, problem("body_too_large", TOO_LONG)),
  });
  return new Hono<HttpEnv>()
    .post(EVENTS_PATH, limitedSet, (c) => takeEvent(c, deps))
    .post(GLOBAL_REVOCATION_PATH, limitedJson, (c) => revokeEverything(c, deps));
}

const listSchema = z.strictObject({
  transmitter: z.string().min(1).max(64),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).exactOptional(),
});

/** What was told: `GET /v1/signals/events?transmitter=`, newest first. */
export function signalRoutes(deps: SignalDeps) {
  return new Hono<HttpEnv>().get(
    EVENTS_PATH,
    requireScope("signals:read"),
    queryParams(listSchema),
    async (c) => {
      const { transmitter: id, ...page } = c.req.valid("query");
      const policy = await deps.policy();
      if (!policy.ok) return refuse(c, policy.error);
      const known = policy.value.signals?.transmitters.find((each) => each.id === id);
      if (!known) return refuse(c, problem("not_found", `The policy has no transmitter ${id}.`));
      const listed = await deps.inbox(known.issuer).list(page);
      if (!listed.ok) return refuse(c, listed.error);
      const last = listed.value.length === page.limit ? listed.value.at(-1) : undefined;
      return answer(c, ok({ items: listed.value, ...(last ? { next_cursor: last.id } : {}) }));
    },
  );
}

/** RFC 8935 §2.2: 202 without a body once what follows is in force. */
async function takeEvent(c: Context<HttpEnv>, deps: SignalDeps): Promise<Response> {
  const text = await bodyText(c);
  const type = (c.req.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  const fault = { err: "invalid_request" } as const;
  const taken: Result<SignalRecord, SetFault> =
    type !== SET_MEDIA_TYPE
      ? err({ ...fault, description: `The Content-Type must be ${SET_MEDIA_TYPE}.` })
      : text === undefined
        ? err({ ...fault, description: "The body is not UTF-8." })
        : await receiveEvent(text, deps);
  const request_id = c.var.requestId;
  if (!taken.ok) {
    deps.logger("warn", "signal.refused", { request_id, err: taken.error.err, why: taken.error.description });
    return setErrorResponse(taken.error);
  }
  const { id, actor, event, action } = taken.value;
  deps.logger("info", "signal.received", { request_id, signal: id, actor, event, action });
  return c.body(null, 202, { "cache-control": "no-store" });
}

/** draft-parecki-oauth-global-token-revocation-06 §3: 204 once it is in force. */
async function revokeEverything(c: Context<HttpEnv>, deps: SignalDeps): Promise<Response> {
  const revoked = await attempt(c, deps);
  if (revoked instanceof Response) return revoked;
  const request_id = c.var.requestId;
  if (!revoked.ok) {
    const { code, detail } = revoked.error;
    deps.logger("warn", "signal.refused", { request_id, err: code, why: detail });
    return refusal(c, revoked.error);
  }
  const { id, actor, event, action } = revoked.value;
  deps.logger("info", "signal.received", { request_id, signal: id, actor, event, action });
  return c.body(null, 204, { "cache-control": "no-store" });
}

/** Who calls is looked at before what is asked. */
async function attempt(c: Context<HttpEnv>, deps: SignalDeps): Promise<Result<SignalRecord> | Response> {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const { issuers } = policy.value;
  const credential = readAuthorization(c.req.header("authorization") ?? null);
  const transmitter =
    credential.ok && credential.value.scheme === "bearer"
      ? callerOf(credential.value.token, policy.value)
      : undefined;
  if (credential.ok && transmitter) {
    const caller = await verifyCaller(credential.value.token, transmitter, deps);
    if (!caller.ok) return caller;
    const body = await readBody(c);
    return body.ok ? revokeForTransmitter(caller.value, body.value, issuers, deps) : body;
  }
  const actor = await deps.authenticate(c.req.raw, c.env);
  if (actor instanceof Response) return actor;
  if (!actor.scopes.includes(REVOKE_SCOPE)) {
    const detail = `This call needs the scope ${REVOKE_SCOPE}.`;
    return err(problem("insufficient_scope", detail, { scope: REVOKE_SCOPE }));
  }
  const body = await readBody(c);
  return body.ok ? revokeForClient(actor, c.var.requestId, body.value, issuers, deps) : body;
}

async function readBody(c: Context<HttpEnv>): Promise<Result<Json>> {
  if (!/^application\/json\s*(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
    return err(problem("unsupported_media_type", "Send application/json."));
  }
  const text = await bodyText(c);
  const object = text === undefined ? undefined : parseUniqueObject(text);
  if (!object)
    return err(problem("invalid_body", "The body must be one JSON object without duplicate members."));
  const parsed = subjectBody.safeParse(object);
  return parsed.success ? ok(parsed.data.sub_id as Json) : err(bodyProblem(parsed.error.issues));
}

function refusal(c: Context<HttpEnv>, fault: Problem): Response {
  const headers =
    fault.code === "invalid_token" ? { "www-authenticate": 'Bearer error="invalid_token"' } : {};
  return problemResponse(fault, c.var.requestId, headers as Record<string, string>);
}

async function bodyText(c: Context<HttpEnv>): Promise<string | undefined> {
  return fromUtf8(new Uint8Array(await c.req.arrayBuffer()));
}
