import { describe, expect, it } from "vitest";
import { TELL_AFTER_MS } from "../../../src/edge/detection-feed.ts";
import { Later } from "../../../src/edge/later.ts";
import { MAX_NOTED, MAX_PLACES_NOTED, Notebook } from "../../../src/edge/notebook.ts";
import {
  MAX_OFTEN,
  OFTEN,
  placeOf,
  TELL_PLACE_AGAIN_MS,
  TokenSketch,
} from "../../../src/edge/token-sketch.ts";
import type { Observation } from "../../../src/remediation/observation.ts";
import { DetectionWorld, ISS, START_MS, verifiedToken } from "../../support/detection-world.ts";

const HOUR_MS = 3_600_000;
const token = (jti = "tok_1") => verifiedToken({ jti }, START_MS + HOUR_MS);
const DE = { cf: { country: "DE" } };
const unverified = { iss: ISS, kid: "own-1" };
const forgery = { address: "203.0.113.7", refused: "token_signature", unverified } as const;

describe("the sketch of a token's uses", () => {
  it("tells a place once, and again when five minutes are over", () => {
    const sketch = new TokenSketch();
    const one = token();
    const use = (atMs: number, address = "a") => sketch.use(one, address, DE, START_MS + atMs);
    expect(use(0)).toBe("place");
    expect(use(1)).toBeUndefined();
    expect(use(2, "b")).toBe("place");
    expect([use(3), use(4, "b"), use(5)]).toEqual([undefined, undefined, undefined]);
    expect(use(2 + TELL_PLACE_AGAIN_MS)).toBe("place");
    expect(use(3 + TELL_PLACE_AGAIN_MS, "b")).toBe("place");
  });

  it("tells each change of the country, with an address or without one", () => {
    for (const addresses of [undefined, ["a", "b", "b", "a"]]) {
      const sketch = new TokenSketch();
      const one = token();
      const use = (country: string, n: number) =>
        sketch.use(one, addresses?.[n], { cf: { country } }, START_MS + n);
      expect([use("DE", 0), use("US", 1), use("US", 2), use("DE", 3)]).toEqual([
        "place",
        "place",
        undefined,
        "place",
      ]);
    }
  });

  it("does not ask where an address is that is the same as before", () => {
    const sketch = new TokenSketch();
    const one = token();
    let asked = 0;
    const from = {
      get cf() {
        asked++;
        return { country: "DE" };
      },
    };
    for (let n = 0; n < 3; n++) sketch.use(one, "a", from, START_MS + n);
    expect(asked).toBe(1);
    sketch.use(one, "b", from, START_MS + 3);
    expect(asked).toBe(2);
  });

  it("tells of a token that is used fifty times in ten seconds, with all of its uses once", () => {
    const sketch = new TokenSketch();
    const one = token();
    const use = (times: number, atMs: number) =>
      Array.from({ length: times }, () => sketch.use(one, "a", DE, START_MS + atMs));
    use(OFTEN - 1, 0);
    expect(sketch.takeUsed()).toEqual([]);
    expect(use(1, 1)).toEqual(["often"]);
    expect(sketch.takeUsed()).toEqual([{ token: one, uses: OFTEN }]);
    use(7, 2);
    expect(sketch.takeUsed()).toEqual([{ token: one, uses: 7 }]);
    expect(sketch.takeUsed()).toEqual([]);
    // A new slot, and what was not told of the old one.
    use(3, 9_000);
    use(4, 11_000);
    expect(sketch.takeUsed()).toEqual([{ token: one, uses: 7 }]);
  });

  it("says nothing of a token that is used less, for hours", () => {
    const sketch = new TokenSketch();
    const one = token();
    sketch.use(one, "a", DE, START_MS);
    for (let s = 0; s < 290; s += 1) {
      for (let n = 0; n < 4; n++) expect(sketch.use(one, "a", DE, START_MS + s * 1000)).toBeUndefined();
    }
    expect(sketch.takeUsed()).toEqual([]);
  });

  it("follows a bounded number of busy tokens", () => {
    const sketch = new TokenSketch();
    for (let n = 0; n < MAX_OFTEN + 50; n++) {
      const one = token(`tok_${n}`);
      for (let i = 0; i < OFTEN; i++) sketch.use(one, "a", DE, START_MS);
    }
    expect(sketch.takeUsed()).toHaveLength(MAX_OFTEN);
  });

  it("reads Cloudflare's word for a place, and believes nothing else", () => {
    const cf = { country: "DE", asn: 3320, latitude: "52.52", longitude: "13.40" };
    expect(placeOf(cf)).toEqual({ country: "DE", asn: 3320, latitude: 52.52, longitude: 13.4 });
    expect(placeOf({ country: "T1", asn: "3320", latitude: "", longitude: "13" })).toEqual({ country: "T1" });
    expect(placeOf({ country: "XX", latitude: "91", longitude: "0" })).toEqual({});
    expect(placeOf(undefined)).toEqual({});
  });
});

