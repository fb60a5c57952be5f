import { Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import {
  type Actor,
  answer,
  type HttpEnv,
  jsonBody,
  queryParams,
  refuse,
  requireScope,
} from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { isId, newId } from "../platform/ids.ts";
import { type ConfirmByPasskey, passkeyAnswer } from "../platform/passkey-answer.ts";
import type { Person } from "../policy/access-conditions.ts";
import { approversOf, groundsOf, mayReview, ownGrounds } from "../policy/access-rules.ts";
import type { AccessRule, PolicyDocument } from "../policy/document.ts";
import { MAX_USES } from "../policy/max-uses.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { preferredWaitSeconds } from "../protocol/prefer.ts";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { AccessRequest } from "./access-request.ts";
import { awaitingKey } from "./awaiting.ts";
import { MAX_DURATION_SECONDS, type OpenDeps, openAccessRequest, personOfActor } from "./open.ts";
import type { AccessRequestPort, DirectoryReadPort } from "./ports.ts";
import { presentRequest } from "./present.ts";
import type { ReviewInput } from "./round.ts";

export type AccessDeps = Omit<OpenDeps, "accessRequest" | "directory"> & {
  accessRequest(id: string): AccessRequestPort;
  directory: DirectoryReadPort;
  /** The same object, for calls that last. */
  waiting(id: string): Pick<AccessRequestPort, "decided" | "happened">;
  ids: CreationIds;
  clock: Clock;
  /** What a token for the caller is bound to: what the caller's own is, or the key of a DPoP proof; null: nothing. */
  binding(request: Request, actor: Actor): Promise<Result<Confirmation | null>>;
  passkey: ConfirmByPasskey;
};

/** `Prefer: wait` asks for more in vain: `Preference-Applied` says how long was waited at most. */
const LONGEST_WAIT_SECONDS = 60;

export const scopeText = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^\S+( \S+)*$/, "must be scope tokens separated by one space");
/** Shown to people and sent on: no control characters but line breaks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
export const plainText = z.string().regex(/^[^\x00-\x09\x0b-\x1f\x7f]*$/, "must not hold control characters");

const useCount = z.int().min(1).max(MAX_USES);

const createSchema = z.strictObject({
  resource: z.string().min(1).max(256),
  scope: scopeText,
  duration_seconds: z.int().min(1).max(MAX_DURATION_SECONDS).exactOptional(),
  justification: plainText.min(1).max(2_000),
  starts_at: z.int().min(0).max(1e11).exactOptional(),
  ticket: plainText.min(1).max(200).exactOptional(),
  max_uses: useCount.exactOptional().describe("How many requests the grant opens at most."),
  emergency: z.literal(true).exactOptional().describe("At once, where the rule has break_glass."),
});

const reviewSchema = z.strictObject({
  outcome: z.enum(["approve", "deny"]),
  comment: plainText.max(2_000).exactOptional(),
  duration_seconds: z.int().min(1).max(MAX_DURATION_SECONDS).exactOptional(),
  scope: scopeText.exactOptional(),
  max_uses: useCount.exactOptional(),
  extension: z
    .string()
    .max(64)
    .exactOptional()
    .describe("The extension (`ext_…`) that is reviewed. Absent: the request itself."),
  passkey: passkeyAnswer
    .exactOptional()
    .describe(
      "The approver's passkey's answer to a challenge for this very approval, where the rule has `high_risk`.",
    ),
});

const listSchema = z.strictObject({
  state: z.enum(["pending", "approved", "denied", "cancelled", "expired"]).exactOptional(),
  resource: z.string().min(1).max(256).exactOptional(),
  requester: z.string().min(1).max(320).exactOptional(),
  reviewable: z.enum(["true", "false"]).exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).exactOptional(),
});

const NOT_FOUND = problem("not_found", "There is no such access request.");
const OF_OTHERS = problem("insufficient_scope", "Requests of others need the scope requests:read_all.");
const NEEDS_PASSKEY = problem(
  "passkey_required",
  "The access rule is marked as high-risk: confirm the approval with your passkey (POST /v1/passkeys/challenges), in the console for one.",
);
const NO_PASSKEY_HERE = problem(
  "passkey_required",
  "The access rule is marked as high-risk: it is approved in the console, with a passkey. Denying works here.",
);
const NOT_THIS_WAY = problem(
  "forbidden",
  "The access rule does not let chat decide (`decide_in_chat`): open the request and review it there.",
);

/** `/v1/access-requests`: ask, read, list, review, cancel, collect a token. */
export function accessRequestRoutes(deps: AccessDeps) {
  const now = () => epochSeconds(deps.clock());
  return new Hono<HttpEnv>()
    .post("/v1/access-requests", requireScope("requests:create"), jsonBody(createSchema), async (c) => {
      const body = c.req.valid("json");
      const newRequestId = () => deps.ids(c, "req", body);
      const opened = await openAccessRequest(deps, c.var.actor, definedOnly(body), newRequestId, now());
      const location = opened.ok ? { location: `/v1/access-requests/${opened.value.id}` } : {};
      return answer(c, present(opened, now()), 201, location);
    })
    .get("/v1/access-requests", requireScope("requests:read"), queryParams(listSchema), async (c) =>
      answer(c, await listRequests(c.req.valid("query"), c.var.actor, deps, now())),
    )
    .get("/v1/access-requests/:id", requireScope("requests:read"), async (c) => {
      const found = await readVisible(c.var.actor, deps, c.req.param("id"));
      const preferred = preferredWaitSeconds(c.req.header("prefer"));
      if (!found.ok || preferred === undefined) return answer(c, present(found, now()));
      const seconds = Math.min(preferred, LONGEST_WAIT_SECONDS);
      const decided = await deps.waiting(found.value.id).decided(seconds * 1000);
      // Where the wait broke off, the request is answered as it was.
      const headers = { "preference-applied": `wait=${seconds}` };
      return answer(c, present(decided.ok ? decided : found, now()), 200, headers);
    })
    .post(
      "/v1/access-requests/:id/reviews",
      requireScope("requests:review"),
      jsonBody(reviewSchema),
      async (c) => {
        const { scope, passkey: _answer, ...body } = c.req.valid("json");
        const review = {
          ...body,
          ...(scope ? { scope: scope.split(" ") } : {}),
          id: newId("evt", deps.clock()),
          approver: c.var.actor.subject,
        };
        const reviewer = personOfActor(c.var.actor);
        const id = c.req.param("id");
        const confirm = () => confirmApproval(deps, id, c.req.valid("json"), reviewer.subject);
        const reviewed = await reviewRequest(deps, id, definedOnly(review), reviewer, { confirm });
        return answer(c, present(reviewed, now()), 201);
      },
    )
    .post("/v1/access-requests/:id/cancel", requireScope("requests:create"), async (c) => {
      const id = c.req.param("id");
      if (!isId("req", id)) return refuse(c, NOT_FOUND);
      return answer(c, present(await deps.accessRequest(id).cancel(c.var.actor.subject), now()));
    })
    .post("/v1/access-requests/:id/token", requireScope("requests:create"), async (c) => {
      const id = c.req.param("id");
      if (!isId("req", id)) return refuse(c, NOT_FOUND);
      const { actor } = c.var;
      const bound = await deps.binding(c.req.raw, actor);
      if (!bound.ok) return refuse(c, bound.error);
      const { subject, actors, signIn } = actor;
      return answer(c, await deps.accessRequest(id).issueToken(subject, bound.value, actors, signIn));
    });
}

