import type { CheckName, TracedCheck } from "../protocol/decision-trace.ts";

/**
 * What was checked for one decision, in order. Given to the engine where somebody asks why; the gate decides
 * without one. It holds what the policy demands and nothing of what a token says.
 */
export class Trace {
  readonly #checks: TracedCheck[] = [];
  #roundAt: number | undefined;

  /** A decision may be taken anew on a newer view: what was found on the old one does not count. */
  beginRound(): void {
    this.#roundAt ??= this.#checks.length;
    this.#checks.length = this.#roundAt;
  }

  note(check: CheckName, passed: boolean, demand: TracedCheck["demand"] = {}): void {
    const told = Object.entries(demand).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    );
    const traced: TracedCheck = { check, outcome: passed ? "passed" : "failed" };
    this.#checks.push(told.length > 0 ? { ...traced, demand: Object.fromEntries(told) } : traced);
  }

  skip(check: CheckName, reason: string): void {
    this.#checks.push({ check, outcome: "skipped", reason });
  }

  get checks(): readonly TracedCheck[] {
    return this.#checks;
  }
}
