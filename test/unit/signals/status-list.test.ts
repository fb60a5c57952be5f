import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { problem } from "../../../src/protocol/problem.ts";
import { err, ok } from "../../../src/protocol/result.ts";
import { compressList, setInvalid } from "../../../src/protocol/status-list.ts";
import { LIST_SIZE, listUri, numbersOf, placeOf } from "../../../src/signals/status-list.ts";
import { StatusListTokens } from "../../../src/signals/status-list-token.ts";

const inflated = (lst: string) => new Uint8Array(inflateSync(Buffer.from(lst, "base64url")));

describe("status lists as tokens", () => {
  it("are signed for their own address, kept for half of their ttl, and not at all where they cannot be had", async () => {
    let nowMs = 1_800_000_000_000;
    let asked = 0;
    let away = true;
    const statements: { typ: string; claims: Record<string, unknown>; until: number }[] = [];
    const tokens = new StatusListTokens({
      issuer: "https://g.example",
      clock: () => nowMs,
      bits: async () => {
        asked++;
        return away ? err(problem("unavailable", "away")) : ok(new Uint8Array([0xb9, 0xa3]));
      },
      keyring: {
        signStatement: async (statement) => {
          statements.push(statement);
          return ok(`token-${statements.length}`);
        },
      },
    });
    expect(await tokens.list(3)).toMatchObject({ ok: false, error: { code: "unavailable" } });
    away = false;
    expect(await tokens.list(3)).toEqual(ok("token-1"));
    expect(statements[0]).toMatchObject({
      typ: "statuslist+jwt",
      until: 1_800_003_600,
      claims: { sub: "https://g.example/v1/status-lists/3", iat: 1_800_000_000, exp: 1_800_003_600, ttl: 60 },
    });
    const { lst } = statements[0]!.claims.status_list as { lst: string };
    expect([...inflated(lst)]).toEqual([0xb9, 0xa3]);
    nowMs += 29_000;
    expect(await tokens.list(3)).toEqual(ok("token-1"));
    expect(await tokens.list(4)).toEqual(ok("token-2"));
    nowMs += 1_000;
    expect(await tokens.list(3)).toEqual(ok("token-3"));
    expect(asked).toBe(4);
  });
});

describe("a status list", () => {
  it("is the example of the specification (§4.1): bits from the lowest of each byte on", async () => {
    const statuses = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    const bytes = new Uint8Array(2);
    statuses.forEach((status, index) => {
      if (status === 1) setInvalid(bytes, index);
    });
    expect([...bytes]).toEqual([0xb9, 0xa3]);
    expect(inflated("eNrbuRgAAhcBXQ")).toEqual(bytes);
    expect(inflated(await compressList(bytes))).toEqual(bytes);
  });

  it("is small where little is revoked, and whole where much is", async () => {
    const bytes = new Uint8Array(LIST_SIZE / 8);
    expect((await compressList(bytes)).length).toBeLessThan(100);
    for (let i = 0; i < LIST_SIZE; i += 3) setInvalid(bytes, i);
    expect(inflated(await compressList(bytes))).toEqual(bytes);
  });

  it("gives every number one place, every place once, and neighbours none that are next to each other", () => {
    const places = Array.from({ length: LIST_SIZE }, (_, i) => placeOf(i + 1));
    expect(new Set(places.map(({ idx }) => idx)).size).toBe(LIST_SIZE);
    expect(new Set(places.map(({ list }) => list))).toEqual(new Set([0]));
    expect(placeOf(LIST_SIZE + 1).list).toBe(1);
    expect(Math.abs(places[1]!.idx - places[0]!.idx)).toBeGreaterThan(1);
    expect(numbersOf(1)).toEqual({ first: LIST_SIZE + 1, end: 2 * LIST_SIZE + 1 });
    expect(listUri("https://g.example", 3)).toBe("https://g.example/v1/status-lists/3");
  });
});
