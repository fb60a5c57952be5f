import { problem } from "../protocol/problem.ts";

/** One thing that an edit changes: its values before and after. */
export type Change = { what: string; before: readonly string[]; after: readonly string[] };

type Members = Readonly<Record<string, unknown>>;

/** Of what a form holds, the members that differ from what is there; a list's order does not matter. */
export function patchOf<T extends object>(before: Members, edited: T): Partial<T> {
  const differs = ([name, value]: [string, unknown]) =>
    canonical(textsOf(before[name])) !== canonical(textsOf(value));
  return Object.fromEntries(Object.entries(edited).filter(differs)) as Partial<T>;
}

/** What a patch changes, by the names that people know its members by. */
export function changesOf(
  before: Members,
  patch: Members,
  names: Readonly<Record<string, string>>,
): Change[] {
  return Object.entries(patch).map(([name, value]) => ({
    what: names[name] ?? name,
    before: textsOf(before[name]),
    after: textsOf(value),
  }));
}

/** The form was made of another revision than there is now. */
export const CHANGED_MEANWHILE = problem(
  "precondition_failed",
  "Somebody changed it meanwhile. Here it is as it is now: make your change again.",
);

/** What is in a list no more. */
export function taken(before: readonly string[], after: readonly string[] | undefined): string[] {
  return after ? before.filter((each) => !after.includes(each)) : [];
}

/** A text's words, as a form takes several of something. A scope may have a comma in it. */
export function wordsOf(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}

function textsOf(value: unknown): string[] {
  if (value === undefined || value === null || value === false) return [];
  if (value === true) return ["yes"];
  if (Array.isArray(value)) return value.map(String);
  return [typeof value === "object" ? JSON.stringify(value) : String(value)];
}

function canonical(texts: readonly string[]): string {
  return JSON.stringify(texts.toSorted());
}
