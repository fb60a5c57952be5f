import { err, ok, type Result } from "../protocol/result.ts";
import type { ReplicaReader } from "../replication/replica.ts";
import type { AssertionSigner } from "./assertion.ts";
import { stripCarriers } from "./credential.ts";
import { type Allowance, type Refusal, refusal } from "./decision.ts";
import { bodyToForward, initOf, type OriginFetch, type Outgoing, originUrl } from "./forward.ts";
import { type FieldsForOrigin, headersForOrigin, type Identity, withClientBytes } from "./headers.ts";

export type OutgoingDeps = {
  signer: Pick<AssertionSigner, "signRequest">;
  replica: Pick<ReplicaReader, "peek">;
  /** For origins that are an address. */
  fetch: OriginFetch;
  /** Service bindings, for origins that are one. */
  services: ReadonlyMap<string, { fetch: OriginFetch }>;
};

type Made = Result<Outgoing, Refusal>;

/** The request for the origin, made out of the client's; there is something to wait for only where it is signed. */
export function outgoing(
  request: Request,
  requestId: string,
  allowance: Allowance,
  identity: Identity,
  deps: OutgoingDeps,
): Made | Promise<Made> {
  const { route, origin, target } = allowance;
  const service = origin.service === undefined ? deps : deps.services.get(origin.service);
  if (!service) return err(refusal("origin_unreachable", { route }));
  const body = bodyToForward(request);
  if (!body.ok) return err(refusal(body.error, { route }));
  const headers = fieldsFor(request.headers, requestId, allowance, identity);
  const url = originUrl(origin, target);
  const init = initOf(request.method, withClientBytes(headers, request.headers), body.value);
  const made = { url, init, service, requestId, timeoutMs: origin.timeout_ms };
  return origin.message_signature ? signed(made, headers, request, allowance, identity, deps) : ok(made);
}

function fieldsFor(
  headers: Headers,
  requestId: string,
  { route, target, token }: Allowance,
  { assertion, subject, scope, grant }: Identity,
): FieldsForOrigin {
  const { scheme, host } = target;
  const passAuthorization = route.authorization === "pass";
  const own = { requestId, scheme, host, passAuthorization, assertion, subject, scope, grant };
  const made = headersForOrigin(headers, own);
  if (passAuthorization) return made;
  stripCarriers(made.fields, route.credential);
  if (token?.confirmation) delete made.fields.dpop;
  return made;
}

async function signed(
  made: Outgoing,
  forOrigin: FieldsForOrigin,
  { method, headers }: Request,
  { route }: Allowance,
  { assertion }: Identity,
  { signer, replica }: OutgoingDeps,
): Promise<Made> {
  const signature = await signer.signRequest({ method, url: made.url, assertion }, replica.peek());
  if (!signature.ok) return err(refusal("assertion_unavailable", { route }));
  // A client's own signature is over what it sent, which is not what the origin gets.
  forOrigin.fields["signature-input"] = signature.value.input;
  forOrigin.fields.signature = signature.value.signature;
  made.init.headers = withClientBytes(forOrigin, headers);
  return ok(made);
}
