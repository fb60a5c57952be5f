import * as z from "zod";
import { json, type Operations, raw } from "../platform/operation.ts";

const page = raw("A page.", "text/html");
const session = { credential: "session", client: false } as const;
const open = { credential: "none", client: false } as const;
const redirect = { description: "Elsewhere.", headers: { Location: "Where to." } };

const moment = z.number().describe("Epoch seconds.");
const signedIn = z
  .strictObject({
    id: z.string(),
    subject: z.string(),
    issuer_id: z.string(),
    opened_at: moment,
    idle_end: moment,
    absolute_end: moment,
    csrf_token: z.string(),
  })
  .meta({ id: "SignedIn", description: "Who is signed in, for the page's own scripts." });

export const browserOperations: Operations = {
  "GET /session": {
    ...session,
    id: "session.read",
    summary: "Read who is signed in with this browser",
    answers: {
      200: json("The session.", signedIn, {
        ...{ id: "ses_01m80vge8se3ps2w3e76kefsk1", subject: "corp|alice", issuer_id: "corp" },
        ...{ opened_at: 1795325180, idle_end: 1795411580, absolute_end: 1797917180, csrf_token: "r4nd0m" },
      }),
    },
    errors: ["invalid_token"],
  },
  "GET /session/sign-in": {
    ...open,
    id: "session.signIn",
    summary: "Sign in with a browser",
    description: "Leads to the identity provider, or has the person choose one.",
    answers: { 200: page, 303: redirect, 400: page, 503: page },
  },
  "GET /session/callback/:provider": {
    ...open,
    id: "session.callback",
    summary: "Come back from the identity provider",
    answers: { 200: page, 303: redirect, 400: page, 403: page, 503: page },
  },
  "GET /session/sign-out": {
    ...session,
    id: "session.askToSignOut",
    summary: "Ask whether to sign out",
    answers: { 200: page },
  },
  "POST /session/sign-out": {
    ...session,
    id: "session.signOut",
    summary: "Sign out everywhere",
    description: "From a page of this origin, with the session's `csrf_token` or `X-CSRF-Token`.",
    body: {
      media: "application/x-www-form-urlencoded",
      schema: z.object({ csrf_token: z.string().exactOptional() }),
      example: { csrf_token: "r4nd0m" },
    },
    answers: { 303: redirect },
    errors: ["forbidden"],
  },
  "GET /session/device": {
    ...session,
    id: "session.device",
    summary: "Ask whether a device may act as who is signed in (RFC 8628 §3.3)",
    query: z.object({ user_code: z.string().exactOptional() }),
    answers: { 200: page, 303: redirect, 400: page, 503: page },
  },
  "POST /session/device": {
    ...session,
    id: "session.decideDevice",
    summary: "Sign a device in, or not",
    description: "From the page itself, with the session's `csrf_token`.",
    body: {
      media: "application/x-www-form-urlencoded",
      schema: z.object({
        csrf_token: z.string(),
        user_code: z.string(),
        decision: z.enum(["allow", "deny"]),
      }),
      example: { csrf_token: "r4nd0m", user_code: "WDJB-MJHT", decision: "allow" },
    },
    answers: { 200: page, 400: page, 401: page, 403: page, 503: page },
  },
  "GET /session/signed-out": {
    ...open,
    id: "session.signedOut",
    summary: "Read that nobody is signed in",
    answers: { 200: page },
  },
  "POST /v1/signals/backchannel-logout": {
    id: "signals.backchannelLogout",
    summary: "End the sessions that an identity provider names",
    description:
      "OpenID Connect Back-Channel Logout: called by the provider; the logout token is the credential.",
    credential: "signature",
    client: false,
    body: {
      media: "application/x-www-form-urlencoded",
      required: true,
      schema: z.looseObject({ logout_token: z.string() }),
      example: { logout_token: "eyJ…" },
    },
    answers: { 200: { description: "They are over." } },
    oauthErrors: [400, 413, 503],
  },
};
