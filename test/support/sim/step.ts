import fc from "fast-check";
import type { World } from "./world.ts";

type Run = { name: string; check?: (world: World) => boolean; run: (world: World) => void | Promise<void> };

/** One step of a schedule: something is begun, and time passes while it is under way. */
export class Step implements fc.AsyncCommand<World, World> {
  readonly #step: Run;
  readonly #thenMs: number;

  constructor(step: Run, thenMs: number) {
    this.#step = step;
    this.#thenMs = thenMs;
  }

  check(world: Readonly<World>): boolean {
    return this.#step.check?.(world as World) ?? true;
  }

  async run(world: World): Promise<void> {
    await this.#step.run(world);
    await world.wait(this.#thenMs);
  }

  toString(): string {
    return `${this.#step.name} +${this.#thenMs}ms`;
  }
}

/** The newest of them, or any other. */
export const recent = fc.oneof(fc.constant(-1), fc.nat({ max: 30 }));
export const small = fc.nat({ max: 3 });
export const index = fc.nat({ max: 30 });
export const oneIn = (n: number) => fc.nat({ max: n - 1 }).map((i) => i === 0);

/** Moments that matter: within a round trip, within the bounds, past them, minutes. */
export const durationMs = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 60 }) },
  { weight: 4, arbitrary: fc.nat({ max: 3_000 }) },
  { weight: 2, arbitrary: fc.nat({ max: 70_000 }) },
  { weight: 1, arbitrary: fc.nat({ max: 300_000 }) },
);
const soonMs = fc.oneof(fc.constant(0), fc.nat({ max: 40 }), fc.nat({ max: 1_500 }));

export const hasTokens = (world: World) => world.ledger.tokens.length > 0;
export const step = (arbitrary: fc.Arbitrary<Run>, thenMs = soonMs) =>
  fc.tuple(arbitrary, thenMs).map(([run, ms]) => new Step(run, ms));
