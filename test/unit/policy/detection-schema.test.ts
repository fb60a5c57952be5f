import { describe, expect, it } from "vitest";
import { checkPolicy } from "../../../src/policy/check.ts";
import { DEFAULT_DETECTIONS, detectionPolicy } from "../../../src/policy/detection-policy.ts";
import { detectionsSchema } from "../../../src/policy/detection-schema.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { DETECTION_KINDS } from "../../../src/protocol/detection.ts";

const CONTEXT = { issuer: "https://auth.example.com", local: false };
const check = (detections: unknown) => checkPolicy({ detections }, CONTEXT);
const faults = (detections: unknown) => {
  const checked = check(detections);
  return checked.ok ? [] : (checked.error.extra?.faults as string[]);
};

describe("the policy's detections", () => {
  it("have a member for each kind", () => {
    const { show_address: _, ...kinds } = DEFAULT_DETECTIONS;
    expect(Object.keys(kinds).sort()).toEqual([...DETECTION_KINDS].sort());
    expect(Object.values(kinds).every(({ enabled }) => enabled)).toBe(true);
  });

  it("have the same defaults written down that the schema fills in", () => {
    expect(detectionsSchema.parse({})).toEqual(DEFAULT_DETECTIONS);
  });

  it("hold by their defaults where the policy has none, and member by member where it has some", () => {
    expect(detectionPolicy(policySchema.parse({}))).toEqual(DEFAULT_DETECTIONS);
    const some = policySchema.parse({ detections: { token_tampered: { threshold: 2 } } });
    expect(detectionPolicy(some)).toEqual({
      ...DEFAULT_DETECTIONS,
      token_tampered: { ...DEFAULT_DETECTIONS.token_tampered, threshold: 2 },
    });
  });

  it("refuse what they do not know, and thresholds and windows that make no sense", () => {
    expect(check({ token_tampered: { enabled: false } })).toMatchObject({ ok: true });
    expect(faults({ token_stolen: {} })).toHaveLength(1);
    expect(faults({ token_tampered: { treshold: 1 } })).toHaveLength(1);
    expect(faults({ break_glass_used: { threshold: 2 } })).toHaveLength(1);
    expect(faults({ token_tampered: { threshold: 0 } })).toHaveLength(1);
    expect(faults({ token_many_countries: { threshold: 1 } })).toHaveLength(1);
    expect(faults({ token_many_countries: { threshold: 2 } })).toEqual([]);
    expect(faults({ token_many_addresses: { threshold: 257 } })).toHaveLength(1);
    expect(faults({ token_many_addresses: { window_seconds: 300 } })).toHaveLength(1);
    expect(faults({ scope_probing: { window_seconds: 60 } })).toEqual([]);
  });

  it("refuse a limit of uses that is below what is counted at all", () => {
    const [fault] = faults({ token_overused: { threshold: 300 } });
    expect(fault).toContain("detections.token_overused.threshold: must be more than 5");
    expect(faults({ token_overused: { threshold: 301 } })).toEqual([]);
    expect(faults({ token_overused: { threshold: 301, window_seconds: 61 } })).toHaveLength(1);
  });
});
