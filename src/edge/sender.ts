import type { Route } from "../policy/document.ts";
import { certificateThumbprint } from "../protocol/client-certificate.ts";
import type { Result } from "../protocol/result.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { CheckedProof, ProofChecker, ProofFault, ProofUse } from "../tokens/proof-checker.ts";
import type { Credential } from "./credential.ts";
import { type Refusal, refusal } from "./decision.ts";

/** What a route wants of senders. */
export type SenderDemand = Pick<Route, "dpop" | "mtls">;

/** What is known of the sender of a request. */
export type SenderRequest = { method: string; url: string; headers: Pick<Headers, "get">; cf?: unknown };

/** Proofs are taken wherever one comes with a bound token. */
export const ANY_SENDER: SenderDemand = {
  dpop: { mode: "optional", single_use: "isolate", nonce: false },
  mtls: "optional",
};

/**
 * What one request has proven. A request may be decided on several times, as the view changes while it waits;
 * its proof is used once.
 */
export type Proven = {
  as?: string;
  proof?: Promise<Result<CheckedProof, ProofFault>>;
  nextNonce?: string;
  /** The proof was good, and is not looked at again whatever the route asks for by now. */
  settled?: boolean;
};

/** Whether a demand and a credential are about DPoP, so that the challenge has to be as well. */
export function isDpop(credential: Credential | undefined, demand: SenderDemand): boolean {
  return credential?.scheme === "dpop" || demand.dpop.mode === "required";
}

/**
 * Holds the sender of a verified token against its `cnf` (RFC 7800) and the route. A bound token is never taken
 * without its proof, a bearer token never as if it had one (RFC 9449 §7.1 and §7.2, RFC 8705 §3). Answers at
 * once where there is nothing to prove.
 */
export function checkSender(
  token: VerifiedToken,
  credential: Credential,
  demand: SenderDemand,
  request: SenderRequest,
  proven: Proven,
  proofs: ProofChecker,
): Refusal | undefined | Promise<Refusal | undefined> {
  const { jkt, "x5t#S256": certificate } = token.confirmation ?? {};
  if ((jkt !== undefined) !== (credential.scheme === "dpop")) {
    return refusal("sender_scheme", { dpop: jkt !== undefined });
  }
  if (isLacking(demand.dpop.mode, jkt) || isLacking(demand.mtls, certificate))
    return refusal("sender_unbound");
  if (isUnwanted(demand.dpop.mode, jkt) || isUnwanted(demand.mtls, certificate))
    return refusal("sender_not_taken");
  if (certificate !== undefined && certificate !== certificateThumbprint(request.cf)) {
    return refusal("sender_certificate");
  }
  if (jkt === undefined || proven.settled) return undefined;
  return checkProof(jkt, credential.token, demand.dpop, request, proven, proofs);
}

type Mode = SenderDemand["mtls"];

function isLacking(mode: Mode, thumbprint: string | undefined): boolean {
  return mode === "required" && thumbprint === undefined;
}

function isUnwanted(mode: Mode, thumbprint: string | undefined): boolean {
  return mode === "off" && thumbprint !== undefined;
}

async function checkProof(
  boundTo: string,
  accessToken: string,
  dpop: SenderDemand["dpop"],
  { method, url, headers }: SenderRequest,
  proven: Proven,
  proofs: ProofChecker,
): Promise<Refusal | undefined> {
  const as = `${dpop.nonce} ${dpop.single_use}`;
  if (proven.as !== as) {
    const use: ProofUse = {
      method,
      url,
      accessToken,
      boundTo,
      nonceNeeded: dpop.nonce,
      singleUse: dpop.single_use,
    };
    proven.as = as;
    proven.proof = proofs.check(headers.get("dpop"), use);
  }
  const proof = await proven.proof!;
  if (!proof.ok) {
    const nonce = proof.error === "nonce" ? { dpopNonce: await proofs.currentNonce() } : {};
    return refusal(`proof_${proof.error}`, nonce);
  }
  if (proof.value.nextNonce !== undefined) proven.nextNonce = proof.value.nextNonce;
  return undefined;
}
