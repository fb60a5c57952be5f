import { celEnv, parse, plan } from "@bufbuild/cel";
import { err, ok, type Result } from "../protocol/result.ts";

/** What a condition may look at: plain JSON under a few top-level names. */
export type Facts = Record<string, unknown>;

/** Holds only where the expression gives exactly `true`; an error, an unknown member or any other value is no. */
export type Condition = (facts: Facts) => boolean;

/** Each level of `all`, `exists`, `map` … multiplies what one look costs. */
const MAX_LOOPS_WITHIN = 2;

const environment = celEnv();

/** As `compileCondition` of `condition.ts` says, which loads this file when it is needed. */
export function compileCondition(
  source: string,
  names: readonly string[],
  wanted: boolean,
): Result<Condition, string> {
  let expression: ReturnType<typeof parse>;
  try {
    expression = parse(source);
  } catch (fault) {
    return err(`is not CEL: ${fault instanceof Error ? fault.message : "it cannot be parsed"}`);
  }
  const unknown = [...unboundNames(expression.expr, new Set(names), 0)];
  if (unknown.includes(TOO_DEEP)) return err(`has loops in loops deeper than ${MAX_LOOPS_WITHIN}`);
  if (unknown.length > 0) {
    return err(`names '${unknown[0]}', which it cannot see: it sees ${names.join(", ")}`);
  }
  const evaluate = plan(environment, expression) as (bindings: Facts) => unknown;
  return ok((facts) => {
    try {
      return evaluate(celValue(facts) as Facts) === wanted;
    } catch {
      return false;
    }
  });
}

/** Whole numbers become CEL's `int`, so that they can be counted with. */
function celValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, celValue(member)]));
}

/** The strings that an expression holds; none where it is not CEL. */
export function textsOf(source: string): string[] {
  try {
    return [...literals(parse(source).expr)];
  } catch {
    return [];
  }
}

/** Every string constant, wherever in the tree it is. */
function literals(tree: unknown): Set<string> {
  const found = new Set<string>();
  if (typeof tree !== "object" || tree === null) return found;
  const { case: kind, value } = tree as Node;
  if (kind === "stringValue") return found.add(value as string);
  for (const child of Object.values(tree)) for (const text of literals(child)) found.add(text);
  return found;
}

const TOO_DEEP = " ";

type Node = { case?: string | undefined; value?: unknown };
type Tree = { exprKind?: Node } | undefined;

/** Names that stand for nothing: neither given, nor bound by a loop around them. */
function unboundNames(tree: Tree, bound: ReadonlySet<string>, loops: number): Set<string> {
  const found = new Set<string>();
  const add = (child: unknown, known = bound, depth = loops) => {
    for (const name of unboundNames(child as Tree, known, depth)) found.add(name);
  };
  const { case: kind, value } = tree?.exprKind ?? {};
  const node = (value ?? {}) as Record<string, unknown>;
  if (kind === "identExpr" && !bound.has(node.name as string)) found.add(node.name as string);
  if (kind === "selectExpr") add(node.operand);
  if (kind === "callExpr") for (const child of [node.target, ...(node.args as unknown[])]) add(child);
  if (kind === "listExpr") for (const child of node.elements as unknown[]) add(child);
  if (kind === "structExpr") {
    for (const { keyKind, value: member } of node.entries as { keyKind: Node; value: unknown }[]) {
      if (keyKind.case === "mapKey") add(keyKind.value);
      add(member);
    }
  }
  if (kind === "comprehensionExpr") {
    if (loops === MAX_LOOPS_WITHIN) return new Set([TOO_DEEP]);
    add(node.iterRange);
    add(node.accuInit);
    const inside = new Set([...bound, node.iterVar as string, node.accuVar as string]);
    for (const child of [node.loopCondition, node.loopStep, node.result]) add(child, inside, loops + 1);
  }
  return found;
}
