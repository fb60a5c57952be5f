import type { Result } from "../protocol/result.ts";
import type { Receipt } from "../revocation/receipt.ts";
import type { Revocation, TokenFacts } from "../revocation/rule.ts";
import type { SessionQuery, SessionRecord } from "../revocation/session-record.ts";
import type { MintedToken, MintInput } from "./access-token.ts";
import type { CookieUse } from "./browser-session.ts";
import type { CookieAnswer, CookieToken, HandOverCall, SignInCall } from "./browser-session-flow.ts";
import type { Assertion } from "./session.ts";
import type { OpenCall, RefreshCall, SessionAnswer } from "./session-flow.ts";

/** A session's object as others call it. */
export type SessionPort = {
  open(call: OpenCall): Promise<Result<SessionAnswer>>;
  refresh(call: RefreshCall): Promise<Result<SessionAnswer>>;
  read(): Promise<Result<SessionRecord>>;
  find(credential: string): Promise<Result<SessionRecord>>;
  revoke(by: string, reason: string, clientId?: string): Promise<Result<Receipt>>;
};

/** A browser's session as the sign-in and the edges call it. */
export type BrowserSessionPort = {
  signIn(call: SignInCall): Promise<Result<CookieAnswer>>;
  token(use: CookieUse, audience: string, refused?: string): Promise<Result<CookieToken>>;
  who(use: CookieUse): Promise<Result<SessionRecord>>;
  vouch(use: CookieUse): Promise<Result<Assertion>>;
  handOver(call: HandOverCall): Promise<Result<CookieAnswer>>;
  revoke(by: string, reason: string): Promise<Result<Receipt>>;
  revokeIfHit(rule: Revocation, by: string): Promise<Result<null>>;
};

/** What a session needs of the log. */
export type SessionLogPort = {
  append(entry: { id: string; kind: "revocation.added"; rule: Revocation }): Promise<Result<Receipt>>;
  hit(tokens: TokenFacts[], since: number): Promise<Result<Revocation | null>>;
};

/** What a session needs of the key ring. */
export type SessionKeyringPort = { mint(input: MintInput): Promise<Result<MintedToken>> };

/** What a session tells the directory. */
export type SessionDirectoryPort = {
  putSession(session: SessionRecord, version: number): Promise<Result<null>>;
};

export type SessionListPort = {
  listSessions(query: SessionQuery): Promise<Result<SessionRecord[]>>;
};
