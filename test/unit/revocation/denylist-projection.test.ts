import { expect, it } from "vitest";
import { bucketOfToken, deniedBucketKey } from "../../../src/revocation/denied-token.ts";
import { DenylistProjection } from "../../../src/revocation/denylist-projection.ts";
import { DENYLIST_MIGRATIONS, DenylistStore } from "../../../src/revocation/denylist-store.ts";
import { FILTER_MIGRATIONS, FilterStore } from "../../../src/revocation/filter-store.ts";
import { memorySql } from "../../support/memory-sql.ts";

it("writes a list at most once a second, each for itself, and deletes one that is empty", async () => {
  const sql = memorySql([...DENYLIST_MIGRATIONS, ...FILTER_MIGRATIONS]);
  const [tokens, parts] = [new DenylistStore(sql), new FilterStore(sql)];
  const written: string[] = [];
  const kv = {
    put: async (key: string) => void written.push(`put ${key}`),
    delete: async (key: string) => void written.push(`delete ${key}`),
  } as unknown as Pick<KVNamespace, "put" | "delete">;
  const projection = new DenylistProjection({ kv, tokens, parts, clock: () => 50_000 });
  const bucket = bucketOfToken("a");
  tokens.add([{ token: { jti: "a", expires_at: 100 }, extend: true }], 1, 0);
  expect(projection.notBeforeMs("row")).toBe(0);
  await projection.writeBucket("row", bucket);
  expect([projection.notBeforeMs("row"), projection.notBeforeMs("other")]).toEqual([51_000, 0]);
  tokens.remove([{ jti: "a" }]);
  await projection.writeBucket("row", bucket);
  expect(written).toEqual([`put ${deniedBucketKey(bucket)}`, `delete ${deniedBucketKey(bucket)}`]);
});
