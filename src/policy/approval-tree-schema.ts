import * as z from "zod";
import type { ApprovalTree } from "./approval-tree.ts";
import { roleName } from "./names.ts";

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
