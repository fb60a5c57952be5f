import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ApprovalTree, isSatisfied, leavesOf } from "../../../src/policy/approval-tree.ts";
import { approvalTree } from "../../../src/policy/approval-tree-schema.ts";

const leaf = (role: string, count = 1): ApprovalTree => ({ roles: [role], subjects: [], count });
const faultOf = (tree: unknown) => {
  const parsed = approvalTree.safeParse(tree);
  return parsed.success ? undefined : parsed.error.issues[0];
};

describe("an approval tree", () => {
  it.each([
    { roles: ["a"] },
    { subjects: ["corp|ann"], count: 1 },
    { all: [{ roles: ["a"] }, { any: [{ roles: ["b"] }, { roles: ["c"], count: 2 }] }] },
  ])("may be %j", (tree) => {
    const parsed = approvalTree.parse(tree);
    // What is stored is read again as it is.
    expect(approvalTree.parse(parsed)).toEqual(parsed);
  });

  it.each<[unknown, PropertyKey[]]>([
    [{}, []],
    [{ count: 2 }, []],
    [{ roles: [] }, []],
    [{ roles: ["a"], all: [{ roles: ["b"] }] }, []],
    [{ all: [{ roles: ["a"] }], any: [{ roles: ["b"] }] }, []],
    [{ all: [] }, ["all"]],
    [{ all: [{ roles: ["a"], count: 0 }] }, ["all", 0, "count"]],
    [{ any: [{ role: "a" }] }, ["any", 0]],
    [{ all: [{ all: [{ all: [{ roles: ["a"] }] }] }] }, ["all", 0, "all", 0]],
    [{ all: Array.from({ length: 6 }, () => ({ roles: ["a"] })) }, ["all"]],
  ])("may not be %j", (tree, path) => expect(faultOf(tree)?.path).toEqual(path));

  it("takes a person named twice as one", () => {
    expect(approvalTree.parse({ subjects: ["a", "a"] })).toEqual({ roles: [], subjects: ["a"], count: 1 });
  });
});

describe("isSatisfied", () => {
  const both: ApprovalTree = { all: [leaf("peer"), leaf("boss")] };

  it.each<[string, ApprovalTree, number[][], boolean]>([
    ["one of one", leaf("a"), [[0]], true],
    ["none of one", leaf("a"), [], false],
    ["two of two", leaf("a", 2), [[0], [0]], true],
    ["one of two", leaf("a", 2), [[0]], false],
    ["one person for two branches", both, [[0, 1]], false],
    ["whoever could be both makes room for who cannot", both, [[0, 1], [0]], true],
    ["the same, in the other order", both, [[0], [0, 1]], true],
    ["two for the same branch", both, [[0], [0]], false],
    ["one branch of any", { any: [leaf("a"), leaf("b")] }, [[1]], true],
    ["half of each branch", { any: [leaf("a", 2), leaf("b", 2)] }, [[0], [1]], false],
    ["any in all", { all: [leaf("a"), { any: [leaf("b"), leaf("c")] }] }, [[2], [0]], true],
    ["all in any, half of it", { any: [leaf("a"), { all: [leaf("b"), leaf("c")] }] }, [[1]], false],
  ])("%s", (_what, tree, approvals, enough) => expect(isSatisfied(tree, approvals)).toBe(enough));

  const anyLeaf = fc.integer({ min: 1, max: 2 }).map((count) => leaf("r", count));
  const branches = (of: fc.Arbitrary<ApprovalTree>) => fc.array(of, { minLength: 1, maxLength: 3 });
  const group = (of: fc.Arbitrary<ApprovalTree>): fc.Arbitrary<ApprovalTree> =>
    fc.oneof(
      of,
      branches(of).map((all) => ({ all })),
      branches(of).map((any) => ({ any })),
    );

  /** Gives every person each of their leaves in turn, or none: slow and plainly right. */
  function bySearch(tree: ApprovalTree, people: number[][], taken: number[] = []): boolean {
    const [person, ...rest] = people;
    if (person === undefined) return holds(tree, taken, { next: 0 });
    return [-1, ...person].some((place) => bySearch(tree, rest, [...taken, place]));
  }

  function holds(tree: ApprovalTree, taken: number[], at: { next: number }): boolean {
    if ("all" in tree) return tree.all.map((each) => holds(each, taken, at)).every(Boolean);
    if ("any" in tree) return tree.any.map((each) => holds(each, taken, at)).some(Boolean);
    const number = at.next++;
    return taken.filter((place) => place === number).length >= tree.count;
  }

  it("is what a search through every assignment finds", () => {
    const seen = new Set<boolean>();
    fc.assert(
      fc.property(
        group(group(anyLeaf)).filter((tree) => leavesOf(tree).length <= 4),
        fc.array(fc.subarray([0, 1, 2, 3]), { maxLength: 5 }),
        (tree, people) => {
          const known = people.map((person) => person.filter((place) => place < leavesOf(tree).length));
          const expected = bySearch(tree, known);
          seen.add(expected);
          expect(isSatisfied(tree, known)).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
    expect(seen.size).toBe(2);
  });
});
