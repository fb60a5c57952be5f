import type { TokenFault } from "../../../src/tokens/verify.ts";
import type { Case, Scene } from "../token-scene.ts";

export type Reason = TokenFault["reason"];

/** Hostile tokens of one kind, each with the reason of its refusal, beside good ones that differ by a little. */
export type TokenGroup = {
  neighbours: { name: string; token: string }[];
  hostile: { name: string; token: string; reason: Reason }[];
};

export type TokenGroups = Record<string, (scene: Scene) => Promise<TokenGroup>>;

/** A gate that refuses everything would pass any list of attacks: a group without a neighbour is an error. */
export async function group(reason: Reason, neighbours: Case[], hostile: Case[]): Promise<TokenGroup> {
  if (neighbours.length === 0) throw new Error("a group of attacks needs a neighbour that is accepted");
  const made = (cases: Case[]) =>
    Promise.all(
      cases.map(async ([name, token, its]) => ({ name, token: await token, reason: its ?? reason })),
    );
  return { neighbours: await made(neighbours), hostile: await made(hostile) };
}
