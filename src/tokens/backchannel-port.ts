import type { Confirmation } from "../protocol/confirmation.ts";
import type { Json } from "../protocol/json.ts";
import type { Result } from "../protocol/result.ts";
import type { TokenType } from "./sender-binding.ts";

/** What a client asks an approver for, on behalf of somebody. */
export type BackchannelAsk = {
  clientId: string;
  subject: string;
  roles: string[];
  scopes: string[];
  /** Absent: the one that the scopes stand for. */
  resource?: string;
  durationSeconds?: number;
  justification: string;
  ticket?: string;
  maxUses?: number;
  /** Nobody can approve it later. */
  expiresInSeconds?: number;
  /** How long the client waits between two polls. */
  intervalSeconds: number;
};

/** Access requests as CIBA uses them: `auth_req_id` is the request's id. */
export type BackchannelPort = {
  open(ask: BackchannelAsk): Promise<Result<{ id: string; expires_at: number }>>;
  /**
   * The grant's next access token, bound to `confirmation` where there is one. `too_many_requests` where the client did not wait; otherwise the problem's
   * `extra.state` says how it stands.
   */
  poll(
    id: string,
    clientId: string,
    confirmation: Confirmation | null,
  ): Promise<
    Result<{
      access_token: string;
      token_type: TokenType;
      expires_in: number;
      scope: string;
      authorization_details: Json;
    }>
  >;
};
