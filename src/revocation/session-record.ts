import type { Confirmation } from "../protocol/confirmation.ts";

/** A session as the API and the directory show it. Times are epoch seconds. */
export type SessionRecord = {
  /** `ses_…`, the `sid` of its access tokens. */
  id: string;
  state: "active" | "expired" | "revoked";
  subject: string;
  client_id: string;
  /** What each refresh must prove, as in an access token. */
  cnf?: Confirmation;
  /** Id of the identity provider in the policy. */
  issuer_id: string;
  /** The session there (`sid`), where it told of one. */
  provider_session?: string;
  audience: string;
  /** The most that its access tokens can have. */
  scope: string;
  opened_at: number;
  refreshed_at: number;
  /** When it is over if it is not refreshed, and when it is over at the latest. */
  idle_end: number;
  absolute_end: number;
  ended?: { at: number; by: string; reason: string };
};

/** A page of sessions, newest first. All members that are given must hold. */
export type SessionQuery = {
  limit: number;
  /** The id after which the page begins. */
  cursor?: string;
  subject?: string;
  client_id?: string;
  /** The session at the identity provider that it grew from. */
  provider_session?: string;
  state?: SessionRecord["state"];
};
