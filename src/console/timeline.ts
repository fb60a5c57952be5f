import type { ExtensionView, RequestView, ReviewView, RoundView } from "./wire.ts";

/** One thing that happened to a request. `at` is epoch seconds; `said` is somebody's own text. */
export type Moment = {
  at: number;
  what: string;
  said?: string;
  less?: Pick<ReviewView, "duration_seconds" | "scope" | "max_uses">;
};

/** What happened until now, oldest first. */
export function timelineOf(request: RequestView, now: number): Moment[] {
  const { requester, grant, extensions = [], break_glass: glass } = request;
  const moments: Moment[] = [
    { at: request.created_at, what: `Asked by ${requester}`, said: request.justification },
    ...roundMoments(request, "the request"),
    ...extensions.flatMap((extension) => extensionMoments(extension, requester)),
  ];
  if (glass?.alerted_at !== undefined)
    moments.push({ at: glass.alerted_at, what: "The emergency was told to every endpoint that listens" });
  if (glass?.review) moments.push(reviewMoment(glass.review, "the emergency"));
  if (grant) {
    moments.push({ at: grant.access_start, what: "Access began" });
    if (grant.revoked_at !== undefined)
      moments.push({
        at: grant.revoked_at,
        what: grant.revoked_by === requester ? "Given back" : `Revoked by ${grant.revoked_by}`,
        ...(grant.revoke_reason === undefined ? {} : { said: grant.revoke_reason }),
      });
    else if (grant.used_up_at !== undefined) moments.push({ at: grant.used_up_at, what: "Used up" });
    else moments.push({ at: grant.access_expiry, what: "Access ended" });
  }
  return moments.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
}

function extensionMoments(extension: ExtensionView, requester: string): Moment[] {
  return [
    { at: extension.created_at, what: `More time asked by ${requester}`, said: extension.justification },
    ...roundMoments(extension, "the extension"),
  ];
}

function roundMoments(round: RoundView, what: string): Moment[] {
  const moments = round.reviews.map((review) => reviewMoment(review, what));
  const { decided_at: at, decided_by: by, state } = round;
  if (at !== undefined && by === "rule")
    moments.push({ at, what: `${capital(state)} by the access rule itself` });
  if (at !== undefined && by === "break_glass") moments.push({ at, what: "Taken in an emergency" });
  if (at !== undefined && state === "cancelled") moments.push({ at, what: `Took back ${what}` });
  if (state === "expired")
    moments.push({ at: round.review_deadline, what: `Nobody decided ${what} in time` });
  return moments;
}

function reviewMoment(review: ReviewView, what: string): Moment {
  const { approver, outcome, comment, reviewed_at: at, via, duration_seconds, scope, max_uses } = review;
  const verb = outcome === "approve" ? "approved" : "denied";
  const through = via === undefined ? "" : ` through ${via}`;
  const confirmed = review.passkey === undefined ? "" : ", confirmed with a passkey";
  const less = {
    ...(duration_seconds === undefined ? {} : { duration_seconds }),
    ...(scope === undefined ? {} : { scope }),
    ...(max_uses === undefined ? {} : { max_uses }),
  };
  return {
    at,
    what: `${approver} ${verb} ${what}${through}${confirmed}`,
    ...(comment === undefined ? {} : { said: comment }),
    ...(Object.keys(less).length > 0 ? { less } : {}),
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
