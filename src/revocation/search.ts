import type { RevocationRecord, RevocationState } from "./record.ts";

/** What is looked for among revocations; all of it must fit. */
export type RevocationSearch = {
  state?: RevocationState;
  /** Part of its id, of what it names, or of what people said and who they are; in any case. */
  q?: string;
};

/** Whether the revocation is like what is looked for. */
export function isLike(revocation: RevocationRecord, { state, q }: RevocationSearch): boolean {
  if (state !== undefined && revocation.state !== state) return false;
  if (q === undefined) return true;
  const wanted = q.toLowerCase();
  return textsOf(revocation).some((text) => text.toLowerCase().includes(wanted));
}

function textsOf({ id, match, history }: RevocationRecord): string[] {
  return [id, ...Object.values(match), ...history.flatMap(({ actor, reason = "" }) => [actor, reason])];
}
