/** As many different people as `count`, each with one of the roles or named. */
export type ApprovalLeaf = { roles: string[]; subjects: string[]; count: number };
/** Who must approve: some people, every branch, or one branch. */
export type ApprovalTree = ApprovalLeaf | { all: ApprovalTree[] } | { any: ApprovalTree[] };

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
