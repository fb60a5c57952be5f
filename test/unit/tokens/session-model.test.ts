import { expect, it } from "vitest";
import { playSessions } from "../../support/session-model.ts";

const SEED = Number(process.env.SESSION_SEED ?? Math.floor(Math.random() * 2 ** 30));

it("a session is what a plain reference model says, however the steps of its calls mix", {
  timeout: 60_000,
}, async () => {
  console.log(`SESSION_SEED=${SEED}`);
  expect(await playSessions(3_000, SEED)).toBeGreaterThanOrEqual(3_000);
});
