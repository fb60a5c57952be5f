import * as z from "zod";

const PRINTABLE = /^[\x21-\x7e]+$/;
/** Slack's ids of users (`U…`, on Enterprise Grid also `W…`). */
const USER_ID = /^[UW][A-Z0-9]{2,31}$/;

const slackApprover = z.strictObject({
  subject: z.string().min(1).max(320).describe("Subject, as the access rules name it."),
  roles: z
    .array(z.string().regex(/^[\x21-\x7e]{1,128}$/))
    .max(32)
    .default([])
    .describe("Roles that it has when the access rule is looked at."),
});

/** How an endpoint sends to Slack. With `bot_token` its URL is `chat.postMessage`, else an incoming webhook. */
export const slackSchema = z
  .strictObject({
    bot_token: z.string().max(512).regex(PRINTABLE).exactOptional(),
    channel: z
      .string()
      .max(80)
      .regex(/^[CDG][A-Z0-9]+$/, "must be a channel's id")
      .exactOptional(),
    signing_secret: z
      .string()
      .min(16)
      .max(128)
      .regex(PRINTABLE)
      .exactOptional()
      .describe("Of the Slack app, under Basic Information. Needed for `approvers`."),
    approvers: z
      .record(z.string().regex(USER_ID, "must be a Slack user id"), slackApprover)
      .refine((people) => Object.keys(people).length <= 200, "at most 200")
      .default({})
      .describe("Slack users whose clicks count as reviews, where the access rule has `decide_in_chat`."),
  })
  .refine((s) => (s.bot_token === undefined) === (s.channel === undefined), {
    path: ["channel"],
    message: "goes with bot_token: a bot must be told the channel, an incoming webhook has one",
  })
  .refine((s) => s.signing_secret !== undefined || Object.keys(s.approvers).length === 0, {
    path: ["signing_secret"],
    message: "is needed for approvers: without it nobody can tell that Slack sent a click",
  });

export type SlackInput = z.output<typeof slackSchema>;
export type SlackApprover = z.output<typeof slackApprover>;
