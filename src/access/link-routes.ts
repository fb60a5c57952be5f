import { type Context, Hono } from "hono";
import * as z from "zod";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import { pageHeaders } from "../platform/html-page.ts";
import { type Actor, answer, type HttpEnv, jsonBody, requireScope } from "../platform/http.ts";
import { isId, newSecret } from "../platform/ids.ts";
import { type ProblemCode, problem, problemStatus } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import { checkHandOut } from "../webhooks/reviews-as.ts";
import { type AccessRequest, roundOf } from "./access-request.ts";
import { type ApprovalLink, type ApprovalLinks, reviewIdOf } from "./approval-link.ts";
import { messagePage, outcomePage, reviewPage } from "./link-page.ts";
import { personOfActor } from "./open.ts";
import { decidedAlready, type Round, roundState, tookPart } from "./round.ts";
import { type AccessDeps, plainText, readVisible, reviewRequest } from "./routes.ts";

export type LinkDeps = Pick<AccessDeps, "accessRequest" | "policy"> & {
  links: ApprovalLinks;
  issuer: string;
  clock: Clock;
};

const DAY_SECONDS = 86_400;
const NO_EXTENSION = problem("not_found", "This grant has no such extension.");

const linkSchema = z.strictObject({
  approver: z.string().min(1).max(320).describe("Subject, as the access rules name it."),
  extension: z
    .string()
    .max(64)
    .exactOptional()
    .describe("The extension that is decided. Absent: the request itself."),
  roles: z
    .array(z.string().regex(/^[\x21-\x7e]{1,128}$/))
    .max(8)
    .default([])
    .describe("Roles that the approver has when the access rule is looked at."),
  expires_in_seconds: z
    .int()
    .min(1)
    .max(7 * DAY_SECONDS)
    .default(DAY_SECONDS),
});

const formSchema = z.strictObject({
  outcome: z.enum(["approve", "deny"]),
  // A form's line breaks have two characters.
  comment: z
    .string()
    .transform((text) => text.replaceAll("\r\n", "\n"))
    .pipe(plainText.max(2_000))
    .default(""),
});

/** `POST /v1/access-requests/{id}/links`: a link with which one approver decides without signing in. */
export function linkRoutes(deps: LinkDeps) {
  return new Hono<HttpEnv>().post(
    "/v1/access-requests/:id/links",
    requireScope("links:create", "requests:review"),
    jsonBody(linkSchema),
    async (c) => answer(c, await makeLink(deps, c.var.actor, c.req.param("id"), c.req.valid("json")), 201),
  );
}

async function makeLink(
  deps: LinkDeps,
  actor: Actor,
  id: string,
  { approver, roles, expires_in_seconds, extension }: z.output<typeof linkSchema>,
): Promise<Result<{ url: string; approver: string; expires_at: number }>> {
  // Whoever has the link decides as the approver: without the scope for it, only as oneself.
  const allowed = actor.scopes.includes("links:create")
    ? ok(null)
    : checkHandOut(actor, { roles, subjects: [approver] });
  if (!allowed.ok) return allowed;
  if (!isId("req", id)) return err(problem("not_found", "There is no such access request."));
  const request = actor.scopes.includes("links:create")
    ? await deps.accessRequest(id).read()
    : await readVisible(actor, deps, id);
  if (!request.ok) return request;
  const { requester } = request.value;
  const round = roundOf(request.value, extension);
  if (!round) return err(NO_EXTENSION);
  if (tookPart(requester, personOfActor(actor)) || tookPart(requester, { subject: approver, roles })) {
    return err(
      problem("forbidden", "Nobody makes a link to their own access request, and nobody is sent one."),
    );
  }
  const now = epochSeconds(deps.clock());
  const state = roundState(round, now);
  if (state !== "pending") return err(decidedAlready(state));
  const expires_at = Math.min(now + expires_in_seconds, round.review_deadline);
  const link = {
    access_request_id: id,
    ...(extension === undefined ? {} : { extension }),
    approver: { subject: approver, roles },
    made_by: actor.subject,
    expires_at,
  };
  return ok({ url: `${deps.issuer}/v1/links/${await deps.links.make(link)}`, approver, expires_at });
}

