import { certificateThumbprint } from "../protocol/client-certificate.ts";
import type { Confirmation } from "../protocol/confirmation.ts";
import { type OAuthError, oauthError } from "../protocol/oauth-error.ts";
import { type Problem, problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { ProofChecker, ProofFault } from "./proof-checker.ts";

/** Whoever asks for a token: what is known of the request by which it is asked for. */
export type TokenSender = { method: string; url: string; headers: Pick<Headers, "get">; cf?: unknown };

/** What a token is to be bound to, and the nonce that proofs have to hold from now on, where that is news. */
export type Binding = { confirmation?: Confirmation; nextNonce?: string };

/** `nonceNeeded`: proofs must hold a nonce of ours. `mustProve` and `certificate`: what the client is registered for. */
export type BindingDemand = { nonceNeeded: boolean; mustProve?: boolean; certificate?: boolean };

export type BindingFault = ProofFault | "no_proof" | "no_certificate";

/**
 * What the token that a request asks for is bound to: the key of its DPoP proof where there is one (RFC 9449
 * §5), and the client's TLS certificate where the client asks for that (RFC 8705 §3).
 */
export async function bindingOf(
  sender: TokenSender,
  demand: BindingDemand,
  proofs: ProofChecker,
): Promise<Result<Binding, BindingFault>> {
  const confirmation: Confirmation = {};
  if (demand.certificate) {
    const thumbprint = certificateThumbprint(sender.cf);
    if (thumbprint === undefined) return err("no_certificate");
    confirmation["x5t#S256"] = thumbprint;
  }
  const { method, url, headers } = sender;
  const header = headers.get("dpop");
  let nextNonce: string | undefined;
  if (header !== null) {
    const { nonceNeeded } = demand;
    const proof = await proofs.check(header, { method, url, nonceNeeded, singleUse: "isolate" });
    if (!proof.ok) return proof;
    confirmation.jkt = proof.value.jkt;
    nextNonce = proof.value.nextNonce;
  } else if (demand.mustProve) return err("no_proof");
  return ok({
    ...(Object.keys(confirmation).length > 0 ? { confirmation } : {}),
    ...(nextNonce === undefined ? {} : { nextNonce }),
  });
}

export type TokenType = "Bearer" | "DPoP";

/** RFC 6749 §5.1, RFC 9449 §5. A token that is bound to a certificate only is sent as any bearer token (RFC 8705 §3). */
export function tokenTypeOf(confirmation: Confirmation | undefined): TokenType {
  return confirmation?.jkt === undefined ? "Bearer" : "DPoP";
}

/** As the token endpoint says it (RFC 9449 §5 and §8). */
export async function bindingOAuthError(fault: BindingFault, proofs: ProofChecker): Promise<OAuthError> {
  if (fault === "nonce") {
    const asked = oauthError("use_dpop_nonce", "The DPoP proof needs the nonce of the header DPoP-Nonce.");
    return { ...asked, dpopNonce: await proofs.currentNonce() };
  }
  if (fault === "no_certificate") {
    return oauthError("invalid_request", "This client gets tokens over TLS with its certificate only.");
  }
  return oauthError("invalid_dpop_proof", describe(fault));
}

/** As the control plane says it. */
export function bindingProblem(fault: BindingFault): Problem {
  return problem("invalid_request", describe(fault));
}

function describe(fault: BindingFault): string {
  if (fault === "no_proof") return "This client gets tokens with a DPoP proof only; send one.";
  return "The DPoP proof is not valid for this request. Send a new one, for its method and address.";
}
