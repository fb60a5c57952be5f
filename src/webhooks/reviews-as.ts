import * as z from "zod";
import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";

/** On whose behalf the holder of an endpoint's secret may review access requests. */
export const reviewsAsSchema = z
  .strictObject({
    roles: z
      .array(z.string().regex(/^[\x21-\x7e]{1,128}$/))
      .max(32)
      .default([])
      .describe("Roles that its approvers have when the access rule is looked at."),
    subjects: z
      .array(z.string().min(1).max(320))
      .min(1)
      .max(200)
      .exactOptional()
      .describe("The only approvers that it may name. Absent: any."),
  })
  .refine((r) => r.roles.length > 0 || r.subjects !== undefined, "name at least one role or subject");

export type ReviewsAs = z.output<typeof reviewsAsSchema>;

/**
 * Whether an actor may hand this authority to the holder of a secret. With `policy:write` they could take
 * any authority by the policy itself. Everyone else may only pass on what is theirs: their own roles, in
 * their own name. Naming others would let one person approve as another, their own request included; so would
 * passing on the name of somebody for whom they act.
 */
export function checkHandOut(
  actor: { subject: string; scopes: readonly string[]; roles: readonly string[]; actors?: readonly string[] },
  reviewsAs: ReviewsAs,
): Result<null> {
  if (actor.scopes.includes("policy:write")) return ok(null);
  if (actor.actors?.length) {
    const detail = "Who acts for somebody else (`act`) cannot pass on that person's reviews.";
    return err(problem("forbidden", detail));
  }
  const foreignRole = reviewsAs.roles.find((role) => !actor.roles.includes(role));
  if (foreignRole !== undefined) {
    return err(
      problem(
        "forbidden",
        `reviews_as.roles: you do not have the role ${foreignRole}. Without policy:write you can only pass on your own.`,
      ),
    );
  }
  if (reviewsAs.subjects?.every((subject) => subject === actor.subject)) return ok(null);
  return err(
    problem(
      "forbidden",
      "reviews_as.subjects: without policy:write an endpoint can only review in your own name; list your subject alone.",
    ),
  );
}

export function mayName(reviewsAs: ReviewsAs, approver: string): boolean {
  return reviewsAs.subjects === undefined || reviewsAs.subjects.includes(approver);
}
