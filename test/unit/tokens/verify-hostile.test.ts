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

  it("are many", async () => {
    let tried = 0;
    for (const [, make] of GROUPS) tried += (await make(scene)).hostile.length;
    expect(tried).toBeGreaterThan(800);
  });
});
