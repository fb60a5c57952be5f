import * as z from "zod";
import { EVENT_KINDS, SECURITY_EVENT_NAMES, type SecurityEventName } from "../protocol/security-event.ts";
import { ASYMMETRIC_ALGORITHMS, publicJwks } from "./issuer-schema.ts";
import { DAY_SECONDS, httpUrl, name } from "./names.ts";

/** What a signal can lead to, from the strongest. */
export const SIGNAL_ACTIONS = [
  "revoke_subject",
  "revoke_sessions",
  "revoke_session",
  "step_up",
  "restore_subject",
  "notify",
  "ignore",
] as const;
export type SignalAction = (typeof SIGNAL_ACTIONS)[number];

const action = z
  .enum(SIGNAL_ACTIONS)
  .describe(
    "revoke_session: the session that is named, else all of the person's; revoke_sessions: all of the person's " +
      "sessions and tokens until now; revoke_subject: the same, and none anew until restore_subject or an operator " +
      "lifts it; step_up: the person's tokens are good only with a sign-in that is later than this; notify: webhook endpoints are told, as with all of these; ignore: taken and kept, nothing more.",
  );

/** By the value that tells one kind of the event from another, such as `current_level`; others have the default. */
const actions = z.partialRecord(
  z.enum(SECURITY_EVENT_NAMES),
  z.union([action, z.record(z.string().max(64), action)]),
);

export const transmitterSchema = z
  .strictObject({
    id: name,
    issuer: httpUrl.describe("Exact `iss` of what it signs."),
    jwks_uri: httpUrl.exactOptional().describe("Where its public keys are. Give this or `jwks`."),
    jwks: publicJwks.exactOptional(),
    algorithms: z.array(z.enum(ASYMMETRIC_ALGORITHMS)).min(1),
    audience: z.string().min(1).max(512).describe("Its security event tokens must name this audience."),
    subjects_of: name.describe(
      "Id of the trusted issuer whose people it may speak of, and of nobody else's.",
    ),
    email_is_sub: z
      .boolean()
      .default(false)
      .describe("The trusted issuer's `sub` is the email address, so that an email names a person."),
    opaque_names: z
      .enum(["subject", "session"])
      .default("subject")
      .describe("What an opaque identifier that stands alone is: the issuer's `sub`, or its `sid`."),
    max_age_seconds: z
      .int()
      .min(60)
      .max(7 * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe("A security event token that was issued longer ago is refused."),
    global_token_revocation: z
      .boolean()
      .default(false)
      .describe("It may end all sessions of a person with POST /v1/signals/global-token-revocation."),
    events: actions.default({}).describe("What an event leads to, where that is not the default."),
  })
  .refine(
    (t) => (t.jwks_uri === undefined) !== (t.jwks === undefined),
    "give exactly one of jwks_uri and jwks",
  )
  .superRefine((t, context) => {
    for (const [event, choice] of Object.entries(t.events)) {
      const kinds = EVENT_KINDS[event as SecurityEventName];
      if (typeof choice === "string") continue;
      for (const value of Object.keys(choice).filter((each) => !kinds?.values.includes(each))) {
        const message = kinds
          ? `is no ${kinds.member}; use ${kinds.values.join(", ")}`
          : "this event has one kind: give one action";
        context.addIssue({ code: "custom", path: ["events", event, value], message });
      }
    }
  });

export const signalsSchema = z.strictObject({
  transmitters: z
    .array(transmitterSchema)
    .max(32)
    .default([])
    .describe("Who may tell this deployment of its people: SETs of CAEP and RISC, Global Token Revocation."),
});
