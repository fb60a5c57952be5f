import { setImmediate as immediate } from "node:timers/promises";
import * as fc from "fast-check";
import { expect } from "vitest";
import { sha256Hex } from "../../src/protocol/encoding.ts";
import { ok } from "../../src/protocol/result.ts";
import { endSession, type Session } from "../../src/tokens/session.ts";
import { type SessionAnswer, SessionFlow, type SessionFlowDeps } from "../../src/tokens/session-flow.ts";
import { NOW, openingWith, SESSION_ISSUER, termsWith } from "./session-world.ts";

const WINDOW_MS = 10_000;
const IDLE_MS = 3_600_000;
const ABSOLUTE_MS = 86_400_000;
const CLIENT = "cli_1";

/** One thing that happens; those of one batch happen at the same moment, and their steps mix in any order. */
type Op =
  /** `age`: 0 is the newest refresh token, 1 the one before it … */
  | { kind: "refresh"; age: number; client: string; narrow: boolean }
  | { kind: "revoke"; steps: number }
  /** The process dies: what was on its way gets no answer, and what was not committed is gone. */
  | { kind: "crash"; steps: number };

/** How far what is on its way still comes. */
const steps = fc.integer({ min: 0, max: 16 });

type Batch = { waitMs: number; ops: Op[] };

const refresh = fc.record({
  kind: fc.constant("refresh" as const),
  age: fc.oneof(
    { weight: 12, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 4 }) },
  ),
  client: fc.oneof(
    { weight: 30, arbitrary: fc.constant(CLIENT) },
    { weight: 1, arbitrary: fc.constant("cli_2") },
  ),
  narrow: fc.oneof(
    { weight: 15, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 40, arbitrary: refresh },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const), steps }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("revoke" as const), steps }) },
);
const batch: fc.Arbitrary<Batch> = fc.record({
  waitMs: fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(0, 1, 300, 1_000) },
    { weight: 4, arbitrary: fc.constantFrom(WINDOW_MS - 1, WINDOW_MS, WINDOW_MS + 1, 240_000) },
    { weight: 1, arbitrary: fc.constantFrom(IDLE_MS - 1_000, IDLE_MS) },
  ),
  ops: fc.array(op, { minLength: 1, maxLength: 8 }),
});

/**
 * What should come of it, written down as plainly as it is meant: every token in the order in which it was
 * given out, and when each was spent.
 */
class Reference {
  /** Given out, oldest first; with the request and the moment of its only use. */
  readonly tokens: { text: string; spent?: { atMs: number; narrow: boolean; answer: string } }[];
  alive = true;
  #usedMs: number;
  readonly #openedMs: number;

  constructor(first: string, nowMs: number) {
    this.tokens = [{ text: first }];
    this.#usedMs = nowMs;
    this.#openedMs = nowMs;
  }

  get newest() {
    return this.tokens.at(-1)!;
  }

  isOver(nowMs: number): boolean {
    return !this.alive || nowMs >= this.#usedMs + IDLE_MS || nowMs >= this.#openedMs + ABSOLUTE_MS;
  }

  /** `rotates`: a new answer, that of nobody else. Otherwise the very answer that is expected, or none. */
  expected(
    index: number,
    { client, narrow }: { client: string; narrow: boolean },
    nowMs: number,
  ): "rotates" | { answer?: string } {
    if (this.isOver(nowMs)) return {};
    const token = this.tokens[index]!;
    if (!token.spent) return client === CLIENT ? "rotates" : {};
    const isLastSpent = index === this.tokens.length - 2;
    if (isLastSpent && client === CLIENT && nowMs - token.spent.atMs < WINDOW_MS) {
      return narrow === token.spent.narrow ? { answer: token.spent.answer } : {};
    }
    this.alive = false;
    return {};
  }

  rotated(index: number, answer: SessionAnswer, narrow: boolean, nowMs: number): void {
    this.tokens[index]!.spent = { atMs: nowMs, narrow, answer: JSON.stringify(answer) };
    this.tokens.push({ text: answer.refresh_token });
    this.#usedMs = nowMs - (nowMs % 1000);
  }
}

type Made = {
  index: number;
  op: Extract<Op, { kind: "refresh" }>;
  result: Promise<SessionAnswer | undefined | "lost">;
};

/** A session in memory whose every step waits for the scheduler. */
class World {
  nowMs = NOW * 1000;
  minted = 0;
  /** Of the refresh tokens that were made. */
  readonly hashes = new Map<string, string>();
  session: Session | undefined;
  flow: SessionFlow;
  readonly #scheduler: fc.Scheduler;
  #life = 0;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
    this.flow = this.#newFlow();
  }

  /** A new process on the state that was committed; the old one comes no further. */
  crash(): void {
    this.#life++;
    this.flow = this.#newFlow();
  }

  #newFlow(): SessionFlow {
    const life = this.#life;
    const step = async <T>(value: () => T): Promise<T> => {
      await this.#scheduler.schedule(Promise.resolve());
      if (life !== this.#life) throw new Error("crashed");
      return value();
    };
    const deps: SessionFlowDeps = {
      issuer: SESSION_ISSUER,
      clock: () => this.nowMs,
      read: () => this.session,
      write: (session) => {
        if (life !== this.#life) throw new Error("crashed");
        this.session = session;
      },
      end: (session, end) =>
        step(() => {
          this.session = endSession(session, end);
        }),
      mint: ({ ttlSeconds, jti }) =>
        step(() => {
          const accessToken = `access-${++this.minted}`;
          return ok({ accessToken, jti, expiresAt: 0, expiresInSeconds: ttlSeconds });
        }),
      hit: () => step(() => ok(null)),
      newCredential: async () => {
        const text = `refresh-${crypto.randomUUID()}`;
        this.hashes.set(text, await sha256Hex(text));
        return step(() => text);
      },
      seal: (answer) => step(() => answer),
      open: (sealed) => step(() => sealed),
    };
    return new SessionFlow(deps);
  }
}

