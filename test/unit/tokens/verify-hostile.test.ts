import { beforeAll, describe, expect, it } from "vitest";
import { CLAIM_GROUPS } from "../../support/corpus/token-claims.ts";
import { FORM_GROUPS } from "../../support/corpus/token-form.ts";
import { KEY_GROUPS } from "../../support/corpus/token-keys.ts";
import { newScene, type VerifierScene, verdict } from "../../support/token-scene.ts";

const GROUPS = Object.entries({ ...FORM_GROUPS, ...KEY_GROUPS, ...CLAIM_GROUPS });

let scene: VerifierScene;

beforeAll(async () => {
  scene = await newScene();
});

describe("hostile tokens, each for its reason, and their neighbours", () => {
  it.each(GROUPS)("%s", async (_title, make) => {
    const { neighbours, hostile } = await make(scene);
    const wrong: string[] = [];
    for (const { name, token } of neighbours) {
      const found = await verdict(token, scene.context);
      if (typeof found === "string") wrong.push(`${name}: refused, ${found}`);
    }
    for (const { name, token, reason } of hostile) {
      const found = await verdict(token, scene.context);
      if (found !== reason)
        wrong.push(`${name}: ${typeof found === "string" ? found : "accepted"}, not ${reason}`);
    }
    expect(wrong).toEqual([]);
  });

  it("are many, cause no fetch, and each is refused in a moment", async () => {
    const groups = await Promise.all(GROUPS.map(([, make]) => make(scene)));
    const hostile = groups.flatMap((group) => group.hostile);
    const started = performance.now();
    // The scene's keys cannot be fetched: that would throw.
    for (const { token } of hostile) await verdict(token, scene.context);
    expect((performance.now() - started) / hostile.length).toBeLessThan(20);
    expect(hostile.length).toBeGreaterThan(800);
  });
});
