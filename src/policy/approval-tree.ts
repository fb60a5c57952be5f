import * as z from "zod";
import { roleName } from "./names.ts";

/** As many different people as `count`, each with one of the roles or named. */
export type ApprovalLeaf = { roles: string[]; subjects: string[]; count: number };
/** Who must approve: some people, every branch, or one branch. */
export type ApprovalTree = ApprovalLeaf | { all: ApprovalTree[] } | { any: ApprovalTree[] };

/** Branches of one `all` or `any`. */
const MAX_BRANCHES = 5;
/** Groups in groups. */
const MAX_LEVELS = 2;

const leafShape = {
  roles: z.array(roleName).max(32).exactOptional(),
  subjects: z.array(z.string().min(1).max(320)).max(200).exactOptional(),
  count: z.int().min(1).max(10).exactOptional().describe("How many of them; 1 where it is absent."),
};

type LeafInput = { roles?: string[]; subjects?: string[]; count?: number };
type TreeInput = LeafInput & { all?: ApprovalTree[]; any?: ApprovalTree[] };

/** One object with every member, so that a fault names the member that is wrong and not a kind of tree. */
function treeOf(levels: number): z.ZodType<ApprovalTree> {
  if (levels === 0) return z.strictObject(leafShape).superRefine(checkKind).transform(normal);
  const branches = z
    .array(treeOf(levels - 1))
    .min(1)
    .max(MAX_BRANCHES)
    .exactOptional();
  return z
    .strictObject({ ...leafShape, all: branches, any: branches })
    .superRefine(checkKind)
    .transform(normal);
}

export const approvalTree = treeOf(MAX_LEVELS).describe(
  "`{roles?, subjects?, count?}`: so many of these people; `{all: […]}`; `{any: […]}`.",
);

function checkKind(tree: TreeInput, context: z.RefinementCtx): void {
  const named = (tree.roles?.length ?? 0) + (tree.subjects?.length ?? 0) > 0;
  const groups = [tree.all, tree.any].filter((group) => group !== undefined).length;
  if (groups === 0 && !named) {
    context.addIssue({ code: "custom", message: "name at least one role or subject, or use all or any" });
  }
  const leafMembers = [tree.roles, tree.subjects, tree.count].some((member) => member !== undefined);
  if (groups > 1 || (groups === 1 && leafMembers)) {
    context.addIssue({
      code: "custom",
      message: "is one of: all, any, or people (roles, subjects, count); put the others into branches",
    });
  }
}

function normal({ all, any, roles = [], subjects = [], count = 1 }: TreeInput): ApprovalTree {
  if (all) return { all };
  if (any) return { any };
  return { roles, subjects: [...new Set(subjects)], count };
}

/** The leaves, from left to right: a leaf's number is its place among them. */
export function leavesOf(tree: ApprovalTree): ApprovalLeaf[] {
  if ("all" in tree) return tree.all.flatMap(leavesOf);
  if ("any" in tree) return tree.any.flatMap(leavesOf);
  return [tree];
}

/**
 * Whether these approvals are enough. Each approval is one person's, as the numbers of the leaves that the
 * person may fill; it fills one of them, whichever helps.
 */
export function isSatisfied(tree: ApprovalTree, approvals: readonly (readonly number[])[]): boolean {
  const leaves = leavesOf(tree);
  return alternatives(tree).some((needed) => canFill(needed, leaves, approvals));
}

/** The ways to satisfy a tree, each as the numbers of the leaves that must be full. */
function alternatives(tree: ApprovalTree): number[][] {
  let next = 0;
  const walk = (branch: ApprovalTree): number[][] => {
    if ("any" in branch) return branch.any.flatMap(walk);
    if (!("all" in branch)) return [[next++]];
    const combine = (ways: number[][], more: number[][]) =>
      ways.flatMap((way) => more.map((other) => [...way, ...other]));
    return branch.all.map(walk).reduce(combine, [[]]);
  };
  return walk(tree);
}

/** Gives every place of the needed leaves a person of its own (augmenting paths in a bipartite graph). */
function canFill(
  needed: readonly number[],
  leaves: readonly ApprovalLeaf[],
  approvals: readonly (readonly number[])[],
): boolean {
  const places = needed.flatMap((leaf) => Array.from({ length: leaves[leaf]!.count }, () => leaf));
  if (places.length > approvals.length) return false;
  const placeOf = new Map<number, number>();
  const seat = (place: number, tried: Set<number>): boolean =>
    approvals.some((fillable, person) => {
      if (tried.has(person) || !fillable.includes(places[place]!)) return false;
      tried.add(person);
      const seated = placeOf.get(person);
      if (seated !== undefined && !seat(seated, tried)) return false;
      placeOf.set(person, place);
      return true;
    });
  return places.every((_leaf, place) => seat(place, new Set()));
}
