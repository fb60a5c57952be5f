import type { Sha256 } from "./audit-record.ts";

/**
 * The Merkle tree of RFC 6962 §2.1 over a list that only grows. A node is named by its level (0: leaves) and its
 * index in that level; it is complete once all of its 2^level leaves are there, and never changes then.
 */
export type NodeReader = (level: number, index: number) => Uint8Array;
export type TreeNode = { level: number; index: number; hash: Uint8Array };

export function leafHash(data: Uint8Array, sha256: Sha256): Uint8Array | Promise<Uint8Array> {
  const bytes = new Uint8Array(data.length + 1);
  bytes.set(data, 1);
  return sha256(bytes);
}

function nodeHash(left: Uint8Array, right: Uint8Array, sha256: Sha256): Uint8Array | Promise<Uint8Array> {
  const bytes = new Uint8Array(1 + left.length + right.length);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return sha256(bytes);
}

/** The right edge of a tree: all that is needed to add leaves to it. */
export class TreeEdge {
  readonly #sha256: Sha256;
  /** Roots of complete subtrees, the largest first. */
  readonly #stack: TreeNode[];
  #size: number;

  constructor(sha256: Sha256, size = 0, node?: NodeReader) {
    this.#sha256 = sha256;
    this.#size = size;
    this.#stack = node ? edgeNodes(size).map((at) => ({ ...at, hash: node(at.level, at.index) })) : [];
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf and answers the nodes that it completes, the leaf first. */
  async append(hash: Uint8Array): Promise<TreeNode[]> {
    const completed: TreeNode[] = [{ level: 0, index: this.#size, hash }];
    let node = completed[0]!;
    while (node.index % 2 === 1) {
      const left = this.#stack.pop()!;
      node = {
        level: node.level + 1,
        index: left.index >> 1,
        hash: await nodeHash(left.hash, node.hash, this.#sha256),
      };
      completed.push(node);
    }
    this.#stack.push(node);
    this.#size++;
    return completed;
  }

  /** The tree's hash; of an empty one that of no bytes. */
  async root(): Promise<Uint8Array> {
    let root = this.#stack.at(-1)?.hash;
    if (!root) return this.#sha256(new Uint8Array(0));
    for (let i = this.#stack.length - 2; i >= 0; i--) {
      root = await nodeHash(this.#stack[i]!.hash, root, this.#sha256);
    }
    return root;
  }
}

/** The complete subtrees that a tree of this size is made of, the largest first. */
export function edgeNodes(size: number): { level: number; index: number }[] {
  const nodes: { level: number; index: number }[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) nodes.unshift({ level, index: rest - 1 });
  }
  return nodes;
}

/** Reads the hash of any range of leaves that a proof needs, from complete nodes. */
export class TreeReader {
  readonly #node: NodeReader;
  readonly #sha256: Sha256;

  constructor(node: NodeReader, sha256: Sha256) {
    this.#node = node;
    this.#sha256 = sha256;
  }

  root(size: number): Promise<Uint8Array> {
    return size === 0 ? Promise.resolve(this.#sha256(new Uint8Array(0))) : this.#range(0, size);
  }

  /** The audit path of a leaf in the tree of this size, from the leaf up (RFC 6962 §2.1.1). */
  async inclusion(seq: number, size: number): Promise<Uint8Array[]> {
    return this.#path(seq, 0, size);
  }

  /** What proves that the tree of size `to` begins with that of size `from` (RFC 6962 §2.1.2); 0 < from ≤ to. */
  async consistency(from: number, to: number): Promise<Uint8Array[]> {
    return this.#subproof(from, 0, to, true);
  }

  async #path(seq: number, start: number, end: number): Promise<Uint8Array[]> {
    if (end - start === 1) return [];
    const middle = start + splitOf(end - start);
    return seq < middle
      ? [...(await this.#path(seq, start, middle)), await this.#range(middle, end)]
      : [...(await this.#path(seq, middle, end)), await this.#range(start, middle)];
  }

  async #subproof(from: number, start: number, end: number, known: boolean): Promise<Uint8Array[]> {
    if (from === end) return known ? [] : [await this.#range(start, end)];
    const middle = start + splitOf(end - start);
    return from <= middle
      ? [...(await this.#subproof(from, start, middle, known)), await this.#range(middle, end)]
      : [...(await this.#subproof(from, middle, end, false)), await this.#range(start, middle)];
  }

  async #range(start: number, end: number): Promise<Uint8Array> {
    const length = end - start;
    const level = Math.log2(length);
    if (Number.isInteger(level)) return this.#node(level, start / length);
    const middle = start + splitOf(length);
    return nodeHash(await this.#range(start, middle), await this.#range(middle, end), this.#sha256);
  }
}

/** The largest power of two below the length. */
function splitOf(length: number): number {
  let split = 1;
  while (split * 2 < length) split *= 2;
  return split;
}

/** The root that an audit path leads to (RFC 9162 §2.1.3.2), or undefined where it has another length. */
export async function rootOfInclusion(
  leaf: { seq: number; hash: Uint8Array },
  size: number,
  path: readonly Uint8Array[],
  sha256: Sha256,
): Promise<Uint8Array | undefined> {
  if (leaf.seq >= size) return undefined;
  let [node, last] = [leaf.seq, size - 1];
  let root = leaf.hash;
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      root = await nodeHash(sibling, root, sha256);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      root = await nodeHash(root, sibling, sha256);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

/** The two roots that a consistency proof leads to (RFC 9162 §2.1.4.2), or undefined where it does not fit. */
export async function rootsOfConsistency(
  [from, to]: readonly [from: number, to: number],
  fromRoot: Uint8Array,
  proof: readonly Uint8Array[],
  sha256: Sha256,
): Promise<{ from: Uint8Array; to: Uint8Array } | undefined> {
  if (from === to) return proof.length === 0 ? { from: fromRoot, to: fromRoot } : undefined;
  if (from < 1 || from > to) return undefined;
  const path = Number.isInteger(Math.log2(from)) ? [fromRoot, ...proof] : [...proof];
  const first = path.shift();
  if (!first) return undefined;
  let [node, last] = [from - 1, to - 1];
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  let [older, newer] = [first, first];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      older = await nodeHash(sibling, older, sha256);
      newer = await nodeHash(sibling, newer, sha256);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      newer = await nodeHash(newer, sibling, sha256);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? { from: older, to: newer } : undefined;
}