/** A page of one's own requests, of those that one may review, or of anybody's with `requests:read_all`. */
async function listRequests(
  query: z.output<typeof listSchema>,
  actor: Actor,
  deps: Pick<AccessDeps, "directory" | "policy">,
  now: number,
) {
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const all = actor.scopes.includes("requests:read_all");
  const reviewable = query.reviewable === "true";
  if (query.requester && query.requester !== actor.subject && !all) return err(OF_OTHERS);
  const requester = query.requester ?? (all || reviewable ? undefined : actor.subject);
  const page = await deps.directory.list({
    limit: query.limit,
    ...(query.cursor ? { cursor: query.cursor } : {}),
    ...(query.state ? { state: query.state } : {}),
    ...(query.resource ? { resource: query.resource } : {}),
    ...(requester ? { requester } : {}),
    ...(reviewable ? { notRequester: actor.subject, awaiting: reviewKeys(policy.value, actor) } : {}),
  });
  if (!page.ok) return page;
  const last = page.value.length === query.limit ? page.value.at(-1) : undefined;
  const items = page.value.map((request) => presentRequest(request, now));
  return ok({ items, ...(last ? { next_cursor: last.id } : {}) });
}

/** zod leaves members that were not sent as undefined; stored data has no such members. */
function definedOnly<T extends object>(value: T): { [K in keyof T]-?: Exclude<T[K], undefined> } & T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}

