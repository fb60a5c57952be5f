import type { Result } from "./result.ts";

/** Who is behind a request, as an application is told. `expiresAt` in epoch seconds. */
export type Auth = {
  /** Of a token of ours its `sub`; of another issuer's `<issuer id>|<sub>`. */
  subject: string;
  issuer: string;
  scopes: string[];
  roles: string[];
  /** Resources that the token was granted for. */
  resources: string[];
  expiresAt: number;
  clientId?: string;
  tokenId?: string;
  grant?: string;
  session?: string;
};

/** A request that another Worker wants decided; a `Request` without a body is one. */
export type AuthorizeAsk = {
  method: string;
  /** As it came, with its host. */
  url: string;
  headers: Headers | Record<string, string>;
  /** `request.cf`, where client certificates are to be known. */
  cf?: unknown;
};

/** The gate's decision. A refusal is a whole answer for the client: `new Response(body, { status, headers })`. */
export type AuthorizeAnswer =
  | {
      allowed: true;
      decisionId: string;
      /** Id of the policy's route. */
      route: string;
      /** Absent on a public route that was called without a token. */
      auth?: Auth;
      /** The identity headers, for an origin behind the Worker. */
      headers: Record<string, string>;
      /** For the client's answer, as `DPoP-Nonce`: its next proof holds it. */
      dpopNonce?: string;
    }
  | { allowed: false; decisionId: string; status: number; headers: [string, string][]; body: string };

/**
 * A token that was verified: its claims, of which others than these are not looked at, and its header's `kid`.
 * `bounded`, the default, may miss a revocation of the last two seconds; `strict` asks the log.
 */
export type RevocationAsk = {
  claims: {
    iss: string;
    sub: string;
    iat: number;
    jti?: string | undefined;
    grant?: string | undefined;
    sid?: string | undefined;
    client_id?: string | undefined;
    cnf?: { jkt?: string | undefined } | undefined;
  };
  kid: string;
  consistency?: "bounded" | "strict" | undefined;
};

/** What is asked for, as in `POST /v1/access-requests`, and whose access token asks. */
export type AccessAsk = {
  token: string;
  /** The body. Times in epoch seconds. */
  request: {
    resource: string;
    scope: string;
    justification: string;
    duration_seconds?: number;
    starts_at?: number;
    ticket?: string;
  };
  /** The same again with the same key is answered with the same access request. */
  idempotencyKey?: string;
};

/** An access request as the API shows it; members beside these are described there. */
export type OpenedRequest = { id: string; state: string; [member: string]: unknown };

/**
 * What other Workers of the account may call by a service binding with the entrypoint `Portcullis`. Throws only
 * where there is no deployment behind it that works.
 */
export type PortcullisService = {
  authorize(ask: AuthorizeAsk): Promise<AuthorizeAnswer>;
  /** A problem where nobody can tell, which is no `false`. */
  isRevoked(ask: RevocationAsk): Promise<Result<boolean>>;
  requestAccess(ask: AccessAsk): Promise<Result<OpenedRequest>>;
};
