import { ApprovalLinks } from "../access/approval-link.ts";
import { askByClient } from "../access/backchannel.ts";
import type { LinkDeps } from "../access/link-routes.ts";
import { type AccessDeps, type RuleCheck, reviewRequest } from "../access/routes.ts";
import type { BrowserDeps } from "../browser/ports.ts";
import type { Config } from "../config.ts";
import { type Clock, epochSeconds } from "../platform/clock.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { newId } from "../platform/ids.ts";
import { ok } from "../protocol/result.ts";
import { siteOf } from "../registry/passkey-routes.ts";
import type { OAuthDeps } from "../tokens/routes.ts";
import type { SignedReview } from "../webhooks/decision.ts";
import type { InboundDeps } from "../webhooks/inbound-routes.ts";
import type { SharedVerifier } from "./edge.ts";
import type { ObjectPorts } from "./objects.ts";
import { callerBinding } from "./verifiers.ts";

type AccessWiring = {
  config: Config;
  objects: ObjectPorts;
  verifier: SharedVerifier;
  policy: BrowserDeps["policy"];
  ids: CreationIds;
  clock: Clock;
};

/** Access requests, with the ways by which people are asked and answer: the API, links, signed decisions, chat. */
export function wireAccess({ config, objects, verifier, policy, ids, clock }: AccessWiring) {
  const { accessRequest, directory, registry, passkeys, waitingRequest: waiting } = objects;
  const { issuer } = config;
  const site = siteOf(issuer);
  const access: AccessDeps = {
    ...{ accessRequest, directory, policy, waiting, ids, clock },
    binding: callerBinding(verifier.proofs),
    listeners: async (type) => {
      const found = await registry.endpointsFor(type);
      return found.ok ? ok(found.value.length) : found;
    },
    passkey: (subject, confirms, answer) => passkeys(subject).use({ subject, confirms, answer, site }),
  };
  const links: LinkDeps = { accessRequest, policy, links: new ApprovalLinks(config.wrapping), issuer, clock };
  const backchannel: OAuthDeps["backchannel"] = {
    open: (ask) => askByClient(newId("req", clock()), ask, access, epochSeconds(clock())),
    poll: (id, clientId, confirmation) => accessRequest(id).poll(clientId, confirmation),
  };
  return { access, links, backchannel, signedReviews: signedReviews(access) };
}

/** Reviews by people for whom an endpoint's signature or a chat stands. */
function signedReviews(access: AccessDeps): Pick<InboundDeps, "access" | "reviewInChat"> {
  const reviewSigned = async (decision: SignedReview, allowed?: RuleCheck) => {
    const { access_request_id, review_id, approver, via, ...outcome } = decision;
    const given = { ...outcome, id: review_id, approver: approver.subject, via: via.endpoint_id };
    const reviewed = await reviewRequest(access, access_request_id, given, approver, {
      ...(allowed ? { allowed } : {}),
    });
    return reviewed.ok ? ok({ id: reviewed.value.id, state: reviewed.value.decided }) : reviewed;
  };
  return {
    access: { review: (decision) => reviewSigned(decision) },
    reviewInChat: (decision) => reviewSigned(decision, (rule) => rule.decide_in_chat),
  };
}
