import * as z from "zod";
import { approvalTree } from "./approval-tree-schema.ts";
import { MAX_USES } from "./max-uses.ts";
import {
  conditionSource,
  DAY_SECONDS,
  name,
  resourcePattern,
  roleName,
  scopeToken,
  seconds,
  timeZone,
} from "./names.ts";

const HOUR_SECONDS = 3600;
const LONGEST_SECONDS = 30 * DAY_SECONDS;

const peopleShape = {
  roles: z.array(roleName).max(32).default([]),
  subjects: z.array(z.string().min(1).max(320)).max(200).default([]),
};
const namesSomebody = (p: { roles: string[]; subjects: string[] }) => p.roles.length + p.subjects.length > 0;
const NAME_SOMEBODY = "name at least one role or subject";

/** Who is meant: anybody that is named, or has one of the roles. */
export const people = z.strictObject(peopleShape).refine(namesSomebody, NAME_SOMEBODY);

const requesters = z
  .strictObject({
    ...peopleShape,
    condition: conditionSource
      .exactOptional()
      .describe("CEL over requester, resource, request, time: they may ask where it is exactly true."),
  })
  .refine(namesSomebody, NAME_SOMEBODY);

const escalation = z
  .strictObject({
    after_seconds: seconds(LONGEST_SECONDS).describe("Counted from when the stage began."),
    ...peopleShape,
  })
  .refine(namesSomebody, NAME_SOMEBODY)
  .describe("Who may also approve, in the place of anybody, once a stage has waited so long.");

const ticket = z
  .strictObject({
    prefixes: z
      .array(z.string().regex(/^[\x21-\x7e]{1,32}$/, "must be 1–32 printable characters without spaces"))
      .min(1)
      .max(16)
      .exactOptional()
      .describe("A ticket is one of these and what follows. Absent: any ticket."),
    suffix: z
      .enum(["digits", "letters_and_digits"])
      .exactOptional()
      .describe("What follows the prefix, 1–32 of them; digits where it is absent. Needs `prefixes`."),
  })
  .refine((t) => t.suffix === undefined || t.prefixes !== undefined, {
    path: ["suffix"],
    message: "needs prefixes",
  })
  .describe("A ticket is required.");

const breakGlass = z
  .strictObject({
    ...peopleShape,
    max_duration_seconds: seconds(4 * HOUR_SECONDS).default(HOUR_SECONDS),
    reviewers: people.describe("Who reviews each use afterwards; never who used it."),
    review_within_seconds: seconds(7 * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe("Counted from the end of the grant."),
  })
  .refine(namesSomebody, NAME_SOMEBODY)
  .describe("Who may take this access at once in an emergency. It is told before the token is given.");

export const accessRuleSchema = z
  .strictObject({
    id: name,
    resource: resourcePattern.describe("`:name` and `*` each stand for any one segment."),
    origin: name.describe("The origin that tokens of this rule are for."),
    scopes: z.array(scopeToken).min(1),
    requesters,
    stages: z
      .array(approvalTree)
      .min(1)
      .max(5)
      .describe("Who must approve, one stage after the other. One person's approval counts once."),
    decide_in_chat: z
      .boolean()
      .default(false)
      .describe("Lets approvers decide by a button in a chat message; else they open the request."),
    high_risk: z
      .boolean()
      .default(false)
      .describe("An approval counts only with the approver's passkey, bound to what is approved."),
    approve_when: conditionSource.exactOptional().describe("CEL: approved at once where it is exactly true."),
    deny_when: conditionSource
      .exactOptional()
      .describe("CEL: denied at once where it is exactly true. Where it fails, nothing is approved at once."),
    time_zone: timeZone.default("UTC").describe("The zone of `time` in conditions."),
    justification_min_length: z.int().min(1).max(500).default(1),
    ticket: ticket.exactOptional(),
    max_duration_seconds: seconds(LONGEST_SECONDS),
    default_duration_seconds: seconds(LONGEST_SECONDS)
      .optional()
      .describe("Absent: one hour, or the maximum where that is shorter."),
    max_total_seconds: seconds(LONGEST_SECONDS)
      .optional()
      .describe("How long a grant may become by extensions. Absent: max_duration_seconds."),
    warn_before_end_seconds: seconds(DAY_SECONDS).default(300),
    review_deadline_seconds: seconds(LONGEST_SECONDS).default(DAY_SECONDS),
    reminder_after_seconds: seconds(LONGEST_SECONDS)
      .exactOptional()
      .describe("Approvers are reminded once in each stage that has waited so long."),
    escalation: escalation.exactOptional(),
    cool_down_seconds: seconds(LONGEST_SECONDS)
      .exactOptional()
      .describe("How long after a denial the same person cannot ask for the same resource by this rule."),
    max_parallel: z
      .int()
      .min(1)
      .max(100)
      .exactOptional()
      .describe(
        "Open requests and grants that are not over, together, that one person may have by this rule.",
      ),
    max_uses: z
      .int()
      .min(1)
      .max(MAX_USES)
      .exactOptional()
      .describe(
        "How many requests a grant of this rule opens at most. Absent: counted only where it is asked for.",
      ),
    break_glass: breakGlass.exactOptional(),
    access_token_ttl_seconds: seconds(HOUR_SECONDS).default(300),
    status_list: z
      .literal(true)
      .exactOptional()
      .describe(
        "Its tokens name their place in a Token Status List, for verifiers that do not ask the gate.",
      ),
  })
  .superRefine((rule, context) => {
    const longer = (path: string[], value: number | undefined, limit: number, than: string) => {
      if ((value ?? 0) > limit)
        context.addIssue({ code: "custom", path, message: `must not be longer than ${than}` });
    };
    if (rule.high_risk && rule.decide_in_chat) {
      const message = "has no place for a passkey: leave it out where high_risk is set";
      context.addIssue({ code: "custom", path: ["decide_in_chat"], message });
    }
    const { max_duration_seconds: max, review_deadline_seconds: deadline } = rule;
    longer(["default_duration_seconds"], rule.default_duration_seconds, max, "max_duration_seconds");
    longer(["max_duration_seconds"], max, rule.max_total_seconds ?? max, "max_total_seconds");
    longer(["reminder_after_seconds"], rule.reminder_after_seconds, deadline, "review_deadline_seconds");
    longer(
      ["escalation", "after_seconds"],
      rule.escalation?.after_seconds,
      deadline,
      "review_deadline_seconds",
    );
  })
  .transform((rule) => ({
    ...rule,
    default_duration_seconds:
      rule.default_duration_seconds ?? Math.min(HOUR_SECONDS, rule.max_duration_seconds),
    max_total_seconds: rule.max_total_seconds ?? rule.max_duration_seconds,
  }));
