import type { Auth } from "../protocol/service.ts";
import type { VerifiedToken } from "./claims.ts";

/** What an application is told of a verified token. */
export function authOf({ facts, scopes, roles, resources, expiresAt }: VerifiedToken): Auth {
  const { subject, iss: issuer, client_id: clientId, jti: tokenId, grant, session } = facts;
  return {
    subject,
    issuer,
    scopes: [...scopes],
    roles: [...roles],
    resources: [...resources],
    expiresAt,
    ...(clientId === undefined ? {} : { clientId }),
    ...(tokenId === undefined ? {} : { tokenId }),
    ...(grant === undefined ? {} : { grant }),
    ...(session === undefined ? {} : { session }),
  };
}