/** `/v1/links/…`, without an access token: GET shows, POST decides. The link itself is the credential. */
export function linkPageRoutes(deps: LinkDeps) {
  return new Hono<HttpEnv>()
    .get("/v1/links/:text", async (c) => {
      const nonce = newSecret();
      const open = await openLink(deps, c.req.param("text"));
      if (!open.ok) return refusalPage(c, open.error.code, open.error.detail);
      const { request, link } = open.value;
      return c.html(reviewPage(request, link, nonce), 200, linkHeaders(nonce));
    })
    .post("/v1/links/:text", async (c) => {
      // Only our own page posts here; browsers say where a form was (Fetch Metadata), others have no cookies to abuse.
      const site = c.req.header("sec-fetch-site") ?? "same-origin";
      if (site !== "same-origin")
        return refusalPage(c, "forbidden", "Open the link itself and decide there.");
      const text = c.req.param("text");
      const open = await openLink(deps, text);
      if (!open.ok) return refusalPage(c, open.error.code, open.error.detail);
      const form = formSchema.safeParse(Object.fromEntries(new URLSearchParams(await c.req.text())));
      if (!form.success)
        return refusalPage(c, "invalid_body", "The form does not fit. Go back and try again.");
      const reviewed = await reviewBy(deps, open.value.link, text, form.data);
      if (!reviewed.ok) return refusalPage(c, reviewed.error.code, reviewed.error.detail);
      const nonce = newSecret();
      return c.html(outcomePage(reviewed.value, epochSeconds(deps.clock()), nonce), 200, linkHeaders(nonce));
    });
}

async function reviewBy(
  deps: LinkDeps,
  { access_request_id, extension, approver, made_by }: ApprovalLink,
  text: string,
  { outcome, comment }: z.output<typeof formSchema>,
): Promise<Result<Round>> {
  const id = await reviewIdOf(text);
  const review = {
    ...{ id, outcome, approver: approver.subject, via: `link:${made_by}` },
    ...(comment === "" ? {} : { comment }),
    ...(extension === undefined ? {} : { extension }),
  };
  const reviewed = await reviewRequest(deps, access_request_id, review, approver);
  return reviewed.ok ? ok(roundOf(reviewed.value, extension) ?? reviewed.value) : reviewed;
}

/** What the link is for, where it still opens: it was made here, is not over, not used, and nobody has decided. */
async function openLink(
  { links, accessRequest, clock }: LinkDeps,
  text: string,
): Promise<Result<{ link: ApprovalLink; request: AccessRequest }>> {
  const link = await links.read(text);
  if (!link)
    return err(problem("not_found", "This is not a link of this deployment. Check that it is whole."));
  const now = epochSeconds(clock());
  if (now >= link.expires_at) return err(problem("gone", "The time of this link is over."));
  const request = await accessRequest(link.access_request_id).read();
  if (!request.ok) return request;
  const id = await reviewIdOf(text);
  const round = roundOf(request.value, link.extension);
  if (!round) return err(NO_EXTENSION);
  if (round.reviews.some((review) => review.id === id)) {
    return err(problem("gone", "This link was used. It works once."));
  }
  const state = roundState(round, now);
  if (state !== "pending") return err(problem("gone", `The access request is ${state} already.`));
  return ok({ link, request: request.value });
}

/** The link is a credential: no other site is told where a reader came from. */
function linkHeaders(nonce: string) {
  return pageHeaders(nonce, { referrer: "no-referrer" });
}

function refusalPage(c: Context<HttpEnv>, code: ProblemCode, text: string) {
  const nonce = newSecret();
  return c.html(messagePage(text, nonce), problemStatus(code) as 400, linkHeaders(nonce));
}
