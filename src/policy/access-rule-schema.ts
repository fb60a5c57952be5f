import * as z from "zod";
import { DAY_SECONDS, name, roleName, scopeToken, seconds } from "./names.ts";
import { resourcePattern } from "./resource-name.ts";

/** Who is meant: anybody that is named, or has one of the roles. */
export const people = z
  .strictObject({
    roles: z.array(roleName).default([]),
    subjects: z.array(z.string().min(1).max(320)).default([]),
  })
  .refine((p) => p.roles.length + p.subjects.length > 0, "name at least one role or subject");

export const accessRuleSchema = z
  .strictObject({
    id: name,
    resource: resourcePattern.describe("`:name` and `*` each stand for any one segment."),
    origin: name.describe("The origin that tokens of this rule are for."),
    scopes: z.array(scopeToken).min(1),
    requesters: people,
    approvers: people,
    approvals: z.int().min(1).max(10).default(1).describe("How many different approvers must approve."),
    decide_in_chat: z
      .boolean()
      .default(false)
      .describe("Lets approvers decide by a button in a chat message; else they open the request."),
    max_duration_seconds: seconds(30 * DAY_SECONDS),
    default_duration_seconds: seconds(30 * DAY_SECONDS)
      .optional()
      .describe("Absent: one hour, or the maximum where that is shorter."),
    review_deadline_seconds: seconds(30 * DAY_SECONDS).default(DAY_SECONDS),
    access_token_ttl_seconds: seconds(3600).default(300),
  })
  .refine((r) => (r.default_duration_seconds ?? 0) <= r.max_duration_seconds, {
    path: ["default_duration_seconds"],
    message: "must not be longer than max_duration_seconds",
  })
  .transform((r) => ({
    ...r,
    default_duration_seconds: r.default_duration_seconds ?? Math.min(3600, r.max_duration_seconds),
  }));
