import { beforeEach, describe, expect, it } from "vitest";
import { LOG_MIGRATIONS, LogStore } from "../../../src/replication/log-store.ts";
import { PendingStore } from "../../../src/replication/pending-store.ts";
import { RevocationBook } from "../../../src/replication/revocation-book.ts";
import type { RevocationPage } from "../../../src/revocation/record.ts";
import { PROBE_ACTOR, type Revocation } from "../../../src/revocation/rule.ts";
import type { RevocationSearch } from "../../../src/revocation/search.ts";
import { memorySql } from "../../support/memory-sql.ts";

const NOW = 1_795_325_180;
const ruleOf = (id: string, members: Partial<Revocation> = {}): Revocation => ({
  ...{ id, match: { sub: `corp|${id}` }, reason: "left", actor: "corp|olivia", created_at: NOW },
  ...members,
});

let store: LogStore;
let pending: PendingStore;
let book: RevocationBook;
let seq: number;

beforeEach(() => {
  const sql = memorySql(LOG_MIGRATIONS);
  store = new LogStore(sql);
  pending = new PendingStore(sql);
  seq = 0;
  const unused = () => {
    throw new Error("a search changes nothing");
  };
  const durable = { commit: unused, outbox: { put: unused } } as never;
  const rest = { clock: () => NOW * 1000, log: unused, durable, apply: unused };
  book = new RevocationBook({ ...rest, store, pending });
});

const put = (rule: Revocation) => store.insertRevocation(rule, ++seq);
const propose = (rule: Revocation, expires_at = NOW + 60) =>
  pending.insert(
    { rule, would_cut: { tokens: 9, grants: 1, subjects: 1, clients: 1 }, exact: true, expires_at },
    seq,
  );

function page(search?: RevocationSearch, limit = 25, cursor?: string): RevocationPage {
  const found = book.list(limit, cursor, search);
  if (!found.ok) throw new Error(found.error.detail);
  return found.value;
}
const idsOf = ({ items }: RevocationPage) => items.map(({ id }) => id);
/** Every page after another, as a client follows them. */
function every(search: RevocationSearch | undefined, limit: number): string[] {
  const ids: string[] = [];
  for (let cursor: string | undefined, pages = 0; ; pages++) {
    if (pages > 100) throw new Error("the pages do not come to an end");
    const { next_cursor, ...found } = page(search, limit, cursor);
    ids.push(...idsOf(found));
    if (next_cursor === undefined) return ids;
    cursor = next_cursor;
  }
}

describe("a search among revocations", () => {
  beforeEach(() => {
    put(ruleOf("rev_1", { match: { sub: "corp|Mallory" } }));
    put(ruleOf("rev_2", { reason: "MALLORY's laptop was stolen" }));
    put(ruleOf("rev_3", { actor: "corp|mallory" }));
    put(ruleOf("rev_4", { match: { jti: "tok_9" }, expires_at: NOW - 1 }));
    put(ruleOf("rev_5"));
    store.liftRevocation("rev_5", "corp|bob", "it was mallory", NOW);
    put(ruleOf("rev_6", { confirmation: { actor: "corp|bob", at: NOW, comment: "seen" } }));
    propose(ruleOf("rev_7", { match: { client_id: "cli_mallory" } }));
    propose(ruleOf("rev_8"), NOW - 1);
    put(ruleOf("rev_9", { actor: PROBE_ACTOR, reason: "mallory" }));
  });

  it.each<[RevocationSearch, string[]]>([
    [{ q: "mallory" }, ["rev_7", "rev_5", "rev_3", "rev_2", "rev_1"]],
    [{ q: "REV_4" }, ["rev_4"]],
    [{ q: "tok_9" }, ["rev_4"]],
    [{ q: "seen" }, ["rev_6"]],
    [{ q: "bob" }, ["rev_6", "rev_5"]],
    [{ q: "%" }, []],
    [{ state: "in_force" }, ["rev_6", "rev_3", "rev_2", "rev_1"]],
    [{ state: "lifted" }, ["rev_5"]],
    [{ state: "expired" }, ["rev_4"]],
    [{ state: "awaiting_confirmation" }, ["rev_7"]],
    [{ state: "confirmation_expired" }, ["rev_8"]],
    [{ state: "cancelled" }, []],
    [{ state: "in_force", q: "mallory" }, ["rev_3", "rev_2", "rev_1"]],
  ])("%j finds %j among all of them, and none of the canary's", (search, ids) => {
    expect(page(search)).toMatchObject({ searched: 8 });
    expect(idsOf(page(search))).toEqual(ids);
    expect(page(search)).not.toHaveProperty("next_cursor");
    for (const limit of [1, 2, 3]) expect(every(search, limit)).toEqual(ids);
  });

  it("without anything to look for is the plain list", () => {
    const all = ["rev_8", "rev_7", "rev_6", "rev_5", "rev_4", "rev_3", "rev_2", "rev_1"];
    expect(page()).not.toHaveProperty("searched");
    for (const limit of [1, 3, 8, 25]) expect(every(undefined, limit)).toEqual(all);
  });
});

describe("a search among thousands", () => {
  it("looks at 2,000 for a page, says so, and goes on from there", () => {
    for (let i = 0; i < 4_500; i++) put(ruleOf(`rev_${String(i).padStart(5, "0")}`));
    const first = page({ q: "rev_00007" });
    expect(first).toMatchObject({ items: [], searched: 2_000, next_cursor: "2501.rev_02500" });
    const second = page({ q: "rev_00007" }, 25, first.next_cursor);
    expect(second).toMatchObject({ items: [], searched: 2_000 });
    const last = page({ q: "rev_00007" }, 25, second.next_cursor);
    expect(last).toMatchObject({ items: [{ id: "rev_00007" }], searched: 500 });
    expect(last).not.toHaveProperty("next_cursor");
    // A page that is full looks no further.
    expect(page({ q: "corp" })).toMatchObject({ searched: 25, next_cursor: "4476.rev_04475" });
  });
});
