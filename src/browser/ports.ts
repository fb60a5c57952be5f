import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import type { PolicyDocument } from "../policy/document.ts";
import type { Result } from "../protocol/result.ts";
import type { BrowserSessionPort } from "../tokens/session-ports.ts";
import type { FindKey } from "../tokens/signed-jwt.ts";
import type { HandOver } from "./hand-over.ts";
import type { Providers } from "./provider.ts";
import type { Sealed } from "./sealed.ts";
import type { SignIn } from "./sign-in.ts";

/** What signing in with a browser works with. */
export type BrowserDeps = {
  issuer: string;
  /** The issuer is plain http on loopback. */
  local: boolean;
  clock: Clock;
  log: Logger;
  policy(): Promise<Result<PolicyDocument>>;
  session(id: string): BrowserSessionPort;
  newSessionId(): string;
  /** The session that a cookie names; undefined for what is none of ours. */
  sessionOf(cookie: string): Promise<string | undefined>;
  /** Loaded when the first person signs in. */
  providers(): Promise<Providers>;
  keys: FindKey;
  signIns: Sealed<SignIn>;
  handOvers: Sealed<HandOver>;
};
