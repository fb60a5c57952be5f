/** Objects whose names somebody knows: the directory, or the registry. */
export type Listed =
  | "access_requests"
  | "sessions"
  | "passkeys"
  | "signal_inboxes"
  | "webhook_endpoints"
  | "streams";

/** A kind of Durable Object: `main` is one for the deployment, a number is how many shards it has. */
export type Kind = { binding: string; object: string; names: "main" | number | Listed };

/**
 * What a backup holds, in the order in which it is read. No moment is that of all objects, so the order is what makes
 * it safe: the index before what it lists, and the log after all that tell it, so that a revocation that anybody was
 * told of is there. Denied tokens after the log, as rules move from there to here. The audit log last: it may know
 * more than the others, and never less.
 */
export const INVENTORY: readonly Kind[] = [
  { binding: "DIRECTORY", object: "DirectoryObject", names: "main" },
  { binding: "SESSION", object: "SessionObject", names: "sessions" },
  { binding: "ACCESS_REQUEST", object: "AccessRequestObject", names: "access_requests" },
  { binding: "PASSKEY", object: "PasskeyObject", names: "passkeys" },
  { binding: "SIGNAL_INBOX", object: "SignalInboxObject", names: "signal_inboxes" },
  { binding: "ENDPOINT", object: "EndpointObject", names: "webhook_endpoints" },
  { binding: "STREAM", object: "StreamObject", names: "streams" },
  { binding: "DEVICE_LOGIN", object: "DeviceLoginObject", names: "main" },
  { binding: "TRAFFIC", object: "TrafficObject", names: 16 },
  { binding: "DETECTOR", object: "DetectorObject", names: 16 },
  { binding: "MONITOR", object: "MonitorObject", names: "main" },
  { binding: "REMEDIATION", object: "RemediationObject", names: "main" },
  { binding: "STATUS_LIST", object: "StatusListObject", names: "main" },
  { binding: "REGISTRY", object: "RegistryObject", names: "main" },
  { binding: "KEYRING", object: "KeyringObject", names: "main" },
  { binding: "LOG", object: "LogObject", names: "main" },
  { binding: "DENYLIST", object: "DenylistObject", names: "main" },
  { binding: "AUDIT", object: "AuditObject", names: "main" },
];

/** Kinds that no backup holds, and why nothing is lost. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  ProofObject: "a proof that was used is over within two minutes, sooner than anything is restored",
  RateLimitObject: "a bucket is full again after its period",
};

export function kindOf(object: string): Kind | undefined {
  return INVENTORY.find((kind) => kind.object === object);
}

/** The names of a kind that nobody has to be asked for. */
export function fixedNames(kind: Kind): string[] | undefined {
  if (kind.names === "main") return ["main"];
  return typeof kind.names === "number"
    ? Array.from({ length: kind.names }, (_, shard) => String(shard)).sort()
    : undefined;
}
