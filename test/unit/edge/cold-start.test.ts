import { expect, it } from "vitest";
import { Freshness } from "../../../src/edge/freshness.ts";
import type { PolicyVersion } from "../../../src/policy/document.ts";
import { EMPTY_POLICY } from "../../../src/policy/stored-policy.ts";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok, type Result } from "../../../src/protocol/result.ts";
import type { Delta } from "../../../src/replication/entry.ts";
import { IsolateReplica } from "../../../src/replication/isolate-replica.ts";

const NEWER: PolicyVersion = { version: 1, document: EMPTY_POLICY.document };

/** A cold isolate with an old snapshot in KV, and a log that answers when it is told to. */
function coldIsolate() {
  const now = 1_000_000;
  let answer: (delta: Result<Delta>) => void = () => {};
  const asked = new Promise<void>((resolve) => {
    started = resolve;
  });
  const replica = new IsolateReplica({
    log: {
      since: () => {
        started();
        return new Promise<Result<Delta>>((resolve) => {
          answer = resolve;
        });
      },
      snapshot: async () => err(problem("unavailable", "It is not asked for.")),
    },
    filter: { load: async () => err(problem("unavailable", "There is none.")) },
    kv: {
      get: async () => ({ seq: 0, at_ms: now - 500, policy: EMPTY_POLICY, keys: [], rules: [] }),
    } as never,
    clock: () => now,
    logger: () => {},
  });
  const freshness = new Freshness({
    replica,
    denylist: async () => ok(false),
    clock: () => now,
    log: () => {},
  });
  return { freshness, asked, answer: (delta: Result<Delta>) => answer(delta) };
}

let started: () => void;

it("decides on no snapshot while the log is asked what came since", async () => {
  const { freshness, asked, answer } = coldIsolate();
  const first = freshness.first();
  await asked;
  const second = freshness.first();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const entry = { kind: "policy.activated", id: "pol_1", version: 1, document: NEWER.document } as const;
  answer(ok({ too_old: false, head_seq: 1, entries: [{ seq: 1, at_ms: 1, entry }] }) as never);
  expect((await first)?.policy.version).toBe(1);
  expect((await second)?.policy.version).toBe(1);
});

it("has the snapshot where the log does not answer", async () => {
  const { freshness, asked, answer } = coldIsolate();
  const first = freshness.first();
  await asked;
  const second = freshness.first();
  answer(err(problem("unavailable", "The log is down.")));
  expect((await first)?.policy.version).toBe(0);
  expect((await second)?.policy.version).toBe(0);
});
