import type { Facts } from "../policy/condition.ts";
import { localTime } from "../policy/local-time.ts";
import type { VerifiedToken } from "../tokens/claims.ts";
import type { Target } from "./target.ts";

/** What Cloudflare tells of a request and its sender; other members are not looked at. */
export type CloudflareFacts = {
  country?: unknown;
  continent?: unknown;
  asn?: unknown;
  latitude?: unknown;
  longitude?: unknown;
  tlsVersion?: unknown;
  httpProtocol?: unknown;
  botManagement?: { score?: unknown; verifiedBot?: unknown } | null | undefined;
};

export type ConditionRequest = {
  method: string;
  target: Target;
  params: Record<string, string>;
  timeZone: string;
  headers: Pick<Headers, "get">;
  cf?: CloudflareFacts | null | undefined;
};

/**
 * What a route's condition sees. A fact that is not known is not there: whatever asks for it fails, also where
 * it asks for the contrary.
 */
export function conditionFacts(request: ConditionRequest, token: VerifiedToken, nowSeconds: number): Facts {
  const { method, target, params, timeZone, headers, cf } = request;
  const now = Math.floor(nowSeconds);
  return {
    token: tokenFacts(token, now),
    request: {
      method,
      scheme: target.scheme,
      host: target.host,
      path: target.path,
      params,
      ip: headers.get("cf-connecting-ip") ?? undefined,
    },
    time: localTime(now, timeZone),
    cf: {
      country: textOf(cf?.country),
      continent: textOf(cf?.continent),
      asn: numberOf(cf?.asn),
      bot_score: numberOf(cf?.botManagement?.score),
      verified_bot:
        typeof cf?.botManagement?.verifiedBot === "boolean" ? cf.botManagement.verifiedBot : undefined,
      tls_version: textOf(cf?.tlsVersion),
      http_protocol: textOf(cf?.httpProtocol),
    },
  };
}

function tokenFacts(token: VerifiedToken, now: number): Facts {
  const { facts, scopes, roles, resources, signIn } = token;
  return {
    subject: facts.subject,
    issuer: facts.iss,
    client_id: facts.client_id,
    grant: facts.grant,
    session: facts.session,
    scopes,
    roles,
    resources,
    actor: token.act?.sub,
    acr: signIn?.acr,
    auth_time: signIn?.auth_time,
    issued_at: facts.iat,
    expires_at: token.expiresAt,
    age_seconds: Math.max(0, now - Math.floor(facts.iat)),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}
