import { type Access, tokenSource } from "./access-token.ts";
import { Caller } from "./caller.ts";
import type { CallOptions } from "./calls.ts";
import {
  type AccessRequest,
  type Api,
  OPERATIONS,
  type RevocationDryRun,
  type RevocationsCreateBody,
} from "./contract.ts";
import { PortcullisError } from "./errors.ts";
import { Sender, type SendingOptions } from "./sending.ts";
import { Prover, type SigningKeyPair } from "./signing.ts";

export type { ClientCredentials, RefreshCredentials, TokenProvider } from "./access-token.ts";
export type { CallOptions, Lines, Page, Pages, ServerSentEvent } from "./calls.ts";
export type * from "./contract.ts";
export { PortcullisError, PortcullisOAuthError, PortcullisProblem, PortcullisUnreachable } from "./errors.ts";
export { newSigningKeyPair, type SigningKey, type SigningKeyPair } from "./signing.ts";

export type PortcullisOptions = Access &
  SendingOptions & {
    /** Where the deployment is, as `https://auth.example.com`. Plain http is for this machine alone. */
    issuer: string;
    /** Binds what the token endpoint issues to this key, and proves it with each call (RFC 9449). */
    dpop?: SigningKeyPair;
  };

/** What is more than one call. */
type Conveniences = {
  accessRequests: {
    /** Waits until it is decided, however long that takes; end it with `signal`. */
    decided(id: string, options?: CallOptions): Promise<AccessRequest>;
  };
  revocations: {
    /** How much a revocation would cut; nothing is changed. */
    dryRun(body: RevocationsCreateBody, options?: CallOptions): Promise<RevocationDryRun>;
  };
};

/** A deployment of Portcullis: every operation of its contract, by namespace. */
export type Portcullis = Api & Conveniences;

class Client {
  constructor(options: PortcullisOptions) {
    const issuer = checkedIssuer(options.issuer);
    const sender = new Sender(options);
    const prover = options.dpop && new Prover(options.dpop);
    const tokens = tokenSource(issuer, options, sender, prover);
    const caller = new Caller({ issuer, sender, tokens, prover });
    Object.assign(this, withConveniences(apiOf(caller)));
  }
}

export const Portcullis = Client as new (options: PortcullisOptions) => Portcullis;

function apiOf(caller: Caller): Api {
  const namespaces = Object.entries(OPERATIONS).map(([namespace, operations]) => {
    const methods = Object.entries(operations).map(([name, operation]) => [
      name,
      (...args: unknown[]) => caller.call(operation, args),
    ]);
    return [namespace, Object.fromEntries(methods)];
  });
  return Object.fromEntries(namespaces) as Api;
}

/** The deployment answers a wait after a minute at most. */
const WAIT_SECONDS = 55;

function withConveniences(api: Api): Portcullis {
  const { accessRequests, revocations } = api;
  return {
    ...api,
    accessRequests: {
      ...accessRequests,
      async decided(id, options) {
        for (;;) {
          const request = await accessRequests.get(id, { ...options, waitSeconds: WAIT_SECONDS });
          if (request.state !== "pending") return request;
        }
      },
    },
    revocations: {
      ...revocations,
      dryRun: (body, options) =>
        revocations.create(body, { dry_run: true }, options) as Promise<RevocationDryRun>,
    },
  };
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** Tokens go nowhere in the clear. */
function checkedIssuer(issuer: string): string {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  const bare =
    url && url.origin !== "null" && ["", "/"].includes(url.pathname) && !url.search && !url.username;
  if (!bare) throw new PortcullisError("issuer must be an origin, as https://auth.example.com.");
  if (url.protocol !== "https:" && !LOOPBACK.includes(url.hostname)) {
    throw new PortcullisError("issuer must be https: tokens would travel in the clear.");
  }
  return url.origin;
}