async function play(scheduler: fc.Scheduler, batches: readonly Batch[]): Promise<number> {
  const world = new World(scheduler);
  const terms = termsWith();
  const opening = openingWith();
  const first = await scheduler.waitFor(world.flow.open({ opening, terms, scopes: opening.scopes }));
  if (!first.ok) throw new Error("the session was not opened");
  const reference = new Reference(first.value.refresh_token, world.nowMs);
  let steps = 0;
  for (const { waitMs, ops } of batches) {
    world.nowMs += waitMs;
    steps += ops.length;
    await playBatch(world, reference, ops, scheduler);
    const state = world.session!;
    // No false kill, and no kill that was missed.
    expect(state.ended === undefined).toBe(reference.alive);
    // One live successor: what may be used next is what was given out last.
    if (reference.alive) expect(state.current).toBe(world.hashes.get(reference.newest.text));
    expect(reference.tokens.filter(({ spent }) => !spent)).toHaveLength(1);
  }
  return steps;
}

/** Between two crashes or revocations, refreshes are answered as if one came after the other. */
async function playBatch(world: World, reference: Reference, ops: readonly Op[], scheduler: fc.Scheduler) {
  let made: Made[] = [];
  for (const each of ops) {
    if (each.kind === "refresh") {
      made.push(send(world, reference, each));
      continue;
    }
    for (let step = 0; step < each.steps; step++) {
      await immediate();
      if (scheduler.count() > 0) await scheduler.waitNext(1);
    }
    const over = reference.isOver(world.nowMs) || world.session?.ended !== undefined;
    if (each.kind === "crash") {
      world.crash();
    } else if (world.session && !over) {
      world.session = endSession(world.session, { how: "revoked", at: 0, by: "operator", reason: "r" });
    }
    await settle(world, reference, made, scheduler, each.kind === "revoke" && over ? undefined : each.kind);
    made = [];
  }
  await settle(world, reference, made, scheduler);
}

function send(world: World, reference: Reference, refreshOp: Made["op"]): Made {
  const index = Math.max(0, reference.tokens.length - 1 - refreshOp.age);
  const { client, narrow } = refreshOp;
  const result = world.flow
    .refresh({
      credential: world.hashes.get(reference.tokens[index]!.text)!,
      binding: { client_id: client },
      ask: narrow ? { scopes: ["orders:read"] } : {},
      terms: termsWith(),
    })
    .then((answered) => (answered.ok ? answered.value : undefined))
    .catch(() => "lost" as const);
  return { index, op: refreshOp, result };
}

async function settle(
  world: World,
  reference: Reference,
  made: readonly Made[],
  scheduler: fc.Scheduler,
  cut?: "crash" | "revoke",
): Promise<void> {
  const results = await scheduler.waitFor(Promise.all(made.map(({ result }) => result)));
  const revoked = cut === "revoke";
  made.forEach(({ index, op: asked }, i) => {
    const answer = results[i];
    if (answer === "lost") {
      expect(cut).toBe("crash");
      return;
    }
    // A revocation is not waited for: what came before it was answered, what did not is refused.
    if (revoked && answer === undefined) return;
    const expected = reference.expected(index, asked, world.nowMs);
    if (expected === "rotates") {
      if (answer === undefined) throw new Error("a refresh was refused that should have rotated");
      reference.rotated(index, answer, asked.narrow, world.nowMs);
      return;
    }
    expect(answer && JSON.stringify(answer)).toBe(expected.answer);
  });
  if (revoked) reference.alive = false;
  if (cut === "crash") adoptWhatWasCommitted(world, reference);
}

/** A rotation may have been committed whose answer was lost: its token comes with the repeat. */
function adoptWhatWasCommitted(world: World, reference: Reference): void {
  const { session } = world;
  if (!session) return;
  if (session.ended) {
    reference.alive = false;
    return;
  }
  if (session.generation === reference.tokens.length) return;
  expect(session.generation).toBe(reference.tokens.length + 1);
  const answer: SessionAnswer = JSON.parse(session.last.sealed);
  const narrow = session.last.asked.includes("orders:read");
  reference.rotated(reference.tokens.length - 1, answer, narrow, world.nowMs);
}

/** Random histories until about so many steps were taken; answers how many. */
export async function playSessions(minSteps: number, seed: number): Promise<number> {
  let taken = 0;
  for (let round = 0; taken < minSteps; round++) {
    const property = fc.asyncProperty(
      fc.scheduler(),
      fc.array(batch, { minLength: 1, maxLength: 12 }),
      async (s, batches) => {
        taken += await play(s, batches);
      },
    );
    await fc.assert(property, { numRuns: 50, seed: seed + round, endOnFailure: false });
  }
  return taken;
}
