import { type Problem, problem } from "../protocol/problem.ts";

/** A row of SQLite storage, here and in the log, holds 2 MB. */
export const MAX_DOCUMENT_BYTES = 1_500_000;

export function noVersion(version: number): Problem {
  return problem("not_found", `There is no policy version ${version}.`);
}

export function otherVersion(current: number, edited: number): Problem {
  const detail = `Version ${current} is in force, you edited ${edited}. Read it, merge your change and put it again.`;
  return problem("precondition_failed", detail, { active_version: current });
}

export function tooLarge(bytes: number): Problem {
  const detail = `With its defaults filled in the policy has ${bytes} bytes, ${MAX_DOCUMENT_BYTES} are kept. Use fewer routes with wider patterns.`;
  return problem("body_too_large", detail);
}
