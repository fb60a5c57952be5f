import type { Result } from "../protocol/result.ts";
import type { Condition } from "./cel.ts";
import type { AccessRule, Route } from "./document.ts";

export type { Condition, Facts } from "./cel.ts";

type Engine = typeof import("./cel.ts");

let engine: Engine | undefined;

/**
 * Loads what CEL is parsed and evaluated with: about 30 ms of processor time, once for each isolate, and nothing
 * before the first policy that has a condition. To be awaited before anything else here is called.
 */
export async function loadConditions(): Promise<void> {
  engine ??= await import("./cel.ts");
}

/** The same, where one of these has a condition. */
export async function loadConditionsOf(has: {
  routes?: readonly Route[];
  access_rules?: readonly AccessRule[];
}): Promise<void> {
  const { routes = [], access_rules: rules = [] } = has;
  const needed =
    routes.some(({ access }) => access !== "public" && access.condition !== undefined) ||
    rules.some((rule) => conditionsOf(rule).length > 0);
  if (needed) await loadConditions();
}

/** The sources of an access rule's conditions. */
export function conditionsOf({ requesters, approve_when, deny_when }: AccessRule): string[] {
  return [requesters.condition, approve_when, deny_when].filter((source) => source !== undefined);
}

/**
 * Compiles a CEL expression (https://cel.dev) over the given top-level names. The fault says what is wrong
 * with it. `wanted: false` makes the condition that holds where the expression gives exactly `false`.
 */
export function compileCondition(
  source: string,
  names: readonly string[],
  wanted = true,
): Result<Condition, string> {
  return loaded().compileCondition(source, names, wanted);
}

/** The strings that an expression holds; none where it is not CEL. */
export function textsOf(source: string): string[] {
  return loaded().textsOf(source);
}

function loaded(): Engine {
  if (!engine) throw new Error("a condition is compiled before loadConditions()");
  return engine;
}
