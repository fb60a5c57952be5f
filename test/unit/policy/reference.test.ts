import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import { loadConditions } from "../../../src/policy/condition.ts";
import { policyJsonSchema } from "../../../src/policy/json-schema.ts";
import { CHECKS, type DecisionTrace } from "../../../src/protocol/decision-trace.ts";
import { DETECTION_KINDS } from "../../../src/protocol/detection.ts";
import { RATE_LIMITS } from "../../support/rate-limits.ts";

beforeAll(loadConditions);

const root = new URL("../../..", import.meta.url).pathname;
const page = (name: string) => readFileSync(`${root}docs/${name}`, "utf8");
const blocks = (text: string) =>
  [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, block]) => JSON.parse(block!));

const reference = page("policy.md");
const limiters = new Set(Object.keys(RATE_LIMITS).map((name) => name.slice("LIMITER_".length).toLowerCase()));
const CONTEXT = { issuer: "https://auth.example.com", local: false, limiters };
const ORIGINS = {
  orders: { url: "https://orders.internal.example", audience: "https://orders.example.com" },
};

type Schema = { properties?: Record<string, Schema>; items?: Schema; anyOf?: Schema[] };
const schema = policyJsonSchema("https://auth.example.com/v1/policy/schema") as Schema;

describe("docs/policy.md", () => {
  const examples = blocks(reference);

  it("has examples", () => expect(examples.length).toBeGreaterThan(4));

  it.each(examples)("has examples that can be put: %j", (example) => {
    expect(checkPolicy({ origins: ORIGINS, ...example }, CONTEXT)).toMatchObject({ ok: true });
  });

  it("has examples that can be put together", () => {
    const routes = examples.flatMap((example) => example.routes ?? []);
    expect(checkPolicy({ origins: ORIGINS, routes }, CONTEXT)).toMatchObject({ ok: true });
  });

  it("names every member of the policy, and of origins, routes, access, step-up and limits", () => {
    const { routes, origins } = schema.properties!;
    const route = routes!.items!.properties!;
    const access = route.access!.anyOf!.find(({ properties }) => properties)!.properties!;
    const origin = (origins as { additionalProperties: Schema }).additionalProperties.properties!;
    const members = [
      schema.properties!,
      origin,
      route,
      access,
      access.step_up!.properties!,
      route.limit!.properties!,
      route.limit!.properties!.exact!.properties!,
    ].flatMap((properties) => Object.keys(properties));
    expect(members.length).toBeGreaterThan(35);
    expect(members.filter((name) => !reference.includes(name) && name !== "$schema")).toEqual([]);
  });
});

/** Where each part of the policy is explained. */
const PAGES: Record<string, string[]> = {
  access_rules: ["access-rules.md"],
  audit: ["audit.md"],
  decision_log: ["policy.md"],
  delegation: ["oauth.md"],
  detections: ["detections.md"],
  issuers: ["oauth.md", "sessions.md"],
  keys: ["keys.md"],
  origins: ["policy.md"],
  remediation: ["remediation.md"],
  revocations: ["revocation.md", "access-rules.md"],
  roles: ["oauth.md", "detections.md"],
  routes: ["policy.md"],
  sessions: ["sessions.md"],
  signals: ["signals.md"],
  token_endpoint: ["sender-constrained.md"],
};
/** Of a JWK: RFC 7517 explains them. */
const ELSEWHERE = new Set(["$schema", "kty", "kid"]);

type Node = { [member: string]: unknown };

/** Every name that a part of the schema gives to a member, at any depth. */
function membersOf(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  const { properties = {}, ...rest } = node as Node & { properties?: Node };
  const inner = [...Object.values(properties), ...Object.values(rest)].flatMap(membersOf);
  return [...Object.keys(properties), ...inner];
}

describe("every part of the policy", () => {
  const parts = Object.entries(schema.properties!).filter(([part]) => part !== "$schema");

  it("has a page", () => {
    expect(Object.keys(PAGES).toSorted()).toEqual(parts.map(([part]) => part).toSorted());
  });

  it.each(parts)("%s has each of its members named there", (part, node) => {
    const text = PAGES[part]!.map(page).join("\n");
    const unnamed = [part, ...new Set(membersOf(node))].filter(
      (name) => !ELSEWHERE.has(name) && !new RegExp(`(?<!\\w)${name}(?!\\w)`).test(text),
    );
    expect(unnamed).toEqual([]);
  });
});

describe("docs/decision-trace.md", () => {
  const text = page("decision-trace.md");

  it("shows a trace with checks in their order", () => {
    const [trace] = blocks(text) as [DecisionTrace];
    const at = trace.checks.map(({ check }) => CHECKS.indexOf(check));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at).not.toContain(-1);
    expect(trace.checks.at(-1)?.outcome).toBe("failed");
  });

  it("names every check, in their order", () => {
    expect(text).toContain(
      CHECKS.map((check) => `\`${check}\``)
        .join(", ")
        .replace("`credential`", "`credential` (only where it fails)"),
    );
  });
});

describe("docs/detections.md", () => {
  const text = page("detections.md");
  const [detection, policy] = blocks(text);

  it("has a policy that can be put", () => {
    expect(checkPolicy(policy, CONTEXT)).toMatchObject({ ok: true });
  });

  it("shows a detection as it is, and names every kind and every member of the policy", () => {
    const shown = {
      kind: "token_many_addresses",
      at: 0,
      window_seconds: 1,
      count: 1,
      threshold: 1,
      about: {},
    };
    expect(Object.keys(detection).sort()).toEqual(["id", ...Object.keys(shown)].sort());
    expect(DETECTION_KINDS.filter((kind) => !text.includes(`\`${kind}\``))).toEqual([]);
    const members = Object.values(schema.properties!.detections!.properties!).flatMap(({ properties }) =>
      Object.keys(properties ?? {}),
    );
    expect(members.length).toBeGreaterThan(30);
    expect(members.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});
