import { describe, expect, it } from "vitest";
import { type Polling, takePoll } from "../../../src/access/polling.ts";

describe("takePoll", () => {
  it("holds a client to its interval, and makes it longer each time that it is not kept", () => {
    const outcomes: [number, boolean][] = [];
    let polling: Polling = { client_id: "cli_1", interval_ms: 5_000 };
    for (const atMs of [0, 5_000, 9_999, 19_998, 29_998, 44_998]) {
      const taken = takePoll(polling, atMs);
      polling = taken.polling;
      outcomes.push([polling.interval_ms, taken.early]);
    }
    expect(outcomes).toEqual([
      [5_000, false],
      [5_000, false],
      [10_000, true],
      [15_000, true],
      [20_000, true],
      [25_000, true],
    ]);
    expect(takePoll(polling, 44_998 + 25_000).early).toBe(false);
  });
});
