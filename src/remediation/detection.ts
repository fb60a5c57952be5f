import { derivedId } from "../platform/ids.ts";
import type { Detection } from "../protocol/detection.ts";

// Kinds and shape are in protocol/detection.ts: the policy names them too.

/**
 * A detection. Its id follows from its kind, what was counted together and the start of its window (epoch
 * seconds), so that whoever detects the same again gives it the same id; ids sort by the start of the window.
 */
export function newDetection(found: Omit<Detection, "id">, key: string, windowStart: number): Detection {
  const id = derivedId("det", windowStart * 1000, JSON.stringify([found.kind, key]));
  return { id, ...found };
}
