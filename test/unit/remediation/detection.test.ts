import { describe, expect, it } from "vitest";
import { isId } from "../../../src/platform/ids.ts";
import { DETECTION_KINDS, type DetectionKind } from "../../../src/protocol/detection.ts";
import { newDetection } from "../../../src/remediation/detection.ts";

const ABOUT = { iss: "https://auth.example.com", jti: "tok_1" };
const KEY = `${ABOUT.iss} ${ABOUT.jti}`;
const AT = 1_800_000_000;

function detect(kind: DetectionKind, key: string, windowStart: number, count = 7) {
  const found = { kind, about: ABOUT, at: windowStart + 9, window_seconds: 60, count, threshold: 5 };
  return newDetection(found, key, windowStart);
}

describe("the id of a detection", () => {
  it("is the same for the same kind, key and window, whatever was counted", () => {
    const first = detect("token_overused", KEY, AT);
    expect(isId("det", first.id)).toBe(true);
    expect(detect("token_overused", KEY, AT, 8).id).toBe(first.id);
    expect(first).toEqual({
      id: first.id,
      kind: "token_overused",
      at: AT + 9,
      window_seconds: 60,
      count: 7,
      threshold: 5,
      about: ABOUT,
    });
  });

  it("is another for another kind, key or window", () => {
    const ids = [
      ...DETECTION_KINDS.map((kind) => detect(kind, KEY, AT)),
      detect("token_overused", `${KEY}2`, AT),
      detect("token_overused", "", AT),
      detect("token_overused", KEY, AT + 60),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("sorts by the start of its window", () => {
    const ids = [AT, AT + 1, AT + 3_600].map((at) => detect("impossible_travel", KEY, at).id);
    expect([...ids].sort()).toEqual(ids);
  });
});
