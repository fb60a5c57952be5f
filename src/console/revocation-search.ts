import { ok, type Result } from "../protocol/result.ts";
import type { Api } from "./api.ts";
import type { RevocationView } from "./operator-wire.ts";
import { mentions } from "./revocation-words.ts";
import type { Listed } from "./wire.ts";

type Query = { state: string | undefined; q: string | undefined; cursor: string | undefined };
type Found = { items: RevocationView[]; next: string | undefined; searched: number | undefined };

const PER_PAGE = 25;
/** A search reads in large pages, and so many of them at once. */
const PER_READ = 200;
const MAX_READS = 5;

/** A page of revocations; with a search, those like it among at least so many that the page is full. */
export async function findRevocations({ state, q, cursor }: Query, api: Api): Promise<Result<Found>> {
  const read = (limit: number, from: string | undefined) =>
    api.get<Listed<RevocationView>>("/v1/revocations", { limit, cursor: from });
  if (state === undefined && q === undefined) {
    const page = await read(PER_PAGE, cursor);
    if (!page.ok) return page;
    return ok({ items: page.value.items, next: page.value.next_cursor, searched: undefined });
  }
  const items: RevocationView[] = [];
  let [next, searched] = [cursor, 0];
  for (let reads = 0; reads < MAX_READS && items.length < PER_PAGE; reads++) {
    const page = await read(PER_READ, next);
    if (!page.ok) return page;
    searched += page.value.items.length;
    const fits = (each: RevocationView) =>
      (state === undefined || each.state === state) && (q === undefined || mentions(each, q));
    items.push(...page.value.items.filter(fits));
    next = page.value.next_cursor;
    if (next === undefined) break;
  }
  return ok({ items, next, searched });
}
