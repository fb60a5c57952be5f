import type { Result } from "../protocol/result.ts";
import type { RevocationMatch } from "./rule.ts";

/** What is recorded of an access token of ours before it leaves; never the token itself. Times are epoch seconds. */
export type LiveToken = {
  jti: string;
  sub: string;
  client_id: string;
  grant?: string;
  session?: string;
  /** Thumbprint of the sender's key that it is bound to. */
  jkt?: string;
  kid: string;
  aud: string;
  iat: number;
  exp: number;
};

/** How many live tokens a revocation hits, and how many grants, subjects and clients hold them. */
export type WouldCut = { tokens: number; grants: number; subjects: number; clients: number };

/** One of the tokens, as a dry run lists it. */
export type CutToken = Pick<LiveToken, "jti" | "sub" | "client_id" | "grant" | "exp">;

/** `exact` is false where the index was full and let go of tokens that are still alive. */
export type LiveCount = { would_cut: WouldCut; exact: boolean; sample: CutToken[] };

/** The parts of a match by which tokens of ours differ. */
export type OwnMatch = Omit<RevocationMatch, "iss" | "address">;

/**
 * Where the live tokens are looked up. `flush` has the key ring hand over what it recorded but has not passed
 * on yet, so that the count that follows is of everything that was issued before.
 */
export type LiveTokens = {
  flush(): Promise<Result<null>>;
  count(match: OwnMatch, issuedBefore: number | undefined): Promise<Result<LiveCount>>;
  /** Those of the ids that name a live token. */
  among(jtis: string[]): Promise<Result<string[]>>;
};

/** How many tokens a dry run lists. */
export const SAMPLE_SIZE = 100;

const NONE: LiveCount = {
  would_cut: { tokens: 0, grants: 0, subjects: 0, clients: 0 },
  exact: true,
  sample: [],
};

/** What a rule would cut of our own tokens; those of identity providers are not ours to count. */
export async function countLive(
  match: RevocationMatch,
  issuedBefore: number | undefined,
  issuer: string,
  live: Pick<LiveTokens, "flush" | "count">,
): Promise<Result<LiveCount>> {
  const own = ownMatch(match, issuer);
  if (!own) return { ok: true, value: NONE };
  const flushed = await live.flush();
  return flushed.ok ? live.count(own, issuedBefore) : flushed;
}

/** Undefined where no token of ours can match: it is for another issuer, or for an address and for no token at all. */
function ownMatch({ iss, address, ...rest }: RevocationMatch, issuer: string): OwnMatch | undefined {
  if (address !== undefined) return undefined;
  return iss !== undefined && iss !== issuer ? undefined : rest;
}
