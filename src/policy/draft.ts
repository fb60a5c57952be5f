import type * as z from "zod";
import { accessRuleSchema } from "./access-rule-schema.ts";
import { delegationSchema } from "./delegation-schema.ts";
import type {
  AccessRule,
  Delegation,
  Origin,
  PolicyDocument,
  Route,
  Transmitter,
  TrustedIssuer,
} from "./document.ts";
import { issuerSchema } from "./issuer-schema.ts";
import type { KeyPolicy } from "./key-policy.ts";
import { keysSchema } from "./keys-schema.ts";
import { type RemediationRule, remediationRuleSchema } from "./remediation-schema.ts";
import { roleSchema } from "./role-schema.ts";
import { originSchema, routeSchema } from "./route-schema.ts";
import { transmitterSchema } from "./signal-schema.ts";

/** A part of the document that fits its schema, with its place: `routes.2`. */
export type Part<T> = { at: string; value: T };

/**
 * The parts of a document that can be read, also where others cannot: so the rules across members are checked
 * together with the schema, and every fault is told at once.
 */
export type Draft = {
  issuers: Part<TrustedIssuer>[];
  origins: Part<Origin>[];
  /** All names, also those of origins that cannot be read: a reference to one is not a second fault. */
  originNames: ReadonlySet<string>;
  routes: Part<Route>[];
  accessRules: Part<AccessRule>[];
  roles: (Part<PolicyDocument["roles"][string]> & { name: string })[];
  delegation: Part<Delegation>[];
  transmitters: Part<Transmitter>[];
  /** Absent where the document has none, or one that cannot be read. */
  keys?: KeyPolicy;
  hasSessions: boolean;
  remediationRules: Part<RemediationRule>[];
  /** False where detections are told not to name the client's address. */
  showsAddresses: boolean;
};

export function readDraft(input: unknown): Draft {
  const { issuers, origins, routes, access_rules, roles, delegation, keys, sessions, signals } =
    recordOf(input);
  const { remediation, detections } = recordOf(input);
  const keyPolicy = keysSchema.safeParse(keys);
  return {
    issuers: readable("issuers", listOf(issuers), issuerSchema),
    origins: readable("origins", recordOf(origins), originSchema),
    originNames: new Set(Object.keys(recordOf(origins))),
    routes: readable("routes", listOf(routes), routeSchema),
    accessRules: readable("access_rules", listOf(access_rules), accessRuleSchema),
    roles: readable("roles", recordOf(roles), roleSchema).map((part) => ({
      ...part,
      name: part.at.slice("roles.".length),
    })),
    delegation: readable("delegation", listOf(delegation), delegationSchema),
    transmitters: readable("signals.transmitters", listOf(recordOf(signals).transmitters), transmitterSchema),
    hasSessions: sessions !== undefined,
    showsAddresses: recordOf(detections).show_address !== false,
    remediationRules: readable(
      "remediation.rules",
      listOf(recordOf(remediation).rules),
      remediationRuleSchema,
    ),
    ...(keyPolicy.success ? { keys: keyPolicy.data } : {}),
  };
}

function readable<S extends z.ZodType>(section: string, parts: object, schema: S): Part<z.output<S>>[] {
  return Object.entries(parts).flatMap(([key, part]) => {
    const parsed = schema.safeParse(part);
    return parsed.success ? [{ at: `${section}.${key}`, value: parsed.data }] : [];
  });
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