describe("a notebook", () => {
  const refused = (address: string, count = 1): Observation => ({
    ...{ what: "refused", why: "tampered", at: START_MS / 1000, count },
    about: { iss: ISS, address },
  });
  const seen = (jti: string): Observation => ({
    what: "seen",
    about: { iss: ISS, jti },
    at: START_MS / 1000,
  });
  const told = (book: Notebook) =>
    [...book.take(START_MS).reports.values()].flatMap(({ observations }) => observations);

  it("writes equal observations down once, with their number", () => {
    const book = new Notebook();
    for (let n = 0; n < 5; n++) book.note(refused("a"));
    book.note(refused("b"));
    book.note(seen("tok_1"));
    book.note(seen("tok_1"));
    expect(told(book)).toMatchObject([{ count: 5 }, { count: 1 }, { what: "seen" }]);
    expect(told(book)).toEqual([]);
  });

  it("gives each key one shard, and shards a share", () => {
    const shardOf = (jti: string) => {
      const book = new Notebook();
      book.note(seen(jti));
      return [...book.take(START_MS).reports.keys()][0]!;
    };
    expect(shardOf("tok_1")).toBe(shardOf("tok_1"));
    const shards = new Set(Array.from({ length: 400 }, (_, n) => shardOf(`tok_${n}`)));
    expect([...shards].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, n) => n));
  });

  it("is bounded, keeps room for refusals, and says how much it left out", () => {
    const book = new Notebook();
    for (let n = 0; n < 1_000_000; n++) book.note(seen(`tok_${n}`));
    for (let n = 0; n < MAX_NOTED; n++) book.note(refused(`a${n}`));
    const { reports, leftOut } = book.take(START_MS);
    const observations = [...reports.values()].flatMap((report) => report.observations);
    expect(observations).toHaveLength(MAX_NOTED);
    expect(observations.filter(({ what }) => what === "seen")).toHaveLength(MAX_PLACES_NOTED);
    // Of the places what is over their share, and of the refusals what is over the rest.
    expect(leftOut).toBe(1_000_000 - MAX_PLACES_NOTED + MAX_PLACES_NOTED);
  }, 60_000);
});

describe("what an isolate tells", () => {
  it("is told a second after it happened, in one report a shard, and nothing where nothing happened", async () => {
    const world = new DetectionWorld();
    const one = token();
    for (let n = 0; n < 20; n++) world.request({ address: "203.0.113.7", cf: DE, token: one });
    expect(world.reports).toEqual([]);
    await world.pass(TELL_AFTER_MS);
    expect(world.reports).toMatchObject([{ observations: 1 }]);
    for (let n = 0; n < 20; n++) world.request({ address: "203.0.113.7", cf: DE, token: one });
    await world.pass(60_000);
    expect(world.reports).toHaveLength(1);
  });

  it("leaves out what is no sign of anything", async () => {
    const world = new DetectionWorld();
    for (const refused of ["no_route", "credential_missing", "token_malformed", "stale"] as const) {
      world.request({ address: "203.0.113.7", refused });
    }
    world.request({ address: "203.0.113.7" });
    await world.pass(60_000);
    expect(world.reports).toEqual([]);
  });

  it("is told once more where it may not have arrived, and counts once", async () => {
    const world = new DetectionWorld();
    world.shardsDown = true;
    for (let n = 0; n < 10; n++) world.request(forgery);
    await world.pass(TELL_AFTER_MS);
    expect(world.detections).toEqual([]);
    world.shardsDown = false;
    world.request(forgery);
    await world.pass(TELL_AFTER_MS);
    const [first, again, next] = world.reports;
    expect(again!.id).toBe(first!.id);
    expect(next!.id).not.toBe(first!.id);
    expect(world.detections).toMatchObject([{ kind: "token_tampered", count: 10 }]);
  });

  it("is given up after that, so that a shard that is down costs nothing but its detections", async () => {
    const world = new DetectionWorld();
    world.shardsDown = true;
    for (let n = 0; n < 10; n++) {
      world.request(forgery);
      await world.pass(TELL_AFTER_MS);
    }
    const tries = new Map<string, number>();
    for (const { id } of world.reports) tries.set(id, (tries.get(id) ?? 0) + 1);
    expect(Math.max(...tries.values())).toBe(2);
  });

  it("says in the log when it is more than there is room for", async () => {
    const world = new DetectionWorld();
    for (let n = 0; n < MAX_NOTED + 10; n++)
      world.request({ ...forgery, address: `10.0.${n >> 8}.${n & 255}` });
    await world.pass(TELL_AFTER_MS);
    expect(world.lines).toEqual([{ event: "detections.left_out", fields: { observations: 10 } }]);
  });
});

describe("later", () => {
  it("is once for all that ask, and again for those that ask afterwards", async () => {
    let done = 0;
    const wake: (() => void)[] = [];
    const works: Promise<unknown>[] = [];
    const later = new Later({
      sleep: () => new Promise((resolve) => wake.push(resolve)),
      afterMs: 1_000,
      work: async () => void done++,
    });
    const ask = (atMs: number) => later.ask(atMs, (work) => works.push(work));
    ask(0);
    ask(500);
    wake[0]!();
    await works[0];
    ask(1_000);
    expect([done, works.length]).toEqual([1, 2]);
    // The request that was to do it was cut off, or the clock was set back.
    ask(10_999);
    expect(works).toHaveLength(2);
    ask(11_000);
    expect(works).toHaveLength(3);
    ask(500);
    expect(works).toHaveLength(4);
  });
});
