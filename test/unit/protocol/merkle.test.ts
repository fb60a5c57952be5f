import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Sha256 } from "../../../src/protocol/audit-record.ts";
import {
  leafHash,
  rootOfInclusion,
  rootsOfConsistency,
  TreeEdge,
  TreeReader,
} from "../../../src/protocol/merkle.ts";

const sha256: Sha256 = (data) => hash("sha256", data, "buffer");
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex");

/** Leaves and roots of the reference implementation of RFC 6962 (certificate-transparency, merkle_tree_test). */
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/** A tree of so many leaves, with every complete node kept. */
async function treeOf(leaves: Uint8Array[]) {
  const nodes = new Map<string, Uint8Array>();
  const edge = new TreeEdge(sha256);
  for (const leaf of leaves) {
    for (const { level, index, hash } of await edge.append(await leafHash(leaf, sha256))) {
      nodes.set(`${level}.${index}`, hash);
    }
  }
  const node = (level: number, index: number) => nodes.get(`${level}.${index}`)!;
  return { edge, node, reader: new TreeReader(node, sha256) };
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => Buffer.from(`leaf ${i}`));

describe("a Merkle tree", () => {
  it("has the roots of the reference implementation, however they are reached", async () => {
    const edge = new TreeEdge(sha256);
    expect(hex(await edge.root())).toBe(EMPTY_ROOT);
    for (const [i, leaf] of LEAVES.entries()) {
      await edge.append(await leafHash(Buffer.from(leaf, "hex"), sha256));
      expect(hex(await edge.root())).toBe(ROOTS[i]);
    }
    const { reader } = await treeOf(LEAVES.map((leaf) => Buffer.from(leaf, "hex")));
    for (const [i, root] of ROOTS.entries()) expect(hex(await reader.root(i + 1))).toBe(root);
    expect(hex(await reader.root(0))).toBe(EMPTY_ROOT);
  });

  it("goes on from its edge as if it had never been put away", async () => {
    const leaves = numbered(40);
    const whole = await treeOf(leaves);
    for (const size of [0, 1, 7, 8, 31, 39]) {
      const edge = new TreeEdge(sha256, size, whole.node);
      for (const leaf of leaves.slice(size)) await edge.append(await leafHash(leaf, sha256));
      expect(hex(await edge.root())).toBe(hex(await whole.edge.root()));
    }
  });

  it("proves each leaf of each size, and no other leaf, place, size or path", async () => {
    const leaves = numbered(33);
    const { reader, node } = await treeOf(leaves);
    for (let size = 1; size <= leaves.length; size++) {
      const root = hex(await reader.root(size));
      for (let seq = 0; seq < size; seq++) {
        const path = await reader.inclusion(seq, size);
        const leaf = { seq, hash: node(0, seq) };
        expect(hex(await rootOfInclusion(leaf, size, path, sha256))).toBe(root);
        const other = { seq, hash: node(0, (seq + 1) % leaves.length) };
        expect(hex(await rootOfInclusion(other, size, path, sha256))).not.toBe(root);
        if (size > 1) {
          const place = { ...leaf, seq: (seq + 1) % size };
          expect(hex(await rootOfInclusion(place, size, path, sha256))).not.toBe(root);
          expect(hex(await rootOfInclusion(leaf, size, path.slice(1), sha256))).not.toBe(root);
        }
        expect(hex(await rootOfInclusion(leaf, size, [...path, leaf.hash], sha256))).not.toBe(root);
      }
    }
    expect(await rootOfInclusion({ seq: 5, hash: node(0, 5) }, 5, [], sha256)).toBeUndefined();
  });

  it("proves that each size begins with each smaller one, and nothing else", async () => {
    const { reader } = await treeOf(numbered(33));
    for (let to = 1; to <= 33; to++) {
      for (let from = 1; from <= to; from++) {
        const [older, newer] = [await reader.root(from), await reader.root(to)];
        const proof = await reader.consistency(from, to);
        const roots = await rootsOfConsistency([from, to], older, proof, sha256);
        expect([hex(roots?.from), hex(roots?.to)]).toEqual([hex(older), hex(newer)]);
        if (from === to) continue;
        const forged = await reader.root(from === 1 ? 2 : from - 1);
        const wrong = await rootsOfConsistency([from, to], forged, proof, sha256);
        expect(hex(wrong?.from) === hex(forged) && hex(wrong?.to) === hex(newer)).toBe(false);
        const short = await rootsOfConsistency([from, to], older, proof.slice(0, -1), sha256);
        expect(hex(short?.to)).not.toBe(hex(newer));
      }
    }
  });

  it("has no proof from nothing, or backwards", async () => {
    const { reader } = await treeOf(numbered(3));
    const root = await reader.root(3);
    expect(await rootsOfConsistency([0, 3], root, [], sha256)).toBeUndefined();
    expect(await rootsOfConsistency([3, 2], root, [root], sha256)).toBeUndefined();
    expect(await rootsOfConsistency([3, 3], root, [root], sha256)).toBeUndefined();
  });
});
