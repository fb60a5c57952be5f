import type { ReplicaView } from "../replication/replica.ts";
import { readTarget } from "./target.ts";

/** Whether the gate asks for a token at this address. */
export function isGuarded(url: string, { policy }: Pick<ReplicaView, "policy">): boolean {
  const target = readTarget(url);
  if (!target.ok) return false;
  const match = policy.routes.match(target.value.host, target.value.routePath, "GET");
  return match.kind === "method" || (match.kind === "match" && match.route.access !== "public");
}

/** Where a client learns who gives tokens for the address that it called (RFC 9728 §5.1). */
export function metadataUrl(issuer: string, requestUrl: string): string {
  const resource = requestUrl.split("?", 1)[0]!;
  return `${issuer}/.well-known/oauth-protected-resource?resource=${encodeURIComponent(resource)}`;
}
