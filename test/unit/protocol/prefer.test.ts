import { expect, it } from "vitest";
import { preferredWaitSeconds } from "../../../src/protocol/prefer.ts";

it.each([
  ["wait=30", 30],
  ["Wait=30", 30],
  ['wait="30"', 30],
  ["wait = 30", 30],
  ["respond-async, wait=10", 10],
  ["wait=10; foo=bar", 10],
  ["wait=1, wait=2", 1],
  ["wait=0", 0],
])("reads %s", (prefer, seconds) => {
  expect(preferredWaitSeconds(prefer)).toBe(seconds);
});

it.each([
  "",
  "respond-async",
  "wait",
  "wait=",
  "wait=-1",
  "wait=1.5",
  "wait=x",
  "await=5",
  'wait="5',
  "wait=1234567890",
])("finds no wait in %j", (prefer) => {
  expect(preferredWaitSeconds(prefer)).toBeUndefined();
});

it("needs the field", () => {
  expect(preferredWaitSeconds(undefined)).toBeUndefined();
});
