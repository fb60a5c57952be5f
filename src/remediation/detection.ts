import { createHash } from "node:crypto";
import { timedId } from "../platform/ids.ts";
import type { Detection } from "../protocol/detection.ts";

// Kinds and shape are in protocol/detection.ts: the policy names them too.

/**
 * A detection. Its id follows from its kind, what it is about and the start of its window (epoch seconds), so
 * that whoever detects the same again gives it the same id; ids sort by the start of the window.
 */
export function newDetection(found: Omit<Detection, "id">, windowStart: number): Detection {
  const members = Object.entries(found.about).sort(([a], [b]) => (a < b ? -1 : 1));
  const digest = createHash("sha256")
    .update(JSON.stringify([found.kind, members]))
    .digest();
  return { id: timedId("det", windowStart * 1000, digest), ...found };
}
