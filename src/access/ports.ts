import type { Person } from "../policy/access-conditions.ts";
import type { AccessRule } from "../policy/document.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import type { Result } from "../protocol/result.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import type { StatusReference } from "../protocol/status-list.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation } from "../revocation/rule.ts";
import type { AccessRequest, Ask, IssuedToken, PolledToken, Requester } from "./access-request.ts";
import type { EventRow } from "./access-request-store.ts";
import type { Admission } from "./admission-store.ts";
import type { DirectoryQuery } from "./directory-store.ts";
import type { ExtensionAsk } from "./extension.ts";
import type { ReviewInput } from "./round.ts";

/** What this room needs of the replication log. */
export type LogPort = {
  append(entry: { id: string; kind: "revocation.added"; rule: Revocation }): Promise<Result<Receipt>>;
};

/** RFC 8693 §4.1: who acts now, and within it who acted before. */
export type ActClaim = { sub: string; act?: ActClaim };

/** What this room needs of the key ring. */
export type KeyringPort = {
  mint(input: {
    jti: string;
    subject: string;
    audience: string;
    clientId: string;
    scopes: string[];
    ttlSeconds: number;
    grant: { id: string; accessStart: number; accessExpiry: number; resource: string; maxUses?: number };
    act?: ActClaim;
    confirmation?: Confirmation;
    signIn?: SignIn;
    status?: StatusReference;
  }): Promise<Result<{ accessToken: string; jti: string; expiresAt: number; expiresInSeconds: number }>>;
};

/** Where the status of a grant's tokens is told. Times are epoch seconds. */
export type StatusListPort = {
  allot(allotment: {
    grant: string;
    sub: string;
    client_id: string;
    until: number;
  }): Promise<Result<StatusReference>>;
};

/** What an access request tells the directory. */
export type DirectoryPort = {
  put(request: AccessRequest, version: number): Promise<Result<null>>;
};

/** The request as it is, and what happened to it after some event, oldest first. */
export type Happened = { request: AccessRequest; events: EventRow[] };

/** An access request's object as the routes call it. */
export type AccessRequestPort = {
  open(
    id: string,
    requester: Requester,
    ask: Ask,
    rule: AccessRule,
    audience: string,
    emergency?: boolean,
  ): Promise<Result<AccessRequest>>;
  read(): Promise<Result<AccessRequest>>;
  review(input: ReviewInput, reviewer: Person, rule: AccessRule | null): Promise<Result<AccessRequest>>;
  extend(ask: ExtensionAsk, person: Person, rule: AccessRule | null): Promise<Result<AccessRequest>>;
  decided(timeoutMs: number): Promise<Result<AccessRequest>>;
  happened(after: string | null, timeoutMs: number): Promise<Result<Happened>>;
  cancel(subject: string): Promise<Result<AccessRequest>>;
  /**
   * `confirmation`: what the token is bound to, null where nothing. `actors` collect it for the subject, nearest
   * first; `signIn` is how the subject signed in.
   */
  issueToken(
    subject: string,
    confirmation: Confirmation | null,
    actors?: readonly string[],
    signIn?: SignIn,
  ): Promise<Result<IssuedToken>>;
  startPolling(clientId: string, intervalSeconds: number): Promise<Result<null>>;
  poll(clientId: string, confirmation: Confirmation | null): Promise<Result<PolledToken>>;
  revokeGrant(by: string, reason: string): Promise<Result<Receipt>>;
};

/** The directory as the routes call it. */
export type DirectoryReadPort = {
  list(query: DirectoryQuery): Promise<Result<AccessRequest[]>>;
  admit(admission: Admission): Promise<Result<null>>;
};
