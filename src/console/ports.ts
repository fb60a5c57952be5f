import type { Context } from "hono";
import type { Clock } from "../platform/clock.ts";
import type { RequestContext } from "../platform/http.ts";
import type { Logger } from "../platform/log.ts";
import type { Result } from "../protocol/result.ts";
import type { Api, ControlPlane } from "./api.ts";
import type { Visitor } from "./visitor.ts";

/** What the console works with. It knows nothing of the product but its HTTP contract. */
export type ConsoleDeps = ControlPlane & {
  clock: Clock;
  logger: Logger;
  /**
   * The access token for the control plane that a session's cookie stands for, another one than was refused;
   * `invalid_token` where the session is over.
   */
  tokenOf(cookie: string, refused?: string): Promise<Result<{ access_token: string }>>;
};

/** What is known before a page is made. `form` is there where one was sent, and was sent by a page of ours. */
export type ConsoleEnv = {
  Bindings: RequestContext;
  Variables: { visitor: Visitor; api: Api; form: URLSearchParams; now: number };
};

export type ConsoleContext = Context<ConsoleEnv>;
