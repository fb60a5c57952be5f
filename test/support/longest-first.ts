import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that wait for minutes, the longest first. */
const LONGEST = [
  "remediation-restart",
  "documents",
  "console-operate",
  "access-model",
  "mutants",
  "sessions",
];

/** Begins with what takes longest, so that the others run beside it and nothing is left to wait for at the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const byProject = Map.groupBy(await super.sort(files), ({ project }) => project.name);
    return [...byProject.values()].flatMap((own) => own.toSorted((a, b) => placeOf(a) - placeOf(b)));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONGEST.findIndex((name) => moduleId.endsWith(`/long/${name}.test.ts`));
  return place < 0 ? LONGEST.length : place;
}
