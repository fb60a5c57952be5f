import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import {
  type EndpointPatch,
  type EndpointRecord,
  MAX_DECISION_ENDPOINTS,
  MAX_ENDPOINTS,
  MAX_SECRETS,
} from "../webhooks/endpoint.ts";

/** Whether there is room for the endpoint beside all the others. */
export function checkRoom(endpoint: EndpointRecord, all: readonly EndpointRecord[]): Result<null> {
  const others = all.filter((other) => other.id !== endpoint.id);
  if (others.length >= MAX_ENDPOINTS) {
    return err(
      problem("conflict", `There are ${MAX_ENDPOINTS} webhook endpoints already: delete one first.`),
    );
  }
  const deciding = others.filter((other) => other.reviews_as).length;
  if (endpoint.reviews_as && deciding >= MAX_DECISION_ENDPOINTS) {
    const detail = `There are ${MAX_DECISION_ENDPOINTS} webhook endpoints with reviews_as already: take it from one first.`;
    return err(problem("conflict", detail));
  }
  return ok(null);
}

/** The endpoint with the patch applied, one revision on; `null` removes an optional member. */
export function patched(endpoint: EndpointRecord, patch: EndpointPatch): EndpointRecord {
  const { description, reviews_as, disabled_reason, ...rest } = { ...endpoint, ...patch };
  return {
    ...rest,
    ...(description === undefined || description === null ? {} : { description }),
    ...(reviews_as ? { reviews_as } : {}),
    // Enabled again, it is not disabled for any reason.
    ...(disabled_reason && !rest.enabled ? { disabled_reason } : {}),
    revision: endpoint.revision + 1,
  };
}

/** The endpoint with a new sealed secret first, one revision on; the one before it still signs beside it. */
export function withSealedSecret(endpoint: EndpointRecord, sealed: string): EndpointRecord {
  if (endpoint.secrets_sealed[0] === sealed) return endpoint;
  return {
    ...endpoint,
    secrets_sealed: [sealed, ...endpoint.secrets_sealed].slice(0, MAX_SECRETS),
    revision: endpoint.revision + 1,
  };
}
