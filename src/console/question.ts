import type { PeopleView, RequestView, TreeView } from "./wire.ts";

/** What approvers are asked about a request now. Times are epoch seconds. */
export type Question = {
  kind: "request" | "extension" | "emergency";
  extension?: string;
  duration_seconds: number;
  justification: string;
  deadline: number;
  stage?: number;
  stages?: number;
  awaiting?: TreeView;
  escalated_to?: PeopleView;
};

/** The open question: the request itself, its latest extension, or the emergency that it was. */
export function openQuestion(request: RequestView): Question | undefined {
  const { duration_seconds, justification, break_glass: glass } = request;
  if (request.state === "pending") {
    return {
      kind: "request",
      duration_seconds,
      justification,
      deadline: request.review_deadline,
      ...whoIsAsked(request),
    };
  }
  const extension = request.extensions?.find(({ state }) => state === "pending");
  if (extension) {
    return {
      kind: "extension",
      extension: extension.id,
      duration_seconds: extension.duration_seconds,
      justification: extension.justification,
      deadline: extension.review_deadline,
      ...whoIsAsked(extension),
    };
  }
  if (!glass || glass.review) return undefined;
  return { kind: "emergency", duration_seconds, justification, deadline: glass.review_due_at };
}

function whoIsAsked({
  stage,
  stages,
  awaiting,
  escalated_to,
}: Pick<RequestView, "stage" | "stages" | "awaiting" | "escalated_to">) {
  return {
    ...(stage === undefined ? {} : { stage }),
    ...(stages === undefined ? {} : { stages }),
    ...(awaiting ? { awaiting } : {}),
    ...(escalated_to ? { escalated_to } : {}),
  };
}

/** Whether somebody is asked by it, as far as the answer tells: the control plane decides. */
export function isAsked(
  { awaiting, escalated_to }: Pick<Question, "awaiting" | "escalated_to">,
  person: { subject: string; roles: readonly string[] },
): boolean {
  if (awaiting === undefined) return true;
  return [...leavesOf(awaiting), ...(escalated_to ? [escalated_to] : [])].some(
    ({ roles, subjects }) =>
      subjects.includes(person.subject) || roles.some((role) => person.roles.includes(role)),
  );
}

function leavesOf(tree: TreeView): PeopleView[] {
  if ("all" in tree) return tree.all.flatMap(leavesOf);
  if ("any" in tree) return tree.any.flatMap(leavesOf);
  return [tree];
}

/** Who must approve, in words: `2 × approver` or `approver and (lead or corp|ann)`. */
export function treeText(tree: TreeView): string {
  if ("all" in tree) return tree.all.map(branchText).join(" and ");
  if ("any" in tree) return tree.any.map(branchText).join(" or ");
  const names = [...tree.roles, ...tree.subjects].join(", ");
  return tree.count === 1 ? names : `${tree.count} × ${names}`;
}

function branchText(tree: TreeView): string {
  const isGroup = ("all" in tree && tree.all.length > 1) || ("any" in tree && tree.any.length > 1);
  return isGroup ? `(${treeText(tree)})` : treeText(tree);
}