/** Whether a rule lets a review come this way. */
export type RuleCheck = (rule: AccessRule) => boolean;

type ReviewChecks = {
  allowed?: RuleCheck;
  /** Asks for the reviewer's passkey, where a rule wants it: its id. Only the API has a place for one. */
  confirm?: () => Promise<Result<{ passkey_id: string }>>;
};

/** A review under the rule as the policy has it now; shared by the API, signed decisions, chat and links. */
export async function reviewRequest(
  deps: Pick<AccessDeps, "accessRequest" | "policy">,
  id: string,
  review: ReviewInput,
  reviewer: Person,
  { allowed = () => true, confirm = async () => err(NO_PASSKEY_HERE) }: ReviewChecks = {},
): Promise<Result<AccessRequest>> {
  if (!isId("req", id)) return err(NOT_FOUND);
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const object = deps.accessRequest(id);
  const request = await object.read();
  if (!request.ok) return request;
  const rule = policy.value.access_rules.find((candidate) => candidate.id === request.value.rule_id);
  if (rule && !allowed(rule)) return err(NOT_THIS_WAY);
  if (!rule?.high_risk || review.outcome === "deny") return object.review(review, reviewer, rule ?? null);
  const confirmed = await confirm();
  if (!confirmed.ok) return confirmed;
  return object.review({ ...review, passkey: confirmed.value.passkey_id }, reviewer, rule);
}

/** What the passkey must have confirmed is made from the review itself. */
async function confirmApproval(
  { passkey }: Pick<AccessDeps, "passkey">,
  access_request_id: string,
  review: z.output<typeof reviewSchema>,
  subject: string,
): Promise<Result<{ passkey_id: string }>> {
  if (!review.passkey) return err(NEEDS_PASSKEY);
  const { extension, scope, duration_seconds, max_uses } = review;
  const confirms = { access_request_id, extension, scope, duration_seconds, max_uses };
  return passkey(subject, { kind: "access_request.approve", ...confirms }, review.passkey);
}

/** One's own, one that one may review, or any with `requests:read_all`; everything else does not exist. */
export async function readVisible(
  actor: Actor,
  deps: Pick<AccessDeps, "accessRequest" | "policy">,
  id: string,
): Promise<Result<AccessRequest>> {
  if (!isId("req", id)) return err(NOT_FOUND);
  const request = await deps.accessRequest(id).read();
  if (!request.ok) return request;
  if (request.value.requester.subject === actor.subject || actor.scopes.includes("requests:read_all"))
    return request;
  const policy = await deps.policy();
  if (!policy.ok) return policy;
  const rule = policy.value.access_rules.find(({ id: ruleId }) => ruleId === request.value.rule_id);
  const may = actor.scopes.includes("requests:review") && rule && mayReview(rule, personOfActor(actor));
  return may ? request : err(NOT_FOUND);
}

/** By what the directory finds the requests that wait for this person's review. */
function reviewKeys(policy: PolicyDocument, actor: Actor): string[] {
  if (!actor.scopes.includes("requests:review")) return [];
  const own = ownGrounds(actor);
  return policy.access_rules.flatMap((rule) => {
    const named = new Set(approversOf(rule).flatMap(groundsOf));
    return own.filter((ground) => named.has(ground)).map((ground) => awaitingKey(rule.id, ground));
  });
}

function present(result: Result<AccessRequest>, now: number) {
  return result.ok ? ok(presentRequest(result.value, now)) : result;
}
